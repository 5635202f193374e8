// A server on real sockets: what the kernel reports about a client that disconnects, and a lack of
// descriptors.

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/posix.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/connected_socket.h"
#include "support/loops.h"
#include "support/scratch_folder.h"

using namespace escapement;
using test::make_loop;

namespace {

Task<std::string> read_some(Stream& stream) {
  std::vector<std::byte> room(4096);
  std::size_t count = co_await stream.read(room);
  co_return std::string(as_text(Bytes(room).first(count)));
}

Task<> until(const std::function<bool()>& true_at_last) {
  while (!true_at_last()) co_await sleep(1ms);
}

// A client without a loop: what it does is done before the server's loop turns again.
class BlockingClient {
 public:
  explicit BlockingClient(std::uint16_t port) : fd_(test::connected_socket(port)) {}
  BlockingClient(const BlockingClient&) = delete;
  ~BlockingClient() { ::close(fd_); }
  void send(std::string_view text) {
    REQUIRE(::send(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }
  // All that has come, once the server has gone.
  std::string read_all() {
    std::string all;
    char room[4096];
    for (;;) {
      const ssize_t count = ::recv(fd_, room, sizeof room, 0);
      if (count < 0) return all + " reset";
      if (count == 0) return all;
      all.append(room, static_cast<std::size_t>(count));
    }
  }

 private:
  int fd_;
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: s\r\n\r\n";

}  // namespace

TEST_CASE("server, sockets: a client that closes takes its handler with it; it need not be reset") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const bool reset = GENERATE(false, true);
  const bool more_behind = GENERATE(false, true);  // which nobody reads
  auto for_ever = [](http::Request) -> Task<http::Response> {
    co_await sleep(1h);
    co_return http::Response(200);
  };
  http::Server server(for_ever);
  auto run = [&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    const std::uint16_t port = listener->port();
    Scope scope(reactor, [](Error) {});
    scope.spawn(server.serve(std::move(listener)));
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", port);
    co_await client->write(as_bytes(get));
    co_await until([&] { return server.statistics().requests == 1; });
    if (more_behind) co_await client->write(as_bytes("GET"));
    co_await sleep(10ms);
    CHECK(server.statistics().open == 1);
    if (reset) client->reset_on_close();
    client.reset();
    co_await until([&] { return server.statistics().open == 0; });
    CHECK(server.statistics().abandoned == 1);
    scope.cancel();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("server, sockets: a body that comes later than its head, and in pieces, reaches the handler") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto length = [](http::Request request) -> Task<http::Response> {
    std::string body = co_await request.body.text(1 * MiB);
    co_return http::Response(200, std::to_string(body.size()));
  };
  http::Server server(length);
  auto run = [&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    const std::uint16_t port = listener->port();
    Scope scope(reactor, [](Error) {});
    scope.spawn(server.serve(std::move(listener)));
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", port);
    co_await client->write(as_bytes("POST / HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\n"));
    for (int i = 0; i < 3; ++i) {
      co_await sleep(10ms);
      co_await client->write(as_bytes("abc"));
    }
    std::string answer = co_await read_some(*client);
    CHECK(answer.ends_with("\r\n\r\n9"));
    scope.cancel();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

namespace {

// Accepts with no descriptor left while `lacking`. (Only for that call: UBSan needs descriptors, too.)
class Lacking final : public Listener {
 public:
  Lacking(std::unique_ptr<Listener> inner, const bool& lacking)
      : inner_(std::move(inner)), lacking_(lacking) {}

  Task<std::unique_ptr<Stream>> accept() override {
    if (!lacking_) co_return co_await inner_->accept();
    rlimit usual{};
    ::getrlimit(RLIMIT_NOFILE, &usual);
    rlimit none = usual;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
    Result<std::unique_ptr<Stream>> outcome = co_await inner_->accept().result();
    ::setrlimit(RLIMIT_NOFILE, &usual);
    co_return std::move(outcome);
  }
  std::uint16_t port() const override { return inner_->port(); }
  std::string address() const override { return inner_->address(); }

 private:
  std::unique_ptr<Listener> inner_;
  const bool& lacking_;
};

}  // namespace

TEST_CASE(
    "server, sockets: without descriptors it waits and does not spin; what waited is served afterwards") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto at_once = [](http::Request) -> Task<http::Response> { co_return http::Response(200, "x"); };
  http::Server server(at_once);
  int told = 0;
  server.on_failure = [&](const Error& error) {
    CHECK(error == Errc::overloaded);
    ++told;
  };
  auto run = [&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    const std::uint16_t port = listener->port();
    Scope scope(reactor, [](Error) {});
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", port);
    bool lacking = true;
    auto without = std::make_unique<Lacking>(std::move(listener), lacking);
    scope.spawn(server.serve(std::move(without)));
    const Instant began = reactor.precise_now();
    co_await sleep(300ms);
    lacking = false;
    CHECK(told >= 2);
    CHECK(told <= 2 + (reactor.now() - began) / Duration(50ms));
    CHECK(server.statistics().open == 0);
    co_await client->write(as_bytes(get));
    std::string answer = co_await read_some(*client);
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    scope.cancel();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("server, sockets: a shutdown answers what has arrived before it, also whom it has not accepted") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto at_once = [](http::Request) -> Task<http::Response> { co_return http::Response(200, "x"); };
  http::Server server(at_once);
  auto run = [&](std::uint16_t port, std::unique_ptr<Listener> listener) -> Task<std::string> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor, [](Error) {});
    scope.spawn(server.serve(std::move(listener)));
    BlockingClient kept(port);
    BlockingClient quiet(port);
    kept.send(get);
    co_await until([&] { return server.statistics().requests == 1 && server.statistics().open == 2; });
    // From here on the server's loop does not turn before it is told to shut down.
    kept.send(get);
    std::vector<std::unique_ptr<BlockingClient>> fresh;
    for (int i = 0; i < 20; ++i) {
      fresh.push_back(std::make_unique<BlockingClient>(port));
      fresh.back()->send(get);
    }
    server.shutdown(5s);
    co_await scope.join();
    std::string all = quiet.read_all() + '|' + kept.read_all() + '|';
    for (std::unique_ptr<BlockingClient>& client : fresh) all += client->read_all();
    co_return std::move(all);
  };
  std::unique_ptr<Listener> listener = *loop->network().listen("127.0.0.1:0");
  const std::uint16_t port = listener->port();
  Result<std::string> got = loop->run(with_timeout(10s, run(port, std::move(listener))));
  REQUIRE(got);
  CHECK(got->find("reset") == got->npos);
  CHECK(got->starts_with("|HTTP/1.1 200 OK\r\n"));
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = got->find("\r\n\r\nx", at)) != got->npos; ++at) ++answers;
  CHECK(answers == 22);
  CHECK(server.shutdown_report().idle_closed == 1);
  CHECK(server.shutdown_report().drained == 21);
}

namespace {

// A file's bytes, which may be read only by a sender that cannot send the file itself.
class InFile final : public http::BodySource {
 public:
  InFile(const std::string& path, std::uint64_t length, bool may_be_read)
      : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
        range_{file_.get(), 0, length},
        length_(length),
        may_be_read_(may_be_read) {}
  Task<std::string> read() override {
    CHECK((may_be_read_ || range_.left == 0));
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(range_.left, 10'000)), '\0');
    const ssize_t count = ::pread(range_.fd, bytes.data(), bytes.size(), static_cast<off_t>(range_.offset));
    CHECK(count == static_cast<ssize_t>(bytes.size()));
    range_.offset += bytes.size();
    range_.left -= bytes.size();
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  FileRange* file_range() override { return &range_; }

 private:
  posix::Fd file_;
  FileRange range_;
  std::uint64_t length_;
  bool may_be_read_;
};

}  // namespace

TEST_CASE(
    "server, sockets: a body that lies in a file goes out by sendfile, small ones and over others by "
    "reading") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const std::size_t size = GENERATE(100, 65'536, 65'537, 2'000'000);
  const test::ScratchFolder folder;
  std::string text;
  while (text.size() < size) text += std::to_string(text.size()) + ' ';
  text.resize(size);
  folder.write("file", text);
  auto handler = [&](http::Request) -> Task<http::Response> {
    auto source = std::make_unique<InFile>(folder.path("file"), size, size <= 65'536);
    co_return http::Response(200, http::Body(std::move(source)));
  };
  http::Server server(handler);
  auto run = [&]() -> Task<> {
    Reactor& reactor = co_await this_reactor;
    Scope scope(reactor, [](Error) {});
    std::unique_ptr<Listener> listener = co_await loop->network().listen("127.0.0.1:0");
    const std::string url = "http://127.0.0.1:" + std::to_string(listener->port()) + "/";
    scope.spawn(server.serve(std::move(listener)));
    http::Client client(loop->network());
    for (int i = 0; i < 2; ++i) {  // the second on the kept connection
      http::Response response = co_await client(http::get(url));
      std::string body = co_await response.body.text(4 * MiB);
      CHECK((body == text));
    }
    CHECK(server.statistics().connections == 1);
    scope.cancel();
  };
  CHECK(loop->run(with_timeout(10s, run())));
}
