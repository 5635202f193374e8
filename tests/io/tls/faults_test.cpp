// TLS when something is wrong: connections that are cut, bytes that are changed, peers that are slow or
// foreign.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/io/tls/detail/records.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/read_and_write.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;

namespace {

constexpr TlsVersion versions[] = {TlsVersion::tls12, TlsVersion::tls13};

}  // namespace

// --- The end, and everything that only looks like it

namespace {

// Ends, whatever it is asked for: as a transport does that was cut off in a polite way.
class EndsPolitely final : public Stream {
 public:
  explicit EndsPolitely(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}
  Task<std::size_t> read_task(MutableBytes into) override { return inner_->read_task(into); }
  Task<> write_task(Bytes bytes) override { return inner_->write_task(bytes); }
  Task<> shutdown_write() override { return inner_->shutdown_write(); }
  bool readable_or_closed() override { return inner_->readable_or_closed(); }
  std::string peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<Stream> inner_;
};

}  // namespace

TEST_CASE("TLS: a connection that is cut is a reset, and its end comes only by close_notify") {
  for (const TlsVersion version : versions) {
    Sim sim;
    auto run = [](TlsVersion version) -> Task<> {
      TlsClientOptions options = trusting_ca();
      options.newest = version;
      TlsClient client = make_client(options);
      TlsServer server = make_server(serving("a"));
      for (int round = 0; round < 2; ++round) {
        const bool cut = round == 0;
        PipeEnds plain = pipe();
        auto cut_off = std::make_unique<EndsPolitely>(std::move(plain.second));
        StreamPair pair =
            co_await encrypt_both(client, server, StreamPair(std::move(plain.first), std::move(cut_off)));
        co_await pair.second->write(as_bytes("part"));
        if (cut) pair.second->reset_on_close();
        pair.second.reset();
        std::string part = co_await read_exactly(*pair.first, 4);
        CHECK(part == "part");
        for (int i = 0; i < 2; ++i) {
          std::string room(10, '\0');
          Result<std::size_t> count = co_await pair.first->read(as_room(room)).result();
          CHECK(static_cast<bool>(count) == !cut);
          if (count) CHECK(*count == 0);
          if (!count) CHECK(to_string(count.error()) == "reset: a.test cut the TLS connection off");
        }
      }
    };
    CHECK(outcome_text(sim.run(run(version))) == "");
  }
}

