#include <escapement/middleware/limits/detail/timed_body.h>

#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

class TimedSource final : public BodySource {
 public:
  TimedSource(Body body, Duration limit, Instant began, TimeLimit which)
      : body_(std::move(body)), limit_(limit), began_(began), which_(which) {}

  Task<std::string> read() override {
    Reactor& reactor = co_await this_reactor;
    const bool each = began_ == Instant::never();
    const escapement::detail::LimitName name{which_, each ? "no bytes of the body" : "no end of the body"};
    const Duration elapsed = each ? Duration() : reactor.precise_now() - began_;
    // Bytes that are there would win against a limit that has passed.
    if (!each && elapsed >= limit_) co_return escapement::detail::timeout_error(name, limit_, elapsed);
    std::string bytes = co_await escapement::detail::within(limit_, name, body_.read(), began_);
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }
  Headers trailers() override { return body_.trailers(); }

 private:
  Body body_;
  Duration limit_;
  Instant began_;
  TimeLimit which_;
};

}  // namespace

Body timed_body(Body body, Duration limit, Instant began, TimeLimit which) {
  return Body(std::make_unique<TimedSource>(std::move(body), limit, began, which));
}

}  // namespace escapement::http::detail
