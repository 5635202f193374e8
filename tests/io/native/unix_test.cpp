// Unix stream sockets, on both pollers.

#include <escapement/io/native/unix.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/failing_calls.h"
#include "support/loops.h"
#include "support/read_and_write.h"
#include "support/scratch_folder.h"
#include "support/stream_contract.h"

using namespace escapement;
using test::make_loop;

namespace {

std::string abstract_name(const char* what) {
  return std::string("@escapement-test-") + what + '-' + std::to_string(::getpid());
}

std::unique_ptr<UnixListener> listen_at(Loop& loop, std::string_view name, UnixListenOptions options = {}) {
  Result<std::unique_ptr<UnixListener>> made = listen_unix(loop.backend(), name, std::move(options));
  REQUIRE(made);
  return *std::move(made);
}

// Two ends of a connection through a socket file or an abstract name.
class UnixWorld final : public test::StreamWorld {
 public:
  UnixWorld(const std::string& backend, bool abstract)
      : loop_(make_loop(backend)), name_(abstract ? abstract_name("world") : folder_.path("socket")) {}
  Reactor& reactor() override { return loop_->reactor(); }
  Task<test::StreamPair> open() override {
    std::unique_ptr<UnixListener> listener = listen_at(*loop_, name_);
    using Both = std::tuple<std::unique_ptr<Stream>, std::unique_ptr<Stream>>;
    Both both = co_await all(connect_unix(loop_->backend(), name_), listener->accept());
    co_return test::StreamPair(std::move(std::get<0>(both)), std::move(std::get<1>(both)));
  }

 private:
  test::ScratchFolder folder_;
  std::unique_ptr<Loop> loop_;
  std::string name_;
};

// Leaves a socket file behind, as a program does that was killed.
void leave_stale(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 1) == 0);
  ::close(fd);
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

}  // namespace

TEST_CASE("unix: streams keep the Stream contract, by path and by abstract name") {
  std::vector<test::StreamKind> kinds;
  for (const std::string& backend : test::backends()) {
    for (const bool abstract : {false, true}) {
      kinds.push_back({std::string(abstract ? "abstract" : "path") + " over " + backend,
                       [=] { return std::make_unique<UnixWorld>(backend, abstract); }, false});
    }
  }
  test::check_stream_contract(kinds);
}

