// A client's conduct on one connection beside a scripted server: when it sends a body, and what it keeps.

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// Waits for `expect`, then sends `answer`.
struct Line {
  Line(std::string e, std::string a) : expect(std::move(e)), answer(std::move(a)) {}
  std::string expect;
  std::string answer;
};

Task<> play(SimNetwork& network, std::vector<Line> script) {
  std::unique_ptr<Listener> listener = co_await network.listen("s:80");
  std::unique_ptr<Stream> stream = co_await listener->accept();
  std::vector<std::byte> room(4096);
  for (const Line& line : script) {
    std::string seen;
    while (seen.find(line.expect) == seen.npos) {
      const std::size_t count = co_await stream->read(room);
      if (count == 0) co_return;
      seen += as_text(Bytes(room).first(count));
    }
    co_await stream->write(as_bytes(line.answer));
  }
  co_await sleep(Duration::max());  // the connection stays
}

// Ten bytes, of which the second never comes.
class Stalls final : public http::BodySource {
 public:
  Task<std::string> read() override {
    if (began_) co_await sleep(Duration::max());
    began_ = true;
    co_return "x";
  }
  std::optional<std::uint64_t> length() const override { return 10; }

 private:
  bool began_ = false;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

Task<std::string> ask(const http::Client& client, http::Request request) {
  http::Response response = co_await client(std::move(request));
  std::string body = co_await response.body.text(1 * MiB);
  co_return std::move(body);
}

http::Request post(http::Headers headers, http::Body body) {
  return http::Request("POST", *http::Url::parse("http://s/"), std::move(headers), std::move(body));
}

}  // namespace

TEST_CASE("client: with leave to send the body it goes out at once, without leave after a while") {
  for (const bool leave : {true, false}) {
    CAPTURE(leave);
    Sim sim(Seed{3});
    Scope scope(sim.reactor(), [](Error) {});
    scope.spawn(
        play(sim.network(), {{"\r\n\r\n", leave ? "HTTP/1.1 100 Continue\r\n\r\n" : ""}, {"body", ok}}));
    sim.settle();
    http::Client client(sim.network());
    CHECK(*sim.run(ask(client, post(http::Headers{{"Expect", "100-continue"}}, "body"))) == "ok");
    const Duration patience = http::ClientOptions().expect_continue_timeout;
    CHECK((sim.elapsed() < patience) == leave);
    CHECK(client.idle_connections() == 1);
    scope.cancel();
  }
}

TEST_CASE("client: a connection on which the request did not go out whole is not kept") {
  Sim sim(Seed{3});
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(play(sim.network(), {{"x", ok}}));
  sim.settle();
  http::Client client(sim.network());
  CHECK(*sim.run(ask(client, post({}, http::Body(std::make_unique<Stalls>())))) == "ok");
  CHECK(client.idle_connections() == 0);
  scope.cancel();
}