TEST_CASE("TLS: a cancelled write is not followed by a clean end") {
  Sim sim;
  auto run = []() -> Task<> {
    PipeEnds plain = pipe();
    TlsClient client = make_client(trusting_ca());
    TlsServer server = make_server(serving("a"));
    StreamPair pair =
        co_await encrypt_both(client, server, StreamPair(std::move(plain.first), std::move(plain.second)));
    const std::string much(MiB, 'x');
    Result<> written = co_await with_timeout(1s, pair.first->write(as_bytes(much))).result();
    CHECK(!written);
    // Room again: the destructor could say good-bye now.
    std::string some = co_await read_exactly(*pair.second, 100'000);
    Result<> ended = co_await pair.first->shutdown_write().result();
    CHECK((!ended && ended.error() == Errc::reset));
    co_await sleep(1s);
    pair.first.reset();
    Result<std::string> rest = co_await read_all(*pair.second).result();
    CHECK((!rest && rest.error() == Errc::reset));
  };
  CHECK(outcome_text(sim.run(run())) == "");
}

namespace {

// Between two pipes: passes bytes on, except for one thing that it does to the `at`th byte of its direction.
struct Wire {
  enum class Fault { none, flip, cut };
  Wire(Fault f, std::size_t a) : fault(f), at(a) {}
  Fault fault;
  std::size_t at;
};

Task<> pass_on(Stream& from, Stream& to, Wire wire, std::size_t& passed) {
  std::string room(4096, '\0');
  for (;;) {
    const std::size_t count = co_await from.read(as_room(room));
    if (count == 0) break;
    if (wire.at >= passed && wire.at < passed + count) {
      if (wire.fault == Wire::Fault::flip) room[wire.at - passed] ^= 0x10;
      if (wire.fault == Wire::Fault::cut) {
        co_await to.write(as_bytes(std::string_view(room).substr(0, wire.at - passed)));
        break;
      }
    }
    passed += count;
    co_await to.write(as_bytes(std::string_view(room).substr(0, count)));
  }
  co_await to.shutdown_write();
}

Task<std::string> ask(TlsClient client, std::unique_ptr<Stream> plain) {
  std::unique_ptr<TlsStream> stream = co_await client.connect(std::move(plain), "a.test");
  co_await stream->write(as_bytes("question"));
  co_await stream->shutdown_write();
  co_return co_await read_all(*stream);
}

Task<std::string> answer(TlsServer server, std::unique_ptr<Stream> plain) {
  std::unique_ptr<TlsStream> stream = co_await server.accept(std::move(plain));
  std::string asked = co_await read_all(*stream);
  co_await stream->write(as_bytes("answer"));
  co_await stream->shutdown_write();
  co_return std::move(asked);
}

struct Exchange {
  Result<std::string> asked = Error(Errc::internal);
  Result<std::string> answered = Error(Errc::internal);
  std::size_t to_server = 0;
  std::size_t to_client = 0;
};

// The client closes when it has failed, and so does the server, so that nobody waits for what will not come.
Task<> exchange(TlsVersion version, Wire to_server, Wire to_client, Exchange& result) {
  TlsClientOptions options = trusting_ca();
  options.newest = version;
  PipeEnds near = pipe();
  PipeEnds far = pipe();
  Scope scope(co_await this_reactor, [](Error) {});
  scope.spawn(pass_on(*near.second, *far.first, to_server, result.to_server));
  scope.spawn(pass_on(*far.first, *near.second, to_client, result.to_client));
  JoinHandle<std::string> answering =
      scope.spawn_joinable(with_timeout(30s, answer(make_server(serving("a")), std::move(far.second))));
  result.answered = co_await with_timeout(30s, ask(make_client(options), std::move(near.first))).result();
  result.asked = co_await std::move(answering).join().result();
}

Exchange exchanged(TlsVersion version, Wire to_server, Wire to_client) {
  Sim sim;
  Exchange result;
  CHECK(outcome_text(sim.run(exchange(version, to_server, to_client, result))) == "");
  return result;
}

}  // namespace

TEST_CASE("TLS: no flipped bit and no cut becomes data or a clean end") {
  const Wire whole(Wire::Fault::none, 0);
  for (const TlsVersion version : versions) {
    const Exchange plain = exchanged(version, whole, whole);
    REQUIRE((plain.asked && plain.answered));
    CHECK(*plain.asked == "question");
    CHECK(*plain.answered == "answer");
    std::size_t noticed = 0;
    std::size_t tried = 0;
    for (const Wire::Fault fault : {Wire::Fault::flip, Wire::Fault::cut}) {
      for (const bool towards_client : {false, true}) {
        // Signatures are a few bytes shorter or longer each time.
        const std::size_t length = towards_client ? plain.to_client : plain.to_server;
        for (std::size_t at = 0; at + 12 < length; at += at < 100 || at + 100 > length ? 7 : 31) {
          INFO("TLS 1." << (version == TlsVersion::tls12 ? 2 : 3)
                        << (towards_client ? " to client" : " to server")
                        << (fault == Wire::Fault::flip ? " flip " : " cut ") << at);
          const Wire bad(fault, at);
          const Exchange result =
              exchanged(version, towards_client ? whole : bad, towards_client ? bad : whole);
          if (result.asked) CHECK(*result.asked == "question");
          if (result.answered) CHECK(*result.answered == "answer");
          ++tried;
          noticed += !result.asked || !result.answered;
          if (fault == Wire::Fault::cut) CHECK(!(towards_client ? result.answered : result.asked));
        }
      }
    }
    // Not every bit of a handshake means something: versions in record heads do not.
    CHECK(noticed * 10 >= tried * 9);
  }
}

// --- Peers that are slow, silent, or no peers at all

namespace {

// Returns a client's failure against a server that sends `bytes` and then waits, and when.
std::string against(std::string bytes, Duration& took) {
  Sim sim;
  auto talk = [](std::string bytes) -> Task<> {
    PipeEnds plain = pipe();
    Scope scope(co_await this_reactor, [](Error) {});
    scope.spawn(plain.second->write(as_bytes(bytes)));
    TlsClient client = make_client(trusting_ca());
    std::unique_ptr<TlsStream> stream = co_await client.connect(std::move(plain.first), "a.test");
  };
  const Result<> outcome = sim.run(talk(std::move(bytes)));
  took = sim.elapsed();
  return outcome ? "connected" : to_string(outcome.error());
}

}  // namespace

TEST_CASE("TLS: a peer that does not speak TLS is noticed at once") {
  Duration took;
  for (const char* bytes : {"HTTP/1.1 400 Bad Request\r\n", "SSH-2.0-x\r\n", "H", "\x16\x99"}) {
    INFO(bytes);
    CHECK(against(bytes, took) == "bad_message: a.test does not speak TLS");
    CHECK(took == Duration());
  }
}

TEST_CASE("TLS: alerts before the handshake are named, and a flood of them ends it") {
  Duration took;
  const auto alert = [](char level, char what) {
    return std::string("\x15\x03\x03\0\x02", 5) + level + what;
  };
  CHECK(against(alert(2, 40), took) ==
        "bad_message: TLS handshake with a.test: it accepts nothing that we offer");
  CHECK(against(alert(2, 112), took) ==
        "bad_message: TLS handshake with a.test: it does not serve that name");
  CHECK(against(alert(2, 70), took) ==
        "bad_message: TLS handshake with a.test: it speaks no TLS version that we accept");
  std::string flood;
  for (int i = 0; i < 9000; ++i) flood += alert(1, 90);
  CHECK(against(flood, took) == "bad_message: TLS handshake with a.test: too many records");
  CHECK(took == Duration());
}

TEST_CASE("TLS: a stalled handshake ends at its limit, and other timers do not notice") {
  Duration took;
  CHECK(against("", took) == "timed_out: TLS handshake with a.test: nothing within 10s");
  CHECK(took == 10s);
  CHECK(against(std::string("\x16\x03\x03\x10\0", 5), took) ==
        "timed_out: TLS handshake with a.test: nothing within 10s");
  CHECK(took == 10s);

  Sim sim;
  auto run = []() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    TlsServerOptions options = serving("a");
    options.handshake_timeout = 2s;
    TlsServer server = make_server(options);
    std::vector<std::unique_ptr<Stream>> silent;
    Scope scope(reactor, [](Error) {});
    for (int i = 0; i < 300; ++i) {
      PipeEnds ends = pipe();
      silent.push_back(std::move(ends.first));
      auto accept_one = [](TlsServer server, std::unique_ptr<Stream> stream) -> Task<> {
        std::unique_ptr<TlsStream> made = co_await server.accept(std::move(stream));
      };
      scope.spawn(accept_one(server, std::move(ends.second)));
    }
    const Instant began = reactor.now();
    co_await sleep(700ms);
    CHECK(reactor.now() == began + 700ms);
    // Somebody who is not silent gets through.
    TlsClient client = make_client(trusting_ca());
    Outcome outcome = co_await shake_hands(client, server, "a.test");
    CHECK(outcome.client);
    CHECK(reactor.now() == began + 700ms);
    co_await sleep_until(began + 2s);
    co_await sleep(1ms);
    CHECK(server.statistics().failed == 300);
    CHECK(scope.empty());
  };
  CHECK(outcome_text(sim.run(run())) == "");
}

