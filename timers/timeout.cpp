#include <escapement/timers/timeout.h>

namespace escapement::detail {

std::string timeout_message(Duration limit) {
  std::int64_t count = limit.count();
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
  return "nothing within " + std::to_string(count) + unit;
}

}  // namespace escapement::detail
