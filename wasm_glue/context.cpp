#include <escapement/wasm_glue/context.h>

#include <algorithm>

#include <escapement/core/detail/defer.h>

namespace escapement::wasm {

namespace {

Task<> until_set(Event& event) { co_await event.wait(); }

}  // namespace

Context::Context(Host& host, double now)
    : backend_(host), wheel_(backend_.at(now)), reactor_(backend_, wheel_, *this), scope_(reactor_, nullptr) {
  reactor_.report_unhandled_to([](Reactor&, const Error& error) noexcept { report_failure(error); });
}

void report_failure(const Error& error) noexcept {
  const std::string text = to_string(error);
  esc_host_failed(text.data(), text.size());
}

// Takes several turns in a row, because each turn that the host is asked for costs one of its timers. Their
// number is bounded, so that the host's events come in between.
double Context::step(double now) {
  backend_.at(now);
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

Task<> Context::wait_for_host(Event& reported, Duration limit, escapement::detail::LimitName name) {
  ++waits_for_host_;
  const Defer waited([this] { --waits_for_host_; });
  co_await escapement::detail::within(limit, name, until_set(reported));
}

int Context::add(HostReply& reply) {
  replies_.push_back({++last_id_, &reply});
  return last_id_;
}

std::vector<Context::Numbered>::iterator Context::place_of(int id) {
  const auto at = std::ranges::lower_bound(replies_, id, {}, &Numbered::id);
  return at != replies_.end() && at->id == id ? at : replies_.end();
}

void Context::remove(int id) {
  const auto at = place_of(id);
  if (at != replies_.end()) replies_.erase(at);
}

HostReply* Context::find(int id) {
  const auto at = place_of(id);
  return at == replies_.end() ? nullptr : at->reply;
}

}  // namespace escapement::wasm
