#include <escapement/middleware/client/fault_injection.h>

#include <escapement/core/bytes.h>
#include <escapement/timers/sleep.h>

namespace escapement::http {

namespace {

bool is_share(double share) { return share >= 0 && share <= 1; }

// The faults of one call, drawn before it begins: each call draws as many numbers, so that one more fault
// does not change the others.
struct Faults {
  Faults(const FaultOptions& options, Random& random)
      : delayed(draw(options.delayed, random)),
        refused(draw(options.refused, random)),
        lost(draw(options.lost, random)),
        failed(draw(options.failed, random)),
        truncated(draw(options.truncated, random)),
        length(random.up_to(64 * KiB - 1)) {}

  static bool draw(double share, Random& random) {
    constexpr double numbers = 1ULL << 53;
    return static_cast<double>(random.next() >> 11) < share * numbers;
  }

  bool delayed;
  bool refused;
  bool lost;
  bool failed;
  bool truncated;
  std::uint64_t length;  // of a truncated body
};

// Yields up to so many bytes of a body, and then fails.
class TruncatedSource final : public BodySource {
 public:
  TruncatedSource(Body body, std::uint64_t most) : body_(std::move(body)), left_(most) {}

  Task<std::string> read() override {
    if (left_ == 0) co_return broken_off();
    std::string bytes = co_await body_.read();
    if (bytes.empty()) co_return broken_off();
    if (bytes.size() > left_) bytes.resize(static_cast<std::size_t>(left_));
    left_ -= bytes.size();
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }

 private:
  static Error broken_off() {
    return Error(Errc::reset, "the body breaks off, as FaultInjection was asked to let it");
  }

  Body body_;
  std::uint64_t left_;
};

}  // namespace

FaultInjection::FaultInjection(FaultOptions options)
    : options_(options), random_(std::make_shared<Random>(options.seed)) {
  ESC_CHECK(is_share(options_.delayed) && is_share(options_.refused) && is_share(options_.lost));
  ESC_CHECK(is_share(options_.failed) && is_share(options_.truncated));
  ESC_CHECK(options_.status >= 400 && options_.status <= 599);
}

Task<Response> FaultInjection::operator()(Request request, const Service& next) const {
  const Faults faults(options_, *random_);
  if (faults.delayed) co_await sleep(options_.delay);
  if (faults.refused) {
    co_return Error(Errc::unavailable, "refused, as FaultInjection was asked to").nothing_sent();
  }
  if (faults.failed) co_return Response(options_.status, "failed, as FaultInjection was asked to\n");
  Response response = co_await next(std::move(request));
  if (faults.lost)
    co_return Error(Errc::reset, "the response was lost, as FaultInjection was asked to lose it");
  if (faults.truncated) {
    Body whole = std::move(response.body);
    response.body = Body(std::make_unique<TruncatedSource>(std::move(whole), faults.length));
  }
  co_return std::move(response);
}

}  // namespace escapement::http
