#include <escapement/io/native/process.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <escapement/core/combine.h>
#include <escapement/core/detail/defer.h>
#include <escapement/io/native/descriptor.h>
#include <escapement/io/native/detail/spawn.h>
#include <escapement/io/native/detail/system.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement {

namespace {

constexpr Duration first_look = 1ms;
constexpr Duration longest_look = 50ms;
constexpr int reap_milliseconds = 100;

// Makes the stream of a pipe's end, if there is a pipe.
Result<> connect(FdBackend& backend, posix::Fd end, const std::string& name, std::unique_ptr<Stream>& into) {
  if (!end) return {};
  Result<std::unique_ptr<Stream>> stream = descriptor_stream(backend, std::move(end), name);
  if (!stream) return std::move(stream).error();
  into = *std::move(stream);
  return {};
}

ExitStatus status_of(const siginfo_t& info) {
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.code = -1;
    status.signal = info.si_status;
  }
  return status;
}

// Waits for up to `reap_milliseconds` until the process has ended. Returns whether it has.
bool ends_soon(pid_t id) {
  for (int waited = 0; waited < 10 * reap_milliseconds; ++waited) {
    siginfo_t info{};
    const int found = ::waitid(P_PID, static_cast<id_t>(id), &info, WEXITED | WNOHANG);
    if (found != 0 ? errno != EINTR : info.si_pid != 0) return true;
    const timespec pause = posix::to_timespec(100us);
    ::nanosleep(&pause, nullptr);
  }
  return false;
}

void* reap(void* id) {
  const auto number = static_cast<pid_t>(reinterpret_cast<std::intptr_t>(id));
  while (::waitpid(number, nullptr, 0) < 0 && errno == EINTR) continue;
  return nullptr;
}

// Leaves the process to a thread. If no thread can be had either, a zombie is left until this program ends.
void reap_on_thread(pid_t id) {
  pthread_t thread{};
  void* const argument = reinterpret_cast<void*>(static_cast<std::intptr_t>(id));
  if (::pthread_create(&thread, nullptr, reap, argument) == 0) ::pthread_detach(thread);
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return "exited with " + std::to_string(code);
  const char* name = ::strsignal(signal);
  return "was killed by signal " + std::to_string(signal) + " (" + (name != nullptr ? name : "?") + ')';
}

Process::Process(FdBackend& backend, pid_t id, posix::Fd fd, bool group, std::string name)
    : backend_(backend), id_(id), fd_(std::move(fd)), group_(group), name_(std::move(name)) {
  watch_.fd = fd_.get();
}

Process::~Process() {
  if (watched_) backend_.unwatch(watch_);
  end();
}

Result<std::unique_ptr<Process>> Process::start(FdBackend& backend, ProcessOptions options) {
  Result<detail::StartedProcess> spawned = detail::spawn(options);
  if (!spawned) return std::move(spawned).error();
  posix::Fd fd;
  if (!options.without_process_descriptor) fd = posix::open_process(spawned->id);
  const std::string& name = options.arguments.front();
  std::unique_ptr<Process> process(new Process(backend, spawned->id, std::move(fd), options.group, name));
  Result<> made = connect(backend, std::move(spawned->input), "the input of " + name, process->input);
  if (made) made = connect(backend, std::move(spawned->output), "the output of " + name, process->output);
  if (made) made = connect(backend, std::move(spawned->errors), "the errors of " + name, process->errors);
  if (!made) return std::move(made).error();
  return process;
}

Task<ExitStatus> Process::wait() {
  for (Duration pause = first_look;; pause = std::min<Duration>(pause * 2, longest_look)) {
    co_await collect();
    if (status_) co_return *status_;
    if (!fd_) {
      co_await sleep(pause);
      continue;
    }
    if (!watched_) {
      co_await backend_.watch(watch_);
      watched_ = true;
    }
    // Again: it may have ended before it was watched, which the poller reports as well.
    co_await detail::until_readable(watch_);
  }
}

// Looks without reaping first: the id of the group stays taken until the process is reaped.
Result<> Process::collect() {
  if (status_) return {};
  siginfo_t info{};
  const auto id = static_cast<id_t>(id_);
  if (!lost_ && ::waitid(P_PID, id, &info, WEXITED | WNOHANG | WNOWAIT) != 0) lost_ = errno == ECHILD;
  if (lost_) {
    return Error(Errc::internal, "the exit status of " + name_ +
                                     " is lost: this program ignores SIGCHLD, or has reaped it elsewhere");
  }
  if (info.si_pid == 0) return {};
  if (group_) ::kill(-id_, SIGKILL);
  status_ = status_of(info);
  ::waitid(P_PID, id, &info, WEXITED | WNOHANG);
  return {};
}

Result<> Process::signal(int number) {
  if (status_ || lost_) return Error(Errc::unavailable, name_ + " has ended");
  const int sent = group_ ? ::kill(-id_, number)
                   : fd_  ? posix::signal_process(fd_.get(), number)
                          : ::kill(id_, number);
  if (sent != 0) return Error::from_errno(errno, "signal " + name_);
  return {};
}

void Process::kill() {
  if (!signal(SIGKILL)) return;  // it has ended: `end` or `wait` finds that out
}

Task<ExitStatus> Process::stop(Duration grace) {
  co_await collect();
  if (!status_) co_await signal(SIGTERM);
  Result<ExitStatus> ended = co_await with_timeout(grace, wait()).result();
  if (ended || ended.error() != Errc::timed_out) co_return std::move(ended);
  kill();
  co_return co_await wait();
}

void Process::end() {
  if (status_ || lost_) return;
  kill();
  if (!ends_soon(id_)) reap_on_thread(id_);
}

namespace {

// Writes all of the text, or as much as the program wants to read.
Task<> feed(std::unique_ptr<Stream>& input, const std::string& text) {
  Result<> written = co_await input->write(as_bytes(text)).result();
  input.reset();
  if (!written && written.error() != Errc::reset) co_await std::move(written).error();
}

Task<> collect(Stream& from, std::string& into, std::size_t& room, const std::string& name) {
  std::string piece(16 * KiB, '\0');
  const MutableBytes buffer(reinterpret_cast<std::byte*>(piece.data()), piece.size());
  for (;;) {
    const std::size_t count = co_await from.read(buffer);
    if (count == 0) co_return;
    if (count > room) co_await Error(Errc::limit_exceeded, "the output of " + name + " exceeds the limit");
    room -= count;
    into.append(piece, 0, count);
  }
}

}  // namespace

Task<ProcessOutput> run_process(FdBackend& backend, ProcessOptions options, std::string text,
                                std::size_t output_max) {
  options.input = options.output = options.errors = Stdio::pipe;
  const std::string name = options.arguments.empty() ? std::string() : options.arguments.front();
  std::unique_ptr<Process> process = co_await Process::start(backend, std::move(options));
  ProcessOutput result;
  std::size_t room = output_max;
  co_await all(feed(process->input, text), collect(*process->output, result.output, room, name),
               collect(*process->errors, result.errors, room, name));
  result.status = co_await process->wait();
  co_return std::move(result);
}

}  // namespace escapement
