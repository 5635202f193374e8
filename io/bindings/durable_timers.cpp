#include <escapement/io/bindings/durable_timers.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/for_each.h>
#include <escapement/timers/timeout.h>

namespace escapement {

namespace {

constexpr std::size_t hex_digits = 16;

std::string hex(std::uint64_t number) {
  std::string text(hex_digits, '0');
  for (std::size_t i = hex_digits; i-- > 0; number >>= 4) text[i] = "0123456789abcdef"[number & 15];
  return text;
}

std::string hex(SystemTime at) { return hex(static_cast<std::uint64_t>(at.unix_milliseconds())); }

std::optional<SystemTime> parse_hex(std::string_view text) {
  const std::optional<std::uint64_t> number = parse_number<std::uint64_t>(text, 16);
  if (!number || text.size() != hex_digits || *number > INT64_MAX) return std::nullopt;
  return SystemTime::from_unix_milliseconds(static_cast<std::int64_t>(*number));
}

void keep_earlier(std::optional<SystemTime>& kept, SystemTime at) {
  if (!kept || at < *kept) kept = at;
}

}  // namespace

// Where a timer stands in the order of the times, and which setting of its name that is.
struct DurableTimers::Place {
  SystemTime at;  // of the next call: due, or later after a failure
  std::string generation;

  std::string text() const { return hex(at) + generation; }
  static std::optional<Place> parse(std::string_view text) {
    if (text.size() != 2 * hex_digits) return std::nullopt;
    const std::optional<SystemTime> at = parse_hex(text.substr(0, hex_digits));
    if (!at) return std::nullopt;
    return Place{*at, std::string(text.substr(hex_digits))};
  }
};

// A timer that is due, as it stands in the storage: "GENERATION DUE ATTEMPT\nPAYLOAD".
struct DurableTimers::Due {
  Place place;
  DurableTimer timer;
  bool outdated = false;  // its name has another place, or none
  bool touched = false;   // set or cancelled since it was read
  bool failed = false;    // its handler has