TEST_CASE("unix: both sides have names, and the listener knows who connected") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  const std::string path = folder.path("s");
  auto run = [&]() -> Task<> {
    std::unique_ptr<UnixListener> listener = listen_at(*loop, "unix:" + path);
    CHECK(listener->address() == "unix:" + path);
    CHECK(listener->port() == 0);
    std::unique_ptr<Stream> client = co_await connect_unix(loop->backend(), path);
    CHECK(client->peer() == "unix:" + path);
    CHECK(!client->peer_host());
    UnixConnection accepted = co_await listener->accept_unix();
    CHECK(accepted.peer.process == ::getpid());
    CHECK(accepted.peer.user == ::getuid());
    CHECK(accepted.peer.group == ::getgid());
    CHECK(accepted.stream->peer() ==
          "unix:pid=" + std::to_string(::getpid()) + ",uid=" + std::to_string(::getuid()));
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("unix: clients that are not allowed are closed, others get through") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    int asked = 0;
    UnixListenOptions options;
    options.allow = [&](const UnixCredentials& peer) { return peer.user == ::getuid() && ++asked > 1; };
    const std::string name = abstract_name("allow");
    std::unique_ptr<UnixListener> listener = listen_at(*loop, name, options);
    std::unique_ptr<Stream> first = co_await connect_unix(loop->backend(), name);
    std::unique_ptr<Stream> second = co_await connect_unix(loop->backend(), name);
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    CHECK(asked == 2);
    std::string end = co_await test::read_all(*first);
    CHECK(end.empty());
    co_await accepted->write(as_bytes("hello"));
    std::string got = co_await test::read_exactly(*second, 5);
    CHECK(got == "hello");
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("unix: the socket file has the mode that was asked for, and goes with its listener") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  const std::string path = folder.path("s");
  const mode_t before = ::umask(0077);
  for (const mode_t mode : {0600, 0666, 0660}) {
    UnixListenOptions options;
    options.mode = mode;
    std::unique_ptr<UnixListener> listener = listen_at(*loop, path, options);
    CHECK(mode_of(path) == mode);
    listener.reset();
    CHECK(!std::filesystem::exists(path));
  }
  ::umask(before);
  UnixListenOptions stays;
  stays.unlink_at_end = false;
  listen_at(*loop, path, stays).reset();
  CHECK(std::filesystem::exists(path));
  // A file that has taken the place of the listener's is not its own.
  std::unique_ptr<UnixListener> listener = listen_at(*loop, path);
  std::filesystem::remove(path);
  folder.write("s", "somebody else's");
  listener.reset();
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("unix: only a socket file at which nothing listens is replaced") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  const std::string path = folder.path("s");
  leave_stale(path);
  UnixListenOptions careful;
  careful.remove_stale = false;
  CHECK(listen_unix(loop->backend(), path, careful).error() == Errc::address_in_use);
  auto run = [&]() -> Task<> {
    std::unique_ptr<UnixListener> listener = listen_at(*loop, path);
    Result<std::unique_ptr<UnixListener>> second = listen_unix(loop->backend(), path);
    CHECK(second.error() == Errc::address_in_use);
    CHECK(second.error().message() == "listen on unix:" + path + ": another program listens there");
    // The first one is unharmed. It saw the question whether it lives.
    std::unique_ptr<Stream> probe = co_await listener->accept();
    std::unique_ptr<Stream> client = co_await connect_unix(loop->backend(), path);
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    co_await client->write(as_bytes("x"));
    std::string got = co_await test::read_exactly(*accepted, 1);
    CHECK(got == "x");
  };
  CHECK(loop->run(with_timeout(10s, run())));
  folder.write("s", "text");
  Result<std::unique_ptr<UnixListener>> file = listen_unix(loop->backend(), path);
  CHECK(file.error() == Errc::address_in_use);
  CHECK(file.error().message().find("no socket") != std::string::npos);
  CHECK(std::filesystem::file_size(path) == 4);
  const std::string name = abstract_name("taken");
  std::unique_ptr<UnixListener> abstract = listen_at(*loop, name);
  CHECK(listen_unix(loop->backend(), name).error() == Errc::address_in_use);
}

TEST_CASE("unix: wrong names and absent listeners are errors that say so, with nothing sent") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  const auto failure = [&](const std::string& name) {
    Result<std::unique_ptr<Stream>> stream = loop->run(connect_unix(loop->backend(), name));
    REQUIRE(!stream);
    CHECK(!stream.error().maybe_sent());
    return stream.error();
  };
  CHECK(failure(folder.path("absent")) == Errc::unavailable);
  CHECK(failure(folder.path("absent")).message() ==
        "connect to unix:" + folder.path("absent") + ": No such file or directory");
  CHECK(failure(abstract_name("absent")) == Errc::unavailable);
  leave_stale(folder.path("stale"));
  CHECK(failure(folder.path("stale")) == Errc::unavailable);
  CHECK(failure("") == Errc::invalid_argument);
  CHECK(failure("unix:") == Errc::invalid_argument);
  CHECK(failure(std::string("/a\0b", 4)) == Errc::invalid_argument);
  const Error long_path = failure('/' + std::string(107, 'p'));
  CHECK(long_path == Errc::invalid_argument);
  CHECK(long_path.message().find("has 108 bytes; that of a Unix socket has at most 107") !=
        std::string::npos);
  CHECK(failure('/' + std::string(106, 'p')) == Errc::unavailable);
  for (const std::string& name : {std::string(), std::string(200, 'p'), folder.path("no/such/folder")}) {
    CHECK(listen_unix(loop->backend(), name).error() == Errc::invalid_argument);
  }
  test::FailingCall fault(test::Call::socket, EMFILE);
  CHECK(failure("/s") == Errc::overloaded);
  CHECK(listen_unix(loop->backend(), "/s").error() == Errc::overloaded);
}

