#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

Context::Context(Host& host)
    : backend_(host), wheel_(backend_.now()), reactor_(backend_, wheel_, *this), scope_(reactor_, nullptr) {}

double Context::step() {
  const Instant next = reactor_.step();
  if (scope_.empty()) return -2;
  // From this moment, not from the turn's: rounded up to whole milliseconds, the turn's own few microseconds
  // would make every timer a millisecond later.
  const bool later = next > reactor_.now() && next != Instant::never();
  return host_delay(later ? reactor_.precise_now() : reactor_.now(), next);
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
