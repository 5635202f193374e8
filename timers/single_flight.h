// SingleFlight: a cache in which one task loads a value and all others wait for it.
//
//     static SingleFlight<std::string> keys({.ttl = 10min});
//     std::string key = co_await keys.get("signing-key", [] { return fetch_key(); });
//
// It may be shared by the requests of a Worker's isolate, each of which has a reactor of its own: it holds
// plain values, and no request waits for another's I/O alone.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/core/event.h>
#include <escapement/timers/timeout.h>

namespace escapement {

// Each is finite by default.
class SingleFlightOptions {
 public:
  // The time for which a value counts, from when it was loaded. Zero: only those get it that waited for it.
  Duration ttl = 60s;
  // Values that are kept; beyond that the one that expires first is dropped. At least 1.
  std::size_t values_max = 1000;
  // The interval at which a task that waits looks for itself. In one reactor it is woken at once; the reactor
  // of another request is not, and hosts end a request that has nothing of its own to wait for.
  Duration poll = 20ms;
  // The time after which a load counts as abandoned, and another task loads: a host may drop a request
  // without a word. Longer than any load takes.
  Duration lease = 30s;
};

// `T` is copied to each task. All reactors that use it must be of one thread and one clock, as those of a
// module are. It must outlive the tasks.
template <class T>
class SingleFlight {
 public:
  // Makes a cache without values.
  explicit SingleFlight(SingleFlightOptions options = SingleFlightOptions()) : options_(options) {}
  SingleFlight(const SingleFlight&) = delete;

  // Yields the value of `key`: from the cache, or as `load()` gives it, which returns a Task<T>. It is called
  // by one task at a time, in that one's reactor. If it fails, the tasks that wait fail in the same way, and
  // nothing is kept. If its task is cancelled, another one that waits calls its own `load` instead.
  template <class F>
  Task<T> get(std::string key, F load) {
    Reactor& reactor = co_await this_reactor;
    for (;;) {
      const std::shared_ptr<Entry> entry = entry_of(key);
      const Instant now = reactor.precise_now();
      if (entry->value && now < entry->expires) co_return *entry->value;
      if (entry->leader != 0 && now < entry->lease_ends) {
        const std::uint64_t before = entry->loads;
        Result<> woken = co_await with_timeout(options_.poll, entry->settled.wait()).result();
        if (entry->loads != before) co_return *entry->value;
        if (entry->failure) co_return Error(*entry->failure);
        continue;
      }
      Result<T> loaded = co_await lead(reactor, key, entry, load).result();
      co_return co_await std::move(loaded);
    }
  }

  // Forgets the value of `key`. A load that is on its way is not kept.
  void forget(const std::string& key) { entries_.erase(key); }
  // Returns the number of values and loads.
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::optional<T> value;
    std::optional<Error> failure;  // of the load, for the tasks that wait
    Instant expires;
    std::uint64_t leader = 0;  // the number of the load that is on its way; 0: none
    std::uint64_t loads = 0;   // those that have succeeded
    Instant lease_ends;
    Event settled;
  };

  std::shared_ptr<Entry> entry_of(const std::string& key) {
    std::shared_ptr<Entry>& entry = entries_[key];
    if (!entry) entry = std::make_shared<Entry>();
    return entry;
  }

  template <class F>
  Task<T> lead(Reactor& reactor, std::string key, std::shared_ptr<Entry> entry, F& load) {
    const std::uint64_t own = ++last_leader_;
    entry->leader = own;
    entry->lease_ends = reactor.precise_now() + options_.lease;
    // Cancelled, or done: the next one may go.
    const Defer leave([this, &key, &entry, own] {
      if (entry->leader != own) return;
      entry->leader = 0;
      if (!entry->value) erase(key, entry);
      entry->settled.pulse();
    });
    Result<T> loaded = co_await load().result();
    if (entry->leader == own) settle(reactor, key, entry, loaded);
    co_return co_await std::move(loaded);
  }

  // The tasks that wait hold this entry; those that come later get another one if nothing is kept.
  void settle(Reactor& reactor, const std::string& key, const std::shared_ptr<Entry>& entry,
              const Result<T>& loaded) {
    if (loaded) {
      entry->value = *loaded;
      entry->expires = reactor.precise_now() + options_.ttl;
      ++entry->loads;
    } else {
      entry->failure = loaded.error();
    }
    if (!loaded || options_.ttl <= Duration()) erase(key, entry);
    if (entries_.size() > options_.values_max) drop_one();
  }

  void erase(const std::string& key, const std::shared_ptr<Entry>& entry) {
    const auto at = entries_.find(key);
    if (at != entries_.end() && at->second == entry) entries_.erase(at);
  }

  void drop_one() {
    auto first = entries_.end();
    for (auto at = entries_.begin(); at != entries_.end(); ++at) {
      if (!at->second->value || at->second->leader != 0) continue;
      if (first == entries_.end() || at->second->expires < first->second->expires) first = at;
    }
    if (first != entries_.end()) entries_.erase(first);
  }

  SingleFlightOptions options_;
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
  std::uint64_t last_leader_ = 0;
};

}  // namespace escapement
