#include <escapement/middleware/client/detail/drain.h>

#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

constexpr std::size_t most = 2048;

}  // namespace

bool worth_draining(const Body& body) { return !body.replayable() && body.length().value_or(0) <= most; }

Task<> drain(Body body) {
  for (std::size_t read = 0; read <= most;) {
    Result<std::string> piece = co_await with_timeout(Duration(), body.read()).result();
    if (!piece || piece->empty()) co_return;
    read += piece->size();
  }
}

}  // namespace escapement::http::detail
