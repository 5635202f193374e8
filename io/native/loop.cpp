#include <escapement/io/native/loop.h>

#include <escapement/io/native/epoll_backend.h>
#include <escapement/io/native/poll_backend.h>

namespace escapement {

namespace {

// The backends to choose from, one line each; no other code knows which ones exist.
struct Choice {
  std::string_view name;
  Result<std::unique_ptr<FdBackend>> (*make)(Precision precision);
};
constexpr Choice choices[] = {
    {"epoll", [](Precision precision) { return EpollBackend::make(EpollOptions{precision}); }},
    {"poll", [](Precision precision) { return PollBackend::make(PollOptions{precision}); }},
};

Result<std::unique_ptr<FdBackend>> make_backend(std::string_view name, Precision precision) {
  if (name.empty()) name = ESC_DEFAULT_BACKEND;  // from CMake
  std::string names;
  for (const Choice& choice : choices) {
    if (choice.name == name) return choice.make(precision);
    names += names.empty() ? "" : " and ";
    names += choice.name;
  }
  return Error(Errc::invalid_argument, "unknown backend \"" + std::string(name) + "\": there are " + names);
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::make(LoopOptions options) {
  if (Result<> checked = check(options.precision); !checked) return std::move(checked).error();
  std::unique_ptr<Loop> loop;
  std::optional<Error> failure;
  auto make = [&] {
    Result<std::unique_ptr<FdBackend>> backend = make_backend(options.backend, options.precision);
    if (backend) {
      loop.reset(new Loop(*std::move(backend), std::move(options.tcp), options.turn_max));
    } else {
      failure = std::move(backend).error();
    }
  };
  if (std::optional<Error> thrown = detail::catching(make)) return *std::move(thrown);
  if (failure) return *std::move(failure);
  return loop;
}

Loop::Loop() : Loop(*make_backend("", Precision()), TcpOptions(), std::nullopt) {}

Loop::Loop(std::unique_ptr<FdBackend> backend, TcpOptions tcp, std::optional<Duration> turn_max)
    : backend_(std::move(backend)),
      wheel_(backend_->now()),
      reactor_(*backend_, wheel_),
      network_(*backend_, reactor_, std::move(tcp)) {
  constexpr Duration for_debugging = ESC_WATCH_TURNS != 0 ? 250ms : Duration::max();  // from CMake
  const Duration longest = turn_max.value_or(for_debugging);
  if (longest == Duration::max()) return;
  watchdog_.emplace(reactor_, longest);
  reactor_.watch_turns(&*watchdog_);
}

Loop::~Loop() = default;

}  // namespace escapement
