// Sockets that a supervisor passed.

#include <escapement/io/native/activation.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/native/loop.h>
#include <escapement/io/native/unix.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/loops.h"
#include "support/scratch_folder.h"

using namespace escapement;
using test::make_loop;

namespace {

constexpr int first = 400;  // above what the tests themselves have open

using Variables = std::map<std::string, std::string>;

// Sets variables of the environment, and removes them at the end.
class Environment {
 public:
  explicit Environment(Variables values) : values_(std::move(values)) {
    for (const auto& [name, value] : values_) ::setenv(name.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  ~Environment() {
    for (const auto& [name, value] : values_) ::unsetenv(name.c_str());
  }

 private:
  Variables values_;
};

std::string own_pid() { return std::to_string(::getpid()); }

Result<std::vector<PassedSocket>> take(bool unset = true) {
  ActivationOptions options;
  options.first = first;
  options.unset_environment = unset;
  return take_passed_sockets(options);
}

// Puts a descriptor where a supervisor would.
void pass(int fd, int index) {
  REQUIRE(fd >= 0);
  REQUIRE(::dup2(fd, first + index) == first + index);
  ::close(fd);
}

int tcp_listener() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 5) == 0);
  return fd;
}

int unix_listener(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 5) == 0);
  return fd;
}

}  // namespace

TEST_CASE("activation: nothing is passed, or to somebody else") {
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_PID");
  CHECK((*take()).empty());
  {
    const Environment lacks_pid(Variables{{"LISTEN_FDS", "1"}});
    CHECK((*take()).empty());
  }
  const Environment others(Variables{{"LISTEN_FDS", "1"}, {"LISTEN_PID", std::to_string(::getpid() + 1)}});
  CHECK((*take()).empty());
  CHECK(::getenv("LISTEN_FDS") != nullptr);
}

TEST_CASE("activation: sockets arrive with their names, kinds and addresses, and listen") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  pass(tcp_listener(), 0);
  pass(unix_listener(folder.path("s")), 1);
  pass(::socket(AF_INET6, SOCK_DGRAM, 0), 2);
  pass(::socket(AF_INET, SOCK_STREAM, 0), 3);
  pass(::socket(AF_UNIX, SOCK_DGRAM, 0), 4);
  pass(::open("/dev/null", O_RDONLY), 5);
  const Environment environment(Variables{
      {"LISTEN_FDS", "6"}, {"LISTEN_PID", own_pid()}, {"LISTEN_FDNAMES", "web:local:dns:one::null"}});
  Result<std::vector<PassedSocket>> passed = take();
  REQUIRE(passed);
  CHECK(::getenv("LISTEN_FDS") == nullptr);
  CHECK(::getenv("LISTEN_FDNAMES") == nullptr);
  CHECK((*take()).empty());
  std::vector<PassedSocket>& sockets = *passed;
  std::string kinds;
  for (const PassedSocket& socket : sockets) {
    kinds += socket.name + '=' + std::string(name(socket.kind)) + ' ';
    CHECK((::fcntl(socket.fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(kinds == "web=tcp_listener local=unix_listener dns=udp one=connection =other null=other ");
  CHECK(sockets[0].address.starts_with("127.0.0.1:"));
  CHECK(sockets[1].address == "unix:" + folder.path("s"));
  CHECK(sockets[5].address.empty());
  for (const std::size_t wrong : {2, 3, 4, 5}) {
    Result<std::unique_ptr<Listener>> refused = passed_listener(loop->backend(), std::move(sockets[wrong]));
    CHECK(refused.error() == Errc::invalid_argument);
    CHECK(refused.error().message().find(name(sockets[wrong].kind)) != std::string::npos);
    CHECK(sockets[wrong].fd);
  }
  auto run = [&]() -> Task<> {
    std::unique_ptr<Listener> tcp = co_await passed_listener(loop->backend(), std::move(sockets[0]));
    std::unique_ptr<Stream> client = co_await loop->network().connect("127.0.0.1", tcp->port());
    std::unique_ptr<Stream> accepted = co_await tcp->accept();
    CHECK(accepted->peer().starts_with("127.0.0.1:"));
    std::unique_ptr<Listener> local = co_await passed_listener(loop->backend(), std::move(sockets[1]));
    client = co_await connect_unix(loop->backend(), folder.path("s"));
    accepted = co_await local->accept();
    CHECK(accepted->peer().starts_with("unix:pid="));
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("activation: malformed variables are errors that name them, and nothing is taken") {
  pass(::open("/dev/null", O_RDONLY), 0);
  const auto refused = [](Variables values, std::string_view variable) {
    values.emplace("LISTEN_PID", own_pid());
    const Environment environment(std::move(values));
    Result<std::vector<PassedSocket>> passed = take();
    REQUIRE(!passed);
    CHECK(passed.error() == Errc::invalid_argument);
    CHECK(passed.error().message().starts_with(variable));
    CHECK(::getenv("LISTEN_PID") != nullptr);
    CHECK(::fcntl(first, F_GETFD) >= 0);
  };
  for (const char* count : {"x", "", "-1", "1x", "5000", "99999999999999999999"}) {
    CAPTURE(count);
    refused({{"LISTEN_FDS", count}}, "LISTEN_FDS=");
  }
  refused({{"LISTEN_FDS", "1"}, {"LISTEN_PID", "me"}}, "LISTEN_PID=me");
  refused({{"LISTEN_FDS", "1"}, {"LISTEN_PID", "0"}}, "LISTEN_PID=0");
  refused({{"LISTEN_FDS", "1"}, {"LISTEN_FDNAMES", "a:b"}}, "LISTEN_FDNAMES=a:b");
  refused({{"LISTEN_FDS", "2"}}, "LISTEN_FDS=2");  // only one is open
  const Environment good(Variables{{"LISTEN_FDS", "1"}, {"LISTEN_PID", own_pid()}});
  Result<std::vector<PassedSocket>> passed = take(false);
  REQUIRE(passed);
  CHECK((*passed)[0].name == "unknown");
  CHECK(::getenv("LISTEN_FDS") != nullptr);
}

TEST_CASE("activation: the supervisor is notified, by path or abstract name, if there is one") {
  ::unsetenv("NOTIFY_SOCKET");
  CHECK(*notify_supervisor("READY=1") == false);
  const test::ScratchFolder folder;
  const posix::Fd supervisor(::socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder.path("notify").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(supervisor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  {
    const Environment environment(Variables{{"NOTIFY_SOCKET", folder.path("notify")}});
    CHECK(*notify_supervisor("READY=1\nSTATUS=fine") == true);
    char room[100];
    const ssize_t count = ::recv(supervisor.get(), room, sizeof room, 0);
    CHECK(std::string_view(room, static_cast<std::size_t>(count)) == "READY=1\nSTATUS=fine");
  }
  {
    const Environment environment(Variables{{"NOTIFY_SOCKET", folder.path("absent")}});
    CHECK(!notify_supervisor("READY=1"));
  }
  for (const std::string& wrong : {std::string("relative"), std::string(), '/' + std::string(200, 'n')}) {
    const Environment environment(Variables{{"NOTIFY_SOCKET", wrong}});
    CHECK(notify_supervisor("READY=1").error() == Errc::invalid_argument);
  }
  const Environment environment(Variables{{"NOTIFY_SOCKET", "@escapement-nobody-" + own_pid()}});
  CHECK(!notify_supervisor("READY=1"));
}