  std::string value() const { return value(place, timer.due, timer.attempt, timer.payload); }
  static std::string value(const Place& place, SystemTime due, int attempt, const std::string& payload) {
    return place.generation + hex(due) + std::to_string(attempt) + '\n' + payload;
  }
  // `rest` is the key behind the prefix: "TIME/NAME".
  static std::optional<Due> parse(std::string_view rest, std::string_view value) {
    const std::optional<SystemTime> at = parse_hex(rest.substr(0, hex_digits));
    const std::size_t line = value.find('\n');
    if (!at || rest.size() < hex_digits + 2 || line == value.npos || line < 2 * hex_digits)
      return std::nullopt;
    const std::optional<SystemTime> due = parse_hex(value.substr(hex_digits, hex_digits));
    const std::optional<int> attempt = parse_number<int>(value.substr(2 * hex_digits, line - 2 * hex_digits));
    if (!due || !attempt) return std::nullopt;
    Due parsed;
    parsed.place = Place{*at, std::string(value.substr(0, hex_digits))};
    parsed.timer.name = rest.substr(hex_digits + 1);
    parsed.timer.payload = value.substr(line + 1);
    parsed.timer.due = *due;
    parsed.timer.idempotency_key = parsed.timer.name + '/' + parsed.place.generation;
    parsed.timer.attempt = *attempt;
    return parsed;
  }
};

struct DurableTimers::Batch {
  std::vector<Due> due;
  std::optional<SystemTime> next;  // of the first timer behind them
};

// The changes of one turn.
struct DurableTimers::Commit {
  StorageChanges changes;
  std::map<std::string, std::optional<Place>> places;  // of the timers that it changes
  std::optional<Error> failure;
  Event done;
};

DurableTimers::DurableTimers(Reactor& reactor, DurableStorage& storage, DurableTimerHandler handler,
                             DurableTimersOptions options)
    : reactor_(reactor),
      storage_(storage),
      handler_(std::move(handler)),
      options_(std::move(options)),
      writer_(reactor, nullptr) {}

DurableTimers::~DurableTimers() = default;

std::string DurableTimers::time_key(const Place& place, const std::string& name) const {
  return options_.prefix + "t/" + hex(place.at) + '/' + name;
}

std::string DurableTimers::name_key(const std::string& name) const { return options_.prefix + "n/" + name; }

Task<> DurableTimers::set(std::string name, SystemTime due, std::string payload) {
  if (name.empty() || name.size() > options_.name_bytes_max) {
    co_await Error(Errc::invalid_argument,
                   "a durable timer's name of " + std::to_string(name.size()) + " bytes");
  }
  if (payload.size() > options_.payload_bytes_max) {
    co_await Error(Errc::limit_exceeded, "the payload of durable timer " + name + " has " +
                                             std::to_string(payload.size()) + " bytes");
  }
  Place place{std::max(due, SystemTime()), hex(reactor_.random().next())};
  std::string value = Due::value(place, place.at, 1, payload);
  std::optional<Place> old;
  do {
    co_await load();
    std::optional<Place> found = co_await find(name);
    old = std::move(found);
  } while (!loaded_);
  want_alarm(place.at);
  std::shared_ptr<Commit> commit = staged(name, old, place, std::move(value));
  co_await durable(std::move(commit));
}

// The wall clock has cut off a fraction of a millisecond, which is added.
Task<> DurableTimers::set_after(std::string name, Duration delay, std::string payload) {
  constexpr Duration rounded_up = Duration(1ms) + Duration::nanoseconds(999'999);
  return set(std::move(name), reactor_.backend().system_now() + (std::max(delay, Duration()) + rounded_up),
             std::move(payload));
}

Task<bool> DurableTimers::cancel(std::string name) {
  std::optional<Place> old = co_await find(name);
  if (!old) co_return false;
  std::shared_ptr<Commit> commit = staged(name, old, std::nullopt, {});
  co_await durable(std::move(commit));
  co_return true;
}

Task<std::optional<SystemTime>> DurableTimers::due(std::string name) {
  std::optional<Place> place = co_await find(std::move(name));
  if (!place) co_return std::nullopt;
  co_return place->at;
}

// Reads the alarm, and repairs it if it was lost. What has changed it meanwhile knows better.
Task<> DurableTimers::load() {
  while (!loaded_) {
    Mutex::Guard alone = co_await loading_.lock();
    if (loaded_) co_return;
    const std::uint64_t version = alarm_version_;
    std::vector<StorageEntry> first = co_await storage_.list(StorageRange(options_.prefix + "t/", 1));
    std::optional<SystemTime> alarm = co_await storage_.alarm();
    if (version != alarm_version_) continue;
    loaded_ = true;
    alarm_ = alarm;
    if (first.empty() || firing_) continue;
    const std::string_view time =
        std::string_view(first[0].key).substr(options_.prefix.size() + 2, hex_digits);
    const SystemTime now = reactor_.backend().system_now();
    const SystemTime due = std::max(parse_hex(time).value_or(now), now);
    // One that is overdue may be one that the host has lost: set anew, to another time, it comes.
    if (alarm_ && *alarm_ < now && due == now) alarm_.reset();
    want_alarm(due);
  }
}

// Returns where the changes that are not written yet put a timer; null if they do not concern it.
const std::optional<DurableTimers::Place>* DurableTimers::unwritten(const std::string& name) const {
  for (const Commit* commit : {open_.get(), writing_.get()}) {
    if (commit == nullptr) continue;
    const auto at = commit->places.find(name);
    if (at != commit->places.end()) return &at->second;
  }
  return nullptr;
}

Task<std::optional<DurableTimers::Place>> DurableTimers::find(std::string name) {
  if (const std::optional<Place>* place = unwritten(name)) co_return *place;
  std::optional<std::string> value = co_await storage_.get(name_key(name));
  if (const std::optional<Place>* place = unwritten(name)) co_return *place;
  if (!value) co_return std::nullopt;
  co_return Place::parse(*value);
}

// Adds a change of one timer to those of this turn. (An entry that `old` does not know of, because it was
// written while that was read, is outdated: its name leads elsewhere. It is dropped when its time comes.)
std::shared_ptr<DurableTimers::Commit> DurableTimers::staged(const std::string& name,
                                                             const std::optional<Place>& old,
                                                             const std::optional<Place>& next,
                                                             std::string value) {
  Commit& commit = open_commit();
  const auto firing = in_flight_.find(name);
  if (firing != in_flight_.end()) firing->second->touched = true;
  if (old) commit.changes.remove(time_key(*old, name));
  if (next) {
    commit.changes.put(time_key(*next, name), std::move(value)).put(name_key(name), next->text());
  } else {
    commit.changes.remove(name_key(name));
  }
  commit.places.insert_or_assign(name, next);
  return open_;
}

DurableTimers::Commit& DurableTimers::open_commit() {
  if (!open_) open_ = std::make_shared<Commit>();
  if (!std::exchange(writer_runs_, true)) writer_.spawn(write_commits());
  return *open_;
}

Task<> DurableTimers::durable(std::shared_ptr<Commit> commit) {
  co_await commit->done.wait();
  if (commit->failure) co_await Error(*commit->failure);
}

// Writes the changes of each turn, one write after the other.
Task<> DurableTimers::write_commits() {
  while (open_) {
    co_await yield();  // to the rest of the turn, whose changes join
    writing_ = std::exchange(open_, nullptr);
    Result<> written = co_await storage_.write(std::move(writing_->changes)).result();
    const std::shared_ptr<Commit> commit = std::exchange(writing_, nullptr);
    if (!written) {
      commit->failure = std::move(written).error();
      alarm_unsure_ = true;
      if (open_ && alarm_ && !firing_) want_alarm(*alarm_);
    }
    commit->done.set();
  }
  writer_runs_ = false;
}

// Makes sure that the alarm is no later than `at`. The alarm handler does so at its end.
void DurableTimers::want_alarm(SystemTime at) {
  if (firing_) return keep_earlier(set_meanwhile_, at);
  if (alarm_ && *alarm_ <= at && !alarm_unsure_) return;
  keep_earlier(alarm_, at);
  set_alarm();
}

void DurableTimers::set_alarm() {
  open_commit().changes.set_alarm(*alarm_);
  alarm_unsure_ = false;
  ++alarm_version_;
}

Task<> DurableTimers::alarm() {
  Mutex::Guard alone = co_await one_alarm_.lock();
  Result<> fired = co_await fire_all().result();
  if (fired) co_return;
  loaded_ = false;
  ++alarm_version_;
  // Asks for another call by itself: the host gives up after a few failures.
  StorageChanges again;
  again.set_alarm(reactor_.backend().system_now() + options_.retry_min);
  Result<> rescued = co_await storage_.write(std::move(again)).result();
  if (!rescued) co_await std::move(fired);
}

Task<> DurableTimers::fire_all() {
  firing_ = true;
  set_meanwhile_.reset();
  ++alarm_version_;
  loaded_ = false;
  const Defer end([this] {
    firing_ = false;
    in_flight_.clear();
  });
  // So that the lists below have what was set before.
  if (std::shared_ptr<Commit> before = last_commit()) co_await before->done.wait();
  std::optional<SystemTime> next;
  for (;;) {
    const SystemTime now = reactor_.backend().system_now();
    Batch batch = co_await next_batch(now);
    if (!batch.due.empty()) co_await fire_batch(batch);
    next = batch.next;
    if (!next || *next > now) break;
    if (std::shared_ptr<Commit> commit = last_commit()) co_await durable(std::move(commit));
  }
  firing_ = false;
  loaded_ = true;
  if (next) keep_earlier(set_meanwhile_, *next);
  alarm_ = set_meanwhile_;
  ++alarm_version_;
  if (alarm_) set_alarm();
  if (std::shared_ptr<Commit> commit = last_commit()) co_await durable(std::move(commit));
}

// Reads the timers that are due, in their order, and the time of the next one.
Task<DurableTimers::Batch> DurableTimers::next_batch(SystemTime now) {
  StorageRange range(options_.prefix + "t/", options_.batch_max + 1);
  const std::size_t prefix = range.prefix.size();
  std::vector<StorageEntry> entries = co_await storage_.list(std::move(range));
  Batch batch;
  for (StorageEntry& entry : entries) {
    std::optional<Due> due = Due::parse(std::string_view(entry.key).substr(prefix), entry.value);
    if (!due) {
      reactor_.report_unhandled(
          Error(Errc::bad_message, "durable timers: not an entry of ours: " + entry.key));
      open_commit().changes.remove(std::move(entry.key));
      continue;
    }
    if (due->place.at > now || batch.due.size() == options_.batch_max) {
      batch.next = due->place.at;
      break;
    }
    batch.due.push_back(*std::move(due));
  }
  co_return std::move(batch);
}

Task<> DurableTimers::fire_batch(Batch& batch) {
  std::vector<std::string> keys;
  for (Due& due : batch.due) {
    in_flight_.insert_or_assign(due.timer.name, &due);
    keys.push_back(name_key(due.timer.name));
    due.touched = unwritten(due.timer.name) != nullptr;
  }
  std::vector<std::optional<std::string>> places = co_await storage_.get_all(std::move(keys));
  for (std::size_t i = 0; i < places.size(); ++i) {
    Due& due = batch.due[i];
    due.outdated = places[i] != due.place.text();
    // The same entry, overwritten since it was read: the next batch has the new one.
    const std::optional<Place> other = places[i] ? Place::parse(*places[i]) : std::nullopt;
    if (due.outdated && other && other->at == due.place.at) due.touched = true;
  }
  co_await for_each(batch.due, options_.concurrency, [this](Due& due) -> Task<> { return fire(due); });
  for (Due& due : batch.due) settle(due);
  in_flight_.clear();
}

Task<> DurableTimers::fire(Due& due) {
  if (due.outdated || due.touched) co_return;
  Result<> outcome = co_await with_timeout(options_.handler_timeout, handler_(due.timer)).result();
  due.failed = !outcome;
}

// Adds what has become of a timer to the changes of this turn.
void DurableTimers::settle(Due& due) {
  if (due.touched) return;
  const std::string& name = due.timer.name;
  StorageChanges& changes = open_commit().changes;
  changes.remove(time_key(due.place, name));
  if (due.outdated) return;
  if (!due.failed) {
    changes.remove(name_key(name));
    open_->places.insert_or_assign(name, std::nullopt);
    return;
  }
  const int doublings = std::min(due.timer.attempt - 1, 40);
  const Duration wait = std::min(options_.retry_min * (std::int64_t{1} << doublings), options_.retry_max);
  due.place.at = reactor_.backend().system_now() + (wait + 1ms);
  ++due.timer.attempt;
  changes.put(time_key(due.place, name), due.value()).put(name_key(name), due.place.text());
  open_->places.insert_or_assign(name, due.place);
  keep_earlier(set_meanwhile_, due.place.at);
}

}  // namespace escapement
