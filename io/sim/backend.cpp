#include <escapement/io/sim/backend.h>

#include <algorithm>

namespace escapement {

namespace {

// FNV-1a, 64 bits.
constexpr std::uint64_t fnv_start = 0xcbf29ce484222325;
constexpr std::uint64_t fnv_prime = 0x100000001b3;

std::uint64_t mix(std::uint64_t hash, std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) hash = (hash ^ ((number >> shift) & 0xff)) * fnv_prime;
  return hash;
}

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * fnv_prime;
  return hash;
}

}  // namespace

SimBackend::SimBackend(Seed seed, SimClock clock)
    : clock_(clock), now_(clock.start), entropy_(seed.value), trace_hash_(fnv_start) {}

// Destroys the events one by one, out of the map: an event may own a stream, whose destructor schedules its
// close.
SimBackend::~SimBackend() {
  while (!events_.empty()) events_.extract(events_.begin());
}

bool SimBackend::wait(Reactor&, Instant until) {
  const bool woken = woken_.exchange(false, std::memory_order_acquire);
  if (run_due_events() || woken || until <= now_) return true;
  const Instant next = std::min(until, next_event());
  if (next == Instant::never()) return false;
  move_to(next);
  run_due_events();
  return true;
}

SimBackend::EventId SimBackend::schedule(Instant at, Event event) {
  const EventId id(std::max(at, now_), ++scheduled_);
  events_.emplace(id, std::move(event));
  return id;
}

// Runs only events that were scheduled before this call: an event that schedules another one at once must not
// keep the reactor from running what it made ready. New events sort after the last one of now.
bool SimBackend::run_due_events() {
  const EventId last(now_, scheduled_);
  bool any = false;
  while (!events_.empty() && events_.begin()->first <= last) {
    const Event event = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    event();
    any = true;
  }
  return any;
}

void SimBackend::move_to(Instant at) {
  trace("advance", 0, static_cast<std::uint64_t>((at - now_).count()));
  now_ = at;
}

void SimBackend::freeze(Duration length) {
  if (length > Duration()) move_to(now_ + length);
}

void SimBackend::trace(std::string_view what, std::uint64_t subject, std::uint64_t amount) {
  trace_hash_ = mix(mix(mix(trace_hash_, what), subject), amount);
  if (hook_) hook_(SimTrace{now_, what, subject, amount});
}

}  // namespace escapement