TEST_CASE("client: a response's head may be as large as its option says, and have a thousand fields") {
  const auto answer = [](std::size_t fields, std::size_t bytes) {
    std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
    for (std::size_t i = 1; i < fields; ++i) head += "A: b\r\n";
    if (head.size() < bytes) head += "X: " + std::string(bytes - head.size(), 'x') + "\r\n";
    return head + "\r\nok";
  };
  const auto outcome = [](const std::string& answer, std::optional<std::size_t> most = {}) {
    Sim sim(Seed{3});
    Scope scope(sim.reactor(), [](Error) {});
    scope.spawn(play(sim.network(), {{"\r\n\r\n", answer}}));
    sim.settle();
    http::ClientOptions options;
    options.head_bytes_max = most.value_or(options.head_bytes_max);
    http::Client client(sim.network(), options);
    Result<std::string> text = sim.run(ask(client, http::get("http://s/")));
    scope.cancel();
    return text ? *text : std::string(name(text.error().code()));
  };
  CHECK(outcome(answer(999, 0)) == "ok");
  CHECK(outcome(answer(1002, 0)) == "limit_exceeded");
  CHECK(outcome(answer(1, 60'000)) == "ok");
  CHECK(outcome(answer(1, 70'000)) == "limit_exceeded");
  CHECK(outcome(answer(1, 70'000), 100'000) == "ok");
  CHECK(outcome(answer(1, 900), 1000) == "ok");
  CHECK(outcome(answer(1, 1100), 1000) == "limit_exceeded");
}

TEST_CASE("client: a response given up keeps its connection where little of it is left, and is there") {
  // A body whose length its head says has been read to its end when all of it came with the head; a chunked
  // one is left where it is.
  const auto kept = [](std::size_t length, std::size_t sent, bool chunked) {
    Sim sim(Seed{3});
    Scope scope(sim.reactor(), [](Error) {});
    std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
    if (chunked) head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string body(sent, 'x');
    for (std::size_t at = body.size(); chunked && at > 0;) {
      const std::size_t size = std::min<std::size_t>(at, 9);
      at -= size;
      body.replace(at, size, std::to_string(size) + "\r\n" + std::string(size, 'x') + "\r\n");
    }
    if (chunked && sent == length) body += "0\r\n\r\n";
    scope.spawn(play(sim.network(), {{"\r\n\r\n", head + body}}));
    sim.settle();
    http::Client client(sim.network());
    {
      Result<http::Response> response = sim.run(client(http::get("http://s/")));
      CHECK(response);
    }
    scope.cancel();
    return client.idle_connections() == 1;
  };
  CHECK(kept(100, 100, true));
  CHECK(kept(2048, 2048, true));
  CHECK(!kept(100, 99, true));
  CHECK(!kept(2049, 2049, true));
  CHECK(!kept(5000, 5000, true));
  CHECK(kept(100, 100, false));
  CHECK(!kept(100, 99, false));
  CHECK(kept(10'000, 10'000, false));
  CHECK(!kept(10'000, 9'999, false));
}

TEST_CASE("client: where no connection to a host is allowed there is one") {
  Sim sim(Seed{3});
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(play(sim.network(), {{"\r\n\r\n", ok}}));
  sim.settle();
  http::ClientOptions options;
  options.connections_per_host_max = 0;
  http::Client client(sim.network(), options);
  CHECK(*sim.run(ask(client, http::get("http://s/"))) == "ok");
  scope.cancel();
}

namespace {

// Another stream, but for what a test changes.
class Wrapped : public Stream {
 public:
  explicit Wrapped(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}
  Task<std::size_t> read_task(MutableBytes into) override { return inner_->read_task(into); }
  Task<> write_task(Bytes bytes) override { return inner_->write_task(bytes); }
  Task<> shutdown_write() override { return inner_->shutdown_write(); }
  bool readable_or_closed() override { return inner_->readable_or_closed(); }
  std::string peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<Stream> inner_;
};

// Takes no file for as long as anybody waits.
class TakesNoFile final : public Wrapped {
 public:
  using Wrapped::Wrapped;
  Task<bool> send_file(FileRange&, std::size_t) override {
    co_await sleep(Duration::max());
    co_return true;
  }
};

// Breaks for sending after a first write, while what the peer sends still arrives.
class TakesOneWrite final : public Wrapped {
 public:
  using Wrapped::Wrapped;
  Task<> write_task(Bytes bytes) override {
    if (std::exchange(written_, true)) co_await Error(Errc::reset, "sending broke on purpose");
    co_await Wrapped::write_task(bytes);
  }

 private:
  bool written_ = false;
};

template <class S>
http::ClientOptions over() {
  http::ClientOptions options;
  options.encrypt = [](std::unique_ptr<Stream> stream, std::string) -> Task<std::unique_ptr<Stream>> {
    co_return std::make_unique<S>(std::move(stream));
  };
  return options;
}

class LargeFile final : public http::BodySource {
 public:
  Task<std::string> read() override { co_return Error(Errc::internal, "read, though it is a file"); }
  std::optional<std::uint64_t> length() const override { return 1 * MiB; }
  FileRange* file_range() override { return &range_; }

 private:
  FileRange range_{-1, 0, 1 * MiB};
};

}  // namespace

TEST_CASE("client: sending a file to a peer that does not read has a limit, too") {
  Sim sim(Seed{3});
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(play(sim.network(), {{"never", ""}}));
  sim.settle();
  http::ClientOptions options = over<TakesNoFile>();
  options.stall_timeout = 7s;
  http::Client client(sim.network(), options);
  http::Request request("PUT", *http::Url::parse("https://s:80/"), {},
                        http::Body(std::make_unique<LargeFile>()));
  const Error error = sim.run(ask(client, std::move(request))).error();
  CHECK(to_string(error) == "timed_out: sending to s:80: no progress within 7s");
  CHECK(error.limit() == TimeLimit::write);
  CHECK(sim.elapsed() == 7s);
  scope.cancel();
}

TEST_CASE("client: where sending breaks the answer may still come; where none does that is what is told") {
  for (const bool answers : {true, false}) {
    CAPTURE(answers);
    Sim sim(Seed{3});
    Scope scope(sim.reactor(), [](Error) {});
    auto serves = [](SimNetwork& network, std::string answer) -> Task<> {
      std::unique_ptr<Listener> listener = co_await network.listen("s:80");
      std::unique_ptr<Stream> stream = co_await listener->accept();
      co_await sleep(1s);
      co_await stream->write(as_bytes(answer));
      co_await stream->shutdown_write();
      co_await sleep(Duration::max());
    };
    scope.spawn(serves(sim.network(), answers ? ok : ""));
    sim.settle();
    http::Client client(sim.network(), over<TakesOneWrite>());
    http::Request request("POST", *http::Url::parse("https://s:80/"), {}, std::string(1 * MiB, 'x'));
    Result<std::string> text = sim.run(ask(client, std::move(request)));
    CHECK(sim.elapsed() == 1s);
    CHECK((text ? *text : to_string(text.error())) == (answers ? "ok" : "reset: sending broke on purpose"));
    CHECK(client.idle_connections() == 0);
    scope.cancel();
  }
}