TEST_CASE("unix: a full backlog is waited out, within the limit") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    UnixListenOptions options;
    options.backlog = 0;
    const std::string name = abstract_name("backlog");
    std::unique_ptr<UnixListener> listener = listen_at(*loop, name, options);
    std::vector<std::unique_ptr<Stream>> queued;
    for (;;) {
      Result<std::unique_ptr<Stream>> one = co_await connect_unix(loop->backend(), name, 20ms).result();
      if (!one) {
        CHECK(one.error() == Errc::timed_out);
        CHECK(one.error().limit() == TimeLimit::connect);
        CHECK(!one.error().maybe_sent());
        break;
      }
      queued.push_back(*std::move(one));
    }
    Scope scope(co_await this_reactor);
    JoinHandle<std::unique_ptr<Stream>> waiting = scope.spawn_joinable(connect_unix(loop->backend(), name));
    co_await sleep(5ms);
    CHECK(!waiting.finished());
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    std::unique_ptr<Stream> connected = co_await std::move(waiting).join();
    CHECK(connected);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("unix: accept that goes on failing is an error; cancelled accepts leave nothing") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    const std::string name = abstract_name("faults");
    std::unique_ptr<UnixListener> listener = listen_at(*loop, name);
    Result<std::unique_ptr<Stream>> hung = co_await with_timeout(2ms, listener->accept()).result();
    CHECK(hung.error() == Errc::timed_out);
    std::unique_ptr<Stream> client = co_await connect_unix(loop->backend(), name);
    {
      test::FailingCall fault(test::Call::accept4, EMFILE);
      Result<std::unique_ptr<Stream>> refused = co_await listener->accept().result();
      CHECK(refused.error() == Errc::overloaded);
    }
    {
      test::FailingCall fault(test::Call::accept4, ECONNABORTED);
      Result<std::unique_ptr<Stream>> refused = co_await listener->accept().result();
      CHECK(refused.error() == Errc::overloaded);
    }
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    CHECK(accepted);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("unix: an HTTP server and a client meet at a path") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  const std::string path = folder.path("http");
  http::Server server([](http::Request request) -> Task<http::Response> {
    co_return http::Response(200, std::string(request.peer()) + ' ' + request.url.path());
  });
  auto run = [&]() -> Task<> {
    UnixNetwork network(loop->backend(), path);
    Scope scope(co_await this_reactor);
    JoinHandle<void> serving = scope.spawn_joinable(server.listen(network, ""));
    co_await yield();
    http::Client client(network);
    http::Request request("GET", *http::Url::parse("http://anything.test/where"));
    http::Response response = co_await client(std::move(request));
    CHECK(response.status == 200);
    std::string body = co_await response.body.text(1 * KiB);
    CHECK(body.starts_with("unix:pid="));
    CHECK(body.ends_with(" /where"));
    server.shutdown(0ms);
    co_await std::move(serving).join();
    CHECK(!std::filesystem::exists(path));
    http::Request again("GET", *http::Url::parse("http://anything.test/"));
    Result<http::Response> gone = co_await client(std::move(again)).result();
    CHECK(gone.error() == Errc::unavailable);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("unix: a socket that listens already is adopted; nothing else is") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  auto run = [&]() -> Task<> {
    posix::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK(adopt_unix_listener(loop->backend(), std::move(fd)).error() == Errc::invalid_argument);
    REQUIRE(fd);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    folder.path("s").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd.get(), 1) == 0);
    std::unique_ptr<UnixListener> listener = co_await adopt_unix_listener(loop->backend(), std::move(fd));
    CHECK(listener->address() == "unix:" + folder.path("s"));
    std::unique_ptr<Stream> client = co_await connect_unix(loop->backend(), folder.path("s"));
    std::unique_ptr<Stream> accepted = co_await listener->accept();
    CHECK(accepted);
    listener.reset();
    CHECK(std::filesystem::exists(folder.path("s")));
    posix::Fd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::listen(tcp.get(), 1) == 0);
    CHECK(adopt_unix_listener(loop->backend(), std::move(tcp)).error() == Errc::invalid_argument);
    CHECK(adopt_unix_listener(loop->backend(), posix::Fd()).error() == Errc::invalid_argument);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}
