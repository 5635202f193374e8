#include <escapement/wasm_glue/host_backend.h>

#include <algorithm>

namespace escapement {

Instant HostBackend::at(double now) {
  const Duration since = std::chrono::duration<double, std::milli>(now);
  latest_ = std::max(latest_, Instant() + since);
  told_ = true;
  return latest_;
}

Instant HostBackend::now() {
  if (!told_) at(host_.now());
  told_ = false;
  return latest_;
}

SystemTime HostBackend::system_now() {
  return SystemTime::from_unix_milliseconds(static_cast<std::int64_t>(host_.wall()));
}

std::uint64_t HostBackend::entropy() {
  constexpr double two_to_32 = 4294967296.0;
  const std::uint64_t high = static_cast<std::uint64_t>(host_.random() * two_to_32);
  return high << 32 | static_cast<std::uint64_t>(host_.random() * two_to_32);
}

double host_delay(Instant now, Instant deadline) {
  if (deadline == Instant::never()) return -1;
  constexpr double most = 2'147'483'647;
  const std::int64_t left = std::max<std::int64_t>(0, (deadline - now).count());
  return std::min(most, static_cast<double>(left) / 1'000'000);
}

}  // namespace escapement
