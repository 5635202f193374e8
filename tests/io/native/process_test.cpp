// Child processes, on both pollers, with and without process descriptors.

#include <escapement/io/native/process.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/failing_calls.h"
#include "support/loops.h"
#include "support/read_and_write.h"
#include "support/scratch_folder.h"

using namespace escapement;
using test::make_loop;

namespace {

ProcessOptions shell(const std::string& script) { return ProcessOptions({"/bin/sh", "-c", script}); }

std::unique_ptr<Process> start(Loop& loop, ProcessOptions options) {
  Result<std::unique_ptr<Process>> process = Process::start(loop.backend(), std::move(options));
  REQUIRE(process);
  return *std::move(process);
}

// No child of this program is left, running or as a zombie.
bool no_children() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

// A zombie, which an init process may leave for a while, is dead.
bool alive(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const std::size_t name_end = stat.rfind(')');
  return name_end != stat.npos && stat.substr(name_end + 2, 1) != "Z";
}

Task<bool> dies(pid_t id) {
  for (int i = 0; i < 2000; ++i) {
    if (!alive(id)) co_return true;
    co_await sleep(1ms);
  }
  co_return false;
}

}  // namespace

TEST_CASE("process: its exit status, or the signal that ended it, is reported once it has ended") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const bool without = GENERATE(false, true);
  const auto [script, code, number, text] = GENERATE(table<const char*, int, int, const char*>(
      {{"exit 0", 0, 0, "exited with 0"},
       {"sleep 0.02; exit 7", 7, 0, "exited with 7"},
       {"exit 255", 255, 0, "exited with 255"},
       {"kill -TERM $$", -1, SIGTERM, "was killed by signal 15 (Terminated)"},
       {"kill -KILL $$", -1, SIGKILL, "was killed by signal 9 (Killed)"}}));
  auto run = [&, script = script, code = code, number = number, text = text]() -> Task<> {
    ProcessOptions options = shell(script);
    options.without_process_descriptor = without;
    std::unique_ptr<Process> process = start(*loop, std::move(options));
    ExitStatus status = co_await process->wait();
    CHECK(status.code == code);
    CHECK(status.signal == number);
    CHECK(status.text() == text);
    CHECK(status.success() == (code == 0));
    CHECK(no_children());
    ExitStatus again = co_await process->wait();
    CHECK(again.code == code);
    CHECK(process->signal(SIGTERM).error() == Errc::unavailable);
    ExitStatus stopped = co_await process->stop(1ms);
    CHECK(stopped.code == code);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: its streams are inherited, null or pipes") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    ProcessOptions options = shell("tr a-z A-Z; echo trouble >&2");
    options.input = options.output = options.errors = Stdio::pipe;
    std::unique_ptr<Process> process = start(*loop, std::move(options));
    CHECK(process->output->peer() == "the output of /bin/sh");
    std::string big = test::sample(300'000);
    std::transform(big.begin(), big.end(), big.begin(),
                   [](char c) { return static_cast<char>('a' + (static_cast<unsigned char>(c) % 26)); });
    std::tuple<std::monostate, std::string, std::string> done =
        co_await all(test::write_all(*process->input, big), test::read_all(*process->output),
                     test::read_all(*process->errors));
    std::transform(big.begin(), big.end(), big.begin(),
                   [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    CHECK((std::get<1>(done) == big));
    CHECK(std::get<2>(done) == "trouble\n");
    ExitStatus status = co_await process->wait();
    CHECK(status.success());
    // With nothing to read, and nowhere to write to.
    ProcessOptions quiet = shell("read x && exit 1; echo nothing; exit 5");
    quiet.input = quiet.output = Stdio::null;
    std::unique_ptr<Process> silent = start(*loop, std::move(quiet));
    CHECK(!silent->input);
    CHECK(!silent->output);
    status = co_await silent->wait();
    CHECK(status.code == 5);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: arguments, environment and folder arrive as they are") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  auto run = [&]() -> Task<> {
    ProcessOptions options(
        {"sh", "-c", "pwd; env; printf '%s|' \"$@\"", "name", "a b", "", "$x;'\"", "\xff\n"});
    options.environment = {"ONE=1", "TWO=two words"};
    options.directory = folder.path();
    ProcessOutput result = co_await run_process(loop->backend(), std::move(options));
    CHECK(result.status.success());
    CHECK(result.output.starts_with(std::filesystem::canonical(folder.path()).string() + '\n'));
    CHECK(result.output.find("ONE=1\n") != std::string::npos);
    CHECK(result.output.find("TWO=two words\n") != std::string::npos);
    CHECK(result.output.find("PATH=/usr") == std::string::npos);
    CHECK(result.output.ends_with("a b||$x;'\"|\xff\n|"));
    // Another name than the file's.
    ProcessOptions named({"myself", "-c", "echo $0"});
    named.program = "/bin/sh";
    result = co_await run_process(loop->backend(), std::move(named));
    CHECK(result.output == "myself\n");
    ::setenv("ESCAPEMENT_TEST_VARIABLE", "inherited", 1);
    result = co_await run_process(loop->backend(), shell("echo $ESCAPEMENT_TEST_VARIABLE; cat"), "fed");
    ::unsetenv("ESCAPEMENT_TEST_VARIABLE");
    CHECK(result.output == "inherited\nfed");
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: no descriptor leaks into the child, and those that are passed have their numbers") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    // Not marked close-on-exec, below and above the numbers that are passed.
    std::vector<posix::Fd> careless;
    for (int i = 0; i < 30; ++i) careless.emplace_back(::open("/dev/null", O_RDONLY));
    ProcessOptions plain = shell("ls /proc/self/fd");  // ls has one open itself
    ProcessOutput result = co_await run_process(loop->backend(), std::move(plain));
    CHECK(result.output == "0\n1\n2\n3\n");
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const posix::Fd reads(ends[0]);
    posix::Fd writes(ends[1]);
    ProcessOptions passing = shell("ls /proc/self/fd; echo passed >/proc/self/fd/20");
    passing.descriptors.emplace_back(writes.get(), 20);
    passing.descriptors.emplace_back(reads.get(), 9);
    result = co_await run_process(loop->backend(), std::move(passing));
    CHECK(result.output == "0\n1\n2\n20\n3\n9\n");
    writes.reset();
    char room[100];
    CHECK(::read(reads.get(), room, sizeof room) == 7);
    CHECK(::read(reads.get(), room, sizeof room) == 0);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: numbers that trade places reach the child as they were asked for") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    const test::ScratchFolder folder;
    folder.write("a", "A");
    folder.write("b", "B");
    const posix::Fd a(::open(folder.path("a").c_str(), O_RDONLY | O_CLOEXEC));
    const posix::Fd b(::open(folder.path("b").c_str(), O_RDONLY | O_CLOEXEC));
    const std::string number_a = std::to_string(a.get());
    const std::string number_b = std::to_string(b.get());
    ProcessOptions options = shell("cat /proc/self/fd/" + number_a + " /proc/self/fd/" + number_b);
    options.descriptors.emplace_back(b.get(), a.get());
    options.descriptors.emplace_back(a.get(), b.get());
    ProcessOutput result = co_await run_process(loop->backend(), std::move(options));
    CHECK(result.output == "BA");
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: destroying it, or cancelling its task, kills and reaps it at once") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const bool without = GENERATE(false, true);
  auto run = [&]() -> Task<> {
    ProcessOptions options = shell("trap '' TERM INT HUP; while :; do sleep 1; done");
    options.without_process_descriptor = without;
    std::unique_ptr<Process> process = start(*loop, options);
    const pid_t id = process->id();
    Result<ExitStatus> running = co_await with_timeout(5ms, process->wait()).result();
    CHECK(running.error() == Errc::timed_out);
    CHECK(alive(id));
    process.reset();
    CHECK(!alive(id));
    CHECK(no_children());
    auto owner = [](Loop& loop, ProcessOptions options) -> Task<> {
      std::unique_ptr<Process> process = start(loop, std::move(options));
      co_await process->wait();
    };
    Result<> cancelled = co_await with_timeout(5ms, owner(*loop, options)).result();
    CHECK(cancelled.error() == Errc::timed_out);
    CHECK(no_children());
    Result<ProcessOutput> output =
        co_await with_timeout(5ms, run_process(loop->backend(), shell("exec sleep 100"))).result();
    CHECK(output.error() == Errc::timed_out);
    CHECK(no_children());
    // One that has ended and was not waited for.
    {
      std::unique_ptr<Process> ended = start(*loop, shell("exit 3"));
    }
    CHECK(no_children());
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: stop asks first, and kills after the grace period") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    ProcessOptions polite = shell("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done");
    polite.output = Stdio::pipe;
    std::unique_ptr<Process> process = start(*loop, std::move(polite));
    std::string ready = co_await test::read_exactly(*process->output, 6);
    CHECK(ready == "ready\n");
    ExitStatus status = co_await process->stop(5s);
    CHECK(status.code == 4);
    ProcessOptions deaf = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    deaf.output = Stdio::pipe;
    process = start(*loop, std::move(deaf));
    ready = co_await test::read_exactly(*process->output, 6);
    const Instant began = loop->reactor().precise_now();
    status = co_await process->stop(20ms);
    CHECK(status.signal == SIGKILL);
    CHECK(loop->reactor().precise_now() - began >= 20ms);
    CHECK(no_children());
  };
  CHECK(loop->run(with_timeout(20s, run())));
}

TEST_CASE("process: a group dies as a whole") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const bool ends_itself = GENERATE(false, true);
  auto run = [&]() -> Task<> {
    ProcessOptions options = shell(std::string("sleep 100 & echo $!; ") + (ends_itself ? "exit 2" : "wait"));
    options.group = true;
    options.output = Stdio::pipe;
    std::unique_ptr<Process> process = start(*loop, std::move(options));
    std::string room(100, '\0');
    const std::size_t count = co_await process->output->read(test::as_room(room));
    const pid_t grandchild = static_cast<pid_t>(std::stoi(room.substr(0, count)));
    CHECK(alive(grandchild));
    CHECK(::getpgid(grandchild) == process->id());
    if (ends_itself) {
      ExitStatus status = co_await process->wait();
      CHECK(status.code == 2);
    }
    process.reset();
    const bool dead = co_await dies(grandchild);
    CHECK(dead);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: signals reach it; its mask is empty and SIGPIPE has its default effect") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  sigset_t blocked;
  sigset_t before;
  ::sigfillset(&blocked);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto usual = ::signal(SIGPIPE, SIG_IGN);
  auto run = [&]() -> Task<> {
    ProcessOutput result =
        co_await run_process(loop->backend(), shell("grep -E 'SigBlk|SigIgn' /proc/self/status"));
    CHECK(result.output.find("SigBlk:\t0000000000000000") != std::string::npos);
    const std::size_t ignored = result.output.find("SigIgn:\t");
    REQUIRE(ignored != std::string::npos);
    const unsigned long long signals = std::stoull(result.output.substr(ignored + 8, 16), nullptr, 16);
    CHECK((signals & 1ull << (SIGPIPE - 1)) == 0);
    std::unique_ptr<Process> process = start(*loop, shell("exec sleep 100"));
    CHECK(process->signal(SIGUSR1));
    CHECK(process->signal(12345).error() == Errc::invalid_argument);
    ExitStatus status = co_await process->wait();
    CHECK(status.signal == SIGUSR1);
  };
  CHECK(loop->run(with_timeout(10s, run())));
  ::signal(SIGPIPE, usual);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("process: what cannot be started is an error that says why, and leaves nothing") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const test::ScratchFolder folder;
  folder.write("text", "no program");
  folder.write("garbage", std::string("\x7f"
                                      "ELF garbage"));
  std::filesystem::permissions(folder.path("garbage"), std::filesystem::perms::owner_all);
  const int next = ::dup(0);
  ::close(next);
  const auto failure = [&](ProcessOptions options) {
    Result<std::unique_ptr<Process>> process = Process::start(loop->backend(), std::move(options));
    REQUIRE(!process);
    return process.error();
  };
  const Error absent = failure(ProcessOptions({"/no/such/program"}));
  CHECK(absent == Errc::not_found);
  CHECK(absent.os_number() == ENOENT);
  CHECK(absent.message() == "start /no/such/program: No such file or directory");
  CHECK(failure(ProcessOptions({"no-such-program-in-path"})) == Errc::not_found);
  CHECK(failure(ProcessOptions({folder.path("text")})) == Errc::permission_denied);
  CHECK(failure(ProcessOptions({folder.path("garbage")})) == Errc::invalid_argument);
  CHECK(failure(ProcessOptions({folder.path()})) == Errc::permission_denied);
  CHECK(failure(ProcessOptions()) == Errc::invalid_argument);
  CHECK(failure(ProcessOptions({std::string("a\0b", 3)})) == Errc::invalid_argument);
  CHECK(failure(ProcessOptions({"true", std::string(4'000'000, 'a')})) == Errc::limit_exceeded);
  ProcessOptions nowhere({"true"});
  nowhere.directory = folder.path("absent");
  const Error no_folder = failure(nowhere);
  CHECK(no_folder == Errc::invalid_argument);
  CHECK(no_folder.message().find("the folder") != std::string::npos);
  nowhere.directory = folder.path("text");
  CHECK(failure(nowhere) == Errc::invalid_argument);
  for (const auto& [fd, as] : {std::pair(0, 2), std::pair(0, 1024), std::pair(9999, 3), std::pair(-1, 3)}) {
    ProcessOptions wrong({"true"});
    wrong.descriptors.emplace_back(fd, as);
    CHECK(failure(wrong) == Errc::invalid_argument);
  }
  ProcessOptions twice({"true"});
  twice.descriptors.emplace_back(0, 3);
  twice.descriptors.emplace_back(1, 3);
  CHECK(failure(twice) == Errc::invalid_argument);
  {
    rlimit usual{};
    ::getrlimit(RLIMIT_NOFILE, &usual);
    rlimit none = usual;
    none.rlim_cur = static_cast<rlim_t>(next) + 1;
    ::setrlimit(RLIMIT_NOFILE, &none);
    ProcessOptions pipes({"true"});
    pipes.output = Stdio::pipe;
    const Error lacking = failure(pipes);
    ::setrlimit(RLIMIT_NOFILE, &usual);
    CHECK(lacking == Errc::overloaded);
  }
  CHECK(no_children());
  const int next_afterwards = ::dup(0);
  ::close(next_afterwards);
  CHECK(next_afterwards == next);
}

TEST_CASE("process: output beyond the limit kills it; input that it does not read is no failure") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    Result<ProcessOutput> flood =
        co_await run_process(loop->backend(), shell("yes"), std::string(), 100'000).result();
    CHECK(flood.error() == Errc::limit_exceeded);
    CHECK(no_children());
    ProcessOutput ignored =
        co_await run_process(loop->backend(), shell("exec 0<&-; echo done"), std::string(1'000'000, 'i'));
    CHECK(ignored.output == "done\n");
    CHECK(ignored.status.success());
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: a status that others took is lost, and said to be") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  const bool without = GENERATE(false, true);
  auto run = [&]() -> Task<> {
    ProcessOptions options = shell("exit 1");
    options.without_process_descriptor = without;
    std::unique_ptr<Process> process = start(*loop, options);
    REQUIRE(::waitpid(process->id(), nullptr, 0) == process->id());
    Result<ExitStatus> lost = co_await process->wait().result();
    CHECK(lost.error() == Errc::internal);
    CHECK(lost.error().message().find("SIGCHLD") != std::string::npos);
    CHECK(process->signal(SIGTERM).error() == Errc::unavailable);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: a wait that cannot be watched fails; the process goes on and can be waited for again") {
  std::unique_ptr<Loop> loop = make_loop("epoll");
  auto run = [&]() -> Task<> {
    std::unique_ptr<Process> process = start(*loop, shell("sleep 0.02; exit 6"));
    {
      test::FailingCall fault(test::Call::epoll_ctl_add, ENOSPC);
      Result<ExitStatus> unwatched = co_await process->wait().result();
      CHECK(unwatched.error() == Errc::overloaded);
    }
    ExitStatus status = co_await process->wait();
    CHECK(status.code == 6);
  };
  CHECK(loop->run(with_timeout(10s, run())));
}

TEST_CASE("process: many at once, each with its own status") {
  std::unique_ptr<Loop> loop = make_loop(ESC_EACH_BACKEND());
  auto run = [&]() -> Task<> {
    Scope scope(co_await this_reactor);
    std::vector<JoinHandle<ProcessOutput>> all;
    for (int i = 0; i < 20; ++i) {
      all.push_back(scope.spawn_joinable(
          run_process(loop->backend(), shell("echo " + std::to_string(i) + "; exit " + std::to_string(i)))));
    }
    for (int i = 0; i < 20; ++i) {
      ProcessOutput result = co_await std::move(all[static_cast<std::size_t>(i)]).join();
      CHECK(result.status.code == i);
      CHECK(result.output == std::to_string(i) + '\n');
    }
  };
  CHECK(loop->run(with_timeout(20s, run())));
}