namespace {

// Counts the reactor's turns.
class Turns final : public Runnable {
 public:
  explicit Turns(Reactor& r) : reactor(r) { run(); }
  void run() override {
    ++count;
    timer.arm(reactor.timers(), reactor.now(), *this);
  }
  Reactor& reactor;
  TimerEntry timer;
  int count = 0;
};

// Returns how many turns so many handshakes at once take.
Task<int> turns_of_handshakes(TlsClient client, TlsServer server, int crowd) {
  auto one = [](TlsClient client, TlsServer server) -> Task<> {
    PipeEnds plain = pipe();
    StreamPair pair =
        co_await encrypt_both(client, server, StreamPair(std::move(plain.first), std::move(plain.second)));
  };
  Reactor& reactor = co_await this_reactor;
  Scope scope(reactor);
  for (int i = 0; i < crowd; ++i) scope.spawn(one(client, server));
  Turns turns(reactor);
  co_await scope.join();
  turns.timer.disarm();
  co_return turns.count;
}

}  // namespace

TEST_CASE("TLS: handshakes take turns, one step with a public key in each") {
  Sim sim;
  auto run = []() -> Task<> {
    constexpr int crowd = 20;
    for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
      TlsClientOptions options = trusting_ca();
      options.newest = version;
      const int turns =
          co_await turns_of_handshakes(make_client(std::move(options)), make_server(serving("a")), crowd);
      // A client computes in at least these: its key or the secret, the certificate, its signature.
      CHECK(turns >= 3 * crowd);
    }
  };
  CHECK(outcome_text(sim.run(run())) == "");
}

