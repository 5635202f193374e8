#include <escapement/io/native/loop.h>

#include <escapement/io/native/epoll_backend.h>
#include <escapement/io/native/poll_backend.h>

namespace escapement {

namespace {

// Chooses the backend; no other code knows which ones exist. ESC_DEFAULT_BACKEND comes from CMake.
Result<std::unique_ptr<FdBackend>> make_backend(std::string_view name, Precision precision) {
  if (name.empty()) name = ESC_DEFAULT_BACKEND;
  if (name == "epoll") return EpollBackend::make(EpollOptions{precision});
  if (name == "poll") return PollBackend::make(PollOptions{precision});
  return Error(Errc::invalid_argument,
               "unknown backend \"" + std::string(name) + "\": there are epoll and poll");
}

}  // namespace

Result<std::unique_ptr<Loop>> Loop::make(LoopOptions options) {
  if (Result<> checked = check(options.precision); !checked) return std::move(checked).error();
  std::unique_ptr<Loop> loop;
  std::optional<Error> failure;
  auto make = [&] {
    Result<std::unique_ptr<FdBackend>> backend = make_backend(options.backend, options.precision);
    if (backend) {
      loop.reset(new Loop(*std::move(backend), std::move(options.tcp)));
    } else {
      failure = std::move(backend).error();
    }
  };
  if (std::optional<Error> thrown = detail::catching(make)) return *std::move(thrown);
  if (failure) return *std::move(failure);
  return loop;
}

Loop::Loop() : Loop(*make_backend("", Precision()), TcpOptions()) {}

Loop::Loop(std::unique_ptr<FdBackend> backend, TcpOptions tcp)
    : backend_(std::move(backend)),
      wheel_(backend_->now()),
      reactor_(*backend_, wheel_),
      network_(*backend_, reactor_, std::move(tcp)) {}

Loop::~Loop() = default;

}  // namespace escapement
