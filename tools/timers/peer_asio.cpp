// asio: steady_timer.

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/version.hpp>

#include <escapement/io/native/posix.h>

#include "tools/timers/contender.h"

namespace escapement::lateness {

namespace {

class Asio final : public Sleeper {
 public:
  Asio() : context_(1), timer_(context_) {}

  Duration sleep(Duration length) override {
    const Instant deadline = posix::monotonic_now() + length;
    Instant at;
    timer_.expires_after(std::chrono::nanoseconds(length.count()));
    timer_.async_wait([&at](const asio::error_code&) { at = posix::monotonic_now(); });
    context_.restart();
    context_.run();
    return at - deadline;
  }

 private:
  asio::io_context context_;
  asio::steady_timer timer_;
};

}  // namespace

void add_asio(std::vector<Contender>& contenders) {
  const std::string version =
      std::to_string(ASIO_VERSION / 100000) + '.' + std::to_string(ASIO_VERSION / 100 % 1000);
  contenders.push_back(
      {"asio", "steady_timer, asio " + version, Kind::peer, [] { return std::make_unique<Asio>(); }});
}

}  // namespace escapement::lateness
