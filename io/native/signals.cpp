#include <escapement/io/native/signals.h>

#include <pthread.h>
#include <signal.h>

#include <cerrno>

#include <escapement/io/native/detail/system.h>
#include <escapement/io/native/posix.h>

namespace escapement {

class Signals::State {
 public:
  State(FdBackend& b, posix::Fd f, sigset_t p) : backend(b), fd(std::move(f)), previous(p) {
    watch.fd = fd.get();
  }
  State(const State&) = delete;
  ~State() {
    if (watched) backend.unwatch(watch);
    ::pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  }

  FdBackend& backend;
  posix::Fd fd;
  sigset_t previous;
  FdWatch watch;
  bool watched = false;
};

Signals::Signals(std::unique_ptr<State> state) : state_(std::move(state)) {}
Signals::~Signals() = default;

Result<std::unique_ptr<Signals>> Signals::make(FdBackend& backend, std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  posix::Fd fd = posix::open_signals(set);
  if (!fd) return Error::from_errno(errno, "signals");
  sigset_t previous;
  ::pthread_sigmask(SIG_BLOCK, &set, &previous);
  auto state = std::make_unique<State>(backend, std::move(fd), previous);
  Result<> watched = backend.watch(state->watch);
  if (!watched) return std::move(watched).error();
  state->watched = true;
  return std::unique_ptr<Signals>(new Signals(std::move(state)));
}

Task<int> Signals::next() {
  for (;;) {
    const int number = posix::take_signal(state_->fd.get());
    if (number != 0) co_return number;
    co_await detail::until_readable(state_->watch);
  }
}

}  // namespace escapement
