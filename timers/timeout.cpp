#include <escapement/timers/timeout.h>

#include <escapement/core/detail/in_digits.h>

namespace escapement::detail {

std::string text_of(Duration length) {
  std::int64_t count = length.count();
  const char* unit = "ns";
  if (count % 1'000'000'000 == 0) {
    count /= 1'000'000'000;
    unit = "s";
  } else if (count % 1'000'000 == 0) {
    count /= 1'000'000;
    unit = "ms";
  } else if (count % 1'000 == 0) {
    count /= 1'000;
    unit = "us";
  }
  return in_digits(count) + unit;
}

Error timeout_error(LimitName name, Duration limit, Duration elapsed) {
  Error error(Errc::timed_out, std::string(name.missing) + " within " + text_of(limit));
  return std::move(error).ran_out(name.which, limit, elapsed);
}

}  // namespace escapement::detail
