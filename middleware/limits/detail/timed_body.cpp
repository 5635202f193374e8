#include <escapement/middleware/limits/detail/timed_body.h>

#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

class TimedSource final : public BodySource {
 public:
  TimedSource(Body body, Duration limit, Instant began)
      : body_(std::move(body)), limit_(limit), began_(began) {}

  Task<std::string> read() override {
    const bool each = began_ == Instant::never();
    return escapement::detail::within(limit_,
                                      {TimeLimit::body, each ? "no bytes of the body" : "no end of the body"},
                                      body_.read(), began_);
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }
  Headers trailers() override { return body_.trailers(); }

 private:
  Body body_;
  Duration limit_;
  Instant began_;
};

}  // namespace

Body timed_body(Body body, Duration limit, Instant began) {
  return Body(std::make_unique<TimedSource>(std::move(body), limit, began));
}

}  // namespace escapement::http::detail
