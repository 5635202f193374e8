#include <escapement/io/bindings/memory_storage.h>

#include <escapement/timers/sleep.h>

namespace escapement {

// The time that an operation takes before it takes place, and its faults.
Task<> MemoryStorage::before(Duration latency) {
  Reactor& reactor = co_await this_reactor;
  if (latency > Duration()) co_await sleep(latency);
  if (options_.goes_on && !options_.goes_on()) co_await sleep(Duration::max());
  if (reactor.random().one_in(options_.fail_one_in)) {
    co_await Error(Errc::unavailable, "the storage cannot be reached");
  }
}

Task<std::vector<std::optional<std::string>>> MemoryStorage::get_all(std::vector<std::string> keys) {
  ++disk_.reads;
  co_await before(options_.read_latency);
  std::vector<std::optional<std::string>> values;
  values.reserve(keys.size());
  for (const std::string& key : keys) {
    const auto at = disk_.entries.find(key);
    values.push_back(at == disk_.entries.end() ? std::nullopt : std::optional<std::string>(at->second));
  }
  co_return std::move(values);
}

Task<std::vector<StorageEntry>> MemoryStorage::list(StorageRange range) {
  ++disk_.reads;
  co_await before(options_.read_latency);
  std::vector<StorageEntry> found;
  const std::string& from = std::max(range.prefix, range.start);
  for (auto at = disk_.entries.lower_bound(from); at != disk_.entries.end(); ++at) {
    if (!at->first.starts_with(range.prefix)) break;
    if (!range.end.empty() && at->first >= range.end) break;
    if (found.size() == range.limit) break;
    found.emplace_back(at->first, at->second);
  }
  co_return std::move(found);
}

Task<std::optional<SystemTime>> MemoryStorage::alarm() {
  ++disk_.reads;
  co_await before(options_.read_latency);
  co_return disk_.alarm;
}

Task<> MemoryStorage::write(StorageChanges changes) {
  Reactor& reactor = co_await this_reactor;
  co_await changes.check();
  co_await before(options_.write_latency / 2);
  apply(changes);
  if (options_.goes_on && !options_.goes_on()) co_await sleep(Duration::max());
  if (options_.write_latency > Duration()) co_await sleep(options_.write_latency / 2);
  if (reactor.random().one_in(options_.fail_one_in)) {
    co_await Error(Errc::reset, "the storage did not say whether it has written");
  }
}

void MemoryStorage::apply(const StorageChanges& changes) {
  ++disk_.writes;
  for (const auto& [key, value] : changes.entries()) {
    if (value) {
      disk_.entries.insert_or_assign(key, *value);
    } else {
      disk_.entries.erase(key);
    }
  }
  if (!changes.alarm()) return;
  ++disk_.alarms;
  disk_.alarm = *changes.alarm();
  disk_.running_alarm.reset();
  disk_.alarm_changed.pulse();
}

}  // namespace escapement