TEST_CASE("TLS: steps without a public key share a turn") {
  Sim sim;
  auto run = []() -> Task<> {
    TlsClientOptions options = trusting_ca();
    options.newest = TlsVersion::tls12;
    TlsClient client = make_client(std::move(options));
    TlsServer server = make_server(serving("a"));
    const int full = co_await turns_of_handshakes(client, server, 1);
    for (std::uint64_t i = 1; i <= 5; ++i) {
      const int resumed = co_await turns_of_handshakes(client, server, 1);
      CHECK(server.statistics().resumed == i);
      // A flight is read in the turn after the one that it was sent in: the hello, the answer, Finished, and
      // the end. The client's hello might hold a key, and what it gets for an answer.
      CHECK(resumed <= 7);
      CHECK(resumed < full);
    }
  };
  CHECK(outcome_text(sim.run(run())) == "");
}

TEST_CASE("TLS: a handshake that was cancelled goes on with the next operation") {
  Sim sim;
  auto run = []() -> Task<> {
    PipeEnds plain = pipe();
    class One final : public Listener {
     public:
      explicit One(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
      Task<std::unique_ptr<Stream>> accept() override { co_return std::move(stream_); }
      std::uint16_t port() const override { return 0; }
      std::string address() const override { return "one"; }

     private:
      std::unique_ptr<Stream> stream_;
    };
    TlsServer server = make_server(serving("a"));
    std::unique_ptr<Listener> listener = server.wrap(std::make_unique<One>(std::move(plain.second)));
    std::unique_ptr<Stream> stream = co_await listener->accept();
    CHECK(stream->encrypted());
    std::string room(10, '\0');
    Result<std::size_t> count = co_await with_timeout(3s, stream->read(as_room(room))).result();
    CHECK((!count && count.error() == Errc::timed_out));
    Scope scope(co_await this_reactor);
    JoinHandle<std::string> asking =
        scope.spawn_joinable(ask(make_client(trusting_ca()), std::move(plain.first)));
    std::string question = co_await read_all(*stream);
    CHECK(question == "question");
    co_await stream->write(as_bytes("answer"));
    stream.reset();
    std::string answered = co_await std::move(asking).join();
    CHECK(answered == "answer");
  };
  CHECK(outcome_text(sim.run(run())) == "");
}

// --- Records

TEST_CASE("TlsRecords: only whole records come out, whatever pieces they arrive in") {
  std::string input;
  for (const std::size_t length : {0, 1, 5, 300, 16'384 + 256, 2}) {
    input +=
        std::string("\x17\x03\x03", 3) + static_cast<char>(length >> 8) + static_cast<char>(length & 255);
    input += sample(length);
  }
  for (const std::size_t piece : {1, 2, 3, 7, 1000, 100'000}) {
    detail::TlsRecords records;
    std::string output;
    for (std::size_t at = 0; at < input.size();) {
      const MutableBytes room = records.room();
      const std::size_t count = std::min({piece, room.size(), input.size() - at});
      std::copy_n(as_bytes(input).begin() + static_cast<std::ptrdiff_t>(at), count, room.begin());
      records.received(count);
      at += count;
      const bool whole = records.whole_record();
      const std::size_t before = output.size();
      std::string taken(13, '\0');
      while (const std::size_t got = records.take(as_room(taken))) output.append(taken, 0, got);
      CHECK((output.size() > before) == whole);
    }
    CHECK((output == input));
    CHECK(records.empty());
    CHECK(records.records() == 6);
    CHECK(!records.foreign());
    CHECK(records.room().size() <= 64 * KiB);
  }
}
