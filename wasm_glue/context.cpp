#include <escapement/wasm_glue/context.h>

#include <escapement/core/detail/defer.h>
#include <escapement/timers/timeout.h>

namespace escapement::wasm {

namespace {

Task<> until_set(Event& event) { co_await event.wait(); }

}  // namespace

Context::Context(Host& host)
    : backend_(host), wheel_(backend_.now()), reactor_(backend_, wheel_, *this), scope_(reactor_, nullptr) {
  reactor_.on_unhandled_failure(report_failure);
}

void report_failure(const Error& error) {
  const std::string text = to_string(error);
  esc_host_failed(text.data(), text.size());
}

// What a turn wakes runs in the next one: several in a row, since each that the host is asked for costs a
// timer of its own. Bounded, so that the host's events come in between.
double Context::step() {
  constexpr int turns_max = 8;
  Instant next = reactor_.step();
  for (int turns = 1; turns < turns_max && next <= reactor_.now(); ++turns) next = reactor_.step();
  if (scope_.empty()) return -2;
  if (next == Instant::never() && waits_for_host_ == 0) return -3;
  // From this moment, not from the turn's: rounded up to whole milliseconds, the turn's own few microseconds
  // would make every timer a millisecond later.
  const bool later = next > reactor_.now() && next != Instant::never();
  return host_delay(later ? reactor_.precise_now() : reactor_.now(), next);
}

Task<> Context::wait_for_host(Event& reported, Duration limit, std::string_view what) {
  ++waits_for_host_;
  const Defer waited([this] { --waits_for_host_; });
  Result<> in_time = co_await with_timeout(limit, until_set(reported)).result();
  if (!in_time) co_await std::move(in_time).error().context(what);
}

int Context::add_fetch(FetchEvents& fetch) {
  fetches_.emplace(++last_fetch_, &fetch);
  return last_fetch_;
}

FetchEvents* Context::fetch(int id) {
  const auto at = fetches_.find(id);
  return at == fetches_.end() ? nullptr : at->second;
}

}  // namespace escapement::wasm
