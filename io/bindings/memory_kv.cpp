#include <escapement/io/bindings/memory_kv.h>

#include <algorithm>

#include <escapement/io/bindings/detail/simulated_call.h>

namespace escapement {

// Returns the time at which an operation takes place.
Task<SystemTime> MemoryKv::begin() {
  co_await detail::simulated_call(options_.latency, options_.fail_one_in, "KV: too many requests");
  Reactor& reactor = co_await this_reactor;
  co_return reactor.backend().system_now();
}

// Returns what is seen of a key; null: nothing. Drops what is not seen any more.
const MemoryKv::Version* MemoryKv::seen(std::vector<Version>& versions, SystemTime now) {
  std::size_t next = 0;
  while (next < versions.size() && versions[next].seen_from <= now) ++next;
  if (next == 0) return nullptr;
  versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(next - 1));
  const Version& newest = versions.front();
  if (!newest.entry || (newest.expires && *newest.expires <= now)) return nullptr;
  return &newest;
}

void MemoryKv::add(std::string key, Version version) { keys_[std::move(key)].push_back(std::move(version)); }

Task<std::optional<KvEntry>> MemoryKv::get(std::string key) {
  co_await check_key(key);
  const SystemTime now = co_await begin();
  const auto at = keys_.find(key);
  if (at == keys_.end()) co_return std::nullopt;
  const Version* version = seen(at->second, now);
  if (version == nullptr) co_return std::nullopt;
  co_return *version->entry;
}

// KV counts expiry in whole seconds, rounded up here: never early.
Task<> MemoryKv::put(std::string key, std::string value, KvPut options) {
  co_await check_put(key, value, options);
  const SystemTime now = co_await begin();
  Version version;
  version.seen_from = now + options_.propagation;
  version.entry.emplace(std::move(value), std::move(options.metadata));
  if (options.expires_in != Duration::max()) {
    const std::int64_t ends = (now + options.expires_in).unix_milliseconds();
    version.expires = SystemTime::from_unix_milliseconds((ends / 1000 + (ends % 1000 != 0 ? 1 : 0)) * 1000);
  }
  add(std::move(key), std::move(version));
}

Task<> MemoryKv::remove(std::string key) {
  co_await check_key(key);
  const SystemTime now = co_await begin();
  Version version;
  version.seen_from = now + options_.propagation;
  add(std::move(key), std::move(version));
}

Task<KvPage> MemoryKv::list(KvList range) {
  co_await check_list(range);
  const SystemTime now = co_await begin();
  KvPage page;
  auto at = range.cursor.empty() ? keys_.lower_bound(range.prefix) : keys_.upper_bound(range.cursor);
  for (; at != keys_.end() && at->first.starts_with(range.prefix); ++at) {
    const Version* version = seen(at->second, now);
    if (version == nullptr) continue;
    if (page.names.size() == range.limit) {
      page.cursor = page.names.back().name;
      break;
    }
    page.names.push_back(KvName{at->first, version->expires, version->entry->metadata});
  }
  co_return std::move(page);
}

}  // namespace escapement
