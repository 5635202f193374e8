// ActiveState: what an HTTP/1.1 connection of a server needs while it is not idle, and the pool that lends
// it.

#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <escapement/core/time.h>
#include <escapement/io/http/detail/request_link.h>
#include <escapement/io/http/h1/connection.h>
#include <escapement/io/http/h1/deadlines.h>
#include <escapement/io/http/h1/exchange.h>
#include <escapement/io/http/url.h>

namespace escapement::http::detail {

// The limits in time of a connection that is not idle, each from ServerOptions but the last.
enum class Limit { idle, head, handler, body, sending, lingering };

struct ActiveState {
  explicit ActiveState(const ParserLimits& limits) : wire(Parser::Role::request, limits) {}
  // Makes it as it is in the pool, wherever it has come to; the exchange has gone. The wire is cleared by its
  // detach().
  void clear() {
    deadlines.clear();
    watched = reads_body = false;
    reject_status = 0;
    body_waited = Duration();
  }

  Http1Connection wire;
  RequestLink link;  // of each exchange, which it outlives
  std::optional<Exchange> exchange;
  Deadlines<Limit, 6> deadlines;
  Url::Origin origin;       // of the last request
  bool watched = false;     // for a disconnect, while a handler works
  bool reads_body = false;  // the handler waits for bytes of the request's body
  int reject_status = 0;    // set where a head made no request, or its handler took too long
  Instant handler_began;
  Instant body_wait_began;
  Duration body_waited;  // so far, for this request's body
};

// Keeps a few of them for the next connection that becomes active.
class ActiveStatePool {
 public:
  explicit ActiveStatePool(const ParserLimits& limits) : limits_(limits) {
    spare_.reserve(spare_max);  // releasing must not need memory
  }

  std::unique_ptr<ActiveState> acquire() {
    if (spare_.empty()) return std::make_unique<ActiveState>(limits_);
    std::unique_ptr<ActiveState> acquired = std::move(spare_.back());
    spare_.pop_back();
    return acquired;
  }
  void release(std::unique_ptr<ActiveState> state) {
    state->deadlines.stop();
    if (spare_.size() < spare_max) spare_.push_back(std::move(state));
  }

 private:
  static constexpr std::size_t spare_max = 16;  // of 16 KiB and the room that responses took

  ParserLimits limits_;
  std::vector<std::unique_ptr<ActiveState>> spare_;
};

}  // namespace escapement::http::detail
