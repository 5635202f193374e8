#include <escapement/middleware/limits/body_limit.h>

namespace escapement::http {

namespace {

class LimitedSource final : public BodySource {
 public:
  LimitedSource(Body body, std::uint64_t most, std::shared_ptr<bool> exceeded)
      : body_(std::move(body)), left_(most), exceeded_(std::move(exceeded)) {}

  Task<std::string> read() override {
    if (*exceeded_) co_return too_much();
    std::string bytes = co_await body_.read();
    if (bytes.size() > left_) {
      *exceeded_ = true;
      co_return too_much();
    }
    left_ -= bytes.size();
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }
  Headers trailers() override { return body_.trailers(); }

 private:
  static Error too_much() { return Error(Errc::limit_exceeded, "the request's body is too long"); }

  Body body_;
  std::uint64_t left_;
  std::shared_ptr<bool> exceeded_;
};

Response too_long() { return Response(413, Headers{{"Content-Type", "text/plain"}}, "body too long\n"); }

}  // namespace

Task<Response> BodyLimit::operator()(Request request, const Service& next) const {
  const std::optional<std::uint64_t> length = request.body.length();
  if (length && *length > bytes_max) co_return too_long();
  auto exceeded = std::make_shared<bool>(false);
  if (!length) {
    request.body = Body(std::make_unique<LimitedSource>(std::move(request.body), bytes_max, exceeded));
  }
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (!outcome && *exceeded) co_return too_long();
  co_return std::move(outcome);
}

}  // namespace escapement::http
