// Where nobody has set a handler, lost failures are printed.

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

// Captures standard error while it lives.
class StandardError {
 public:
  StandardError() : file_(std::tmpfile()), before_(::dup(2)) { ::dup2(::fileno(file_), 2); }
  StandardError(const StandardError&) = delete;
  ~StandardError() {
    ::dup2(before_, 2);
    ::close(before_);
    std::fclose(file_);
  }
  std::string text() const {
    std::string text(1000, '\0');
    const ssize_t count = ::pread(::fileno(file_), text.data(), text.size(), 0);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }

 private:
  std::FILE* file_;
  int before_;
};

Task<> bad() {
  co_await sleep(1ms);
  co_await Error(Errc::reset, "on purpose");
}
Task<int> bad_number() {
  co_await sleep(1ms);
  co_return Error(Errc::reset);
}

}  // namespace

TEST_CASE("unhandled: without a handler, to standard error; with an empty one too") {
  StandardError printed;
  Sim sim;
  {
    Scope scope(sim.reactor());
    scope.spawn(bad());
    sim.advance(10ms);
    CHECK(printed.text().empty());
  }
  CHECK(printed.text() == "escapement: unhandled failure: reset: on purpose\n");
  sim.reactor().on_unhandled_failure([](const Error&) {});
  Scope scope(sim.reactor(), nullptr);
  scope.spawn(bad());
  sim.advance(10ms);
  sim.reactor().on_unhandled_failure(nullptr);
  JoinHandle<int> handle = scope.spawn_joinable(bad_number());
  sim.advance(10ms);
  {
    JoinHandle<int> dropped = std::move(handle);
  }
  CHECK(printed.text() ==
        "escapement: unhandled failure: reset: on purpose\nescapement: unhandled failure: reset\n");
}

TEST_CASE("unhandled: what a handler throws, and what is held when the reactor is gone") {
  StandardError printed;
  std::optional<JoinHandle<int>> kept;
  {
    Sim sim;
    sim.reactor().on_unhandled_failure([](const Error&) { throw std::string("oops"); });
    Scope scope(sim.reactor(), nullptr);
    scope.spawn(bad());
    kept.emplace(scope.spawn_joinable(bad_number()));
    sim.advance(10ms);
  }
  CHECK(printed.text() ==
        "escapement: unhandled failure: reset: on purpose\n"
        "escapement: unhandled failure: exception: an exception that is no std::exception\n");
  kept.reset();
  CHECK(printed.text().ends_with("escapement: unhandled failure: reset\n"));
}
