// CacheIndex: which responses a store has, and which of them go when there is no room.

#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <escapement/core/list.h>
#include <escapement/middleware/cache/cache_store.h>

namespace escapement::http::detail {

// Keeps the most recently used responses. A `Content` is what the store needs to find a body again.
template <class Content>
class CacheIndex {
 public:
  class Entry {
   public:
    Entry(std::string k, std::shared_ptr<const StoredHead> h, std::uint64_t body_size, Content c)
        : key(std::move(k)), head(std::move(h)), body_bytes(body_size), content(std::move(c)) {}
    std::string key;
    std::shared_ptr<const StoredHead> head;
    std::uint64_t body_bytes;
    Content content;
  };

  // A response that is being written. If all of its key is dropped meanwhile, it is not added: the drop was
  // for what the key had become, and this is older. Ends before the index.
  class Pending : public ListNode {
   public:
    Pending(CacheIndex& index, std::string k) : key(std::move(k)) { index.pending_.push_back(*this); }
    Pending(const Pending&) = delete;
    std::string key;
    bool dropped = false;
  };

  // `gone` is called for each entry that is dropped or replaced.
  CacheIndex(CacheStoreLimits limits, std::function<void(Entry&)> gone)
      : limits_(limits), gone_(std::move(gone)) {
    limits_.entries_max = std::max<std::size_t>(1, limits_.entries_max);
    limits_.variants_max = std::max<std::size_t>(1, limits_.variants_max);
  }

  const CacheStoreLimits& limits() const { return limits_; }
  std::size_t size() const { return by_use_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t next_id() { return ++last_id_; }

  CacheStore::Found find(const std::string& key) const {
    CacheStore::Found found;
    const auto at = by_key_.find(key);
    if (at == by_key_.end()) return found;
    for (const auto& entry : at->second) found.push_back(entry->head);
    return found;
  }

  // Returns an entry, which counts as used; null if there is none. Valid until the next change.
  Entry* use(const std::string& key, std::uint64_t id) {
    Place* const place = look(key, id);
    if (place == nullptr) return nullptr;
    by_use_.splice(by_use_.begin(), by_use_, *place);
    return &**place;
  }

  // Adds what was written, unless it was dropped meanwhile. Else as the other `add`.
  bool add(Entry entry, const Pending& written) { return !written.dropped && add(std::move(entry)); }
  // Adds an entry, in place of one with the same key and `varying`. Returns false if it is too large, or if
  // that one has the greater id: its response came later.
  bool add(Entry entry) {
    last_id_ = std::max(last_id_, entry.head->id);
    const std::uint64_t size = cost(entry);
    if (size > limits_.bytes_max || entry.body_bytes > limits_.entry_bytes_max) return false;
    if (is_outdated(entry)) return false;
    remove_equal(entry);
    while (by_use_.size() >= limits_.entries_max || bytes_ + size > limits_.bytes_max) {
      drop(std::prev(by_use_.end()));
    }
    bytes_ += size;
    by_use_.push_front(std::move(entry));
    by_key_[by_use_.front().key].push_back(by_use_.begin());
    return true;
  }

  // Returns the changed entry, or null if it is gone.
  Entry* freshen(const std::string& key, StoredHead head) {
    Entry* const entry = use(key, head.id);
    if (entry == nullptr) return nullptr;
    bytes_ -= cost(*entry);
    entry->head = std::make_shared<const StoredHead>(std::move(head));
    bytes_ += cost(*entry);
    while (bytes_ > limits_.bytes_max && by_use_.size() > 1) drop(std::prev(by_use_.end()));
    return entry;
  }

  void remove(const std::string& key, std::uint64_t id) {
    for (Pending& written : pending_) written.dropped |= id == 0 && written.key == key;
    const auto at = by_key_.find(key);
    if (at == by_key_.end()) return;
    const std::vector<Place> places = at->second;
    for (const Place& place : places) {
      if (id == 0 || place->head->id == id) drop(place);
    }
  }

 private:
  using Place = typename std::list<Entry>::iterator;

  // Returns the bytes that an entry counts for: its texts, and the objects around them.
  static std::uint64_t cost(const Entry& entry) {
    std::uint64_t size = 500 + entry.key.size() + entry.body_bytes;
    entry.head->headers.each(
        [&size](std::string_view name, std::string_view value) { size += name.size() + value.size() + 64; });
    for (const auto& [name, value] : entry.head->varying)
      size += 64 + name.size() + (value ? value->size() : 0);
    return size;
  }

  Place* look(const std::string& key, std::uint64_t id) {
    const auto at = by_key_.find(key);
    if (at == by_key_.end()) return nullptr;
    for (Place& place : at->second) {
      if (place->head->id == id) return &place;
    }
    return nullptr;
  }

  bool is_outdated(const Entry& entry) const {
    const auto at = by_key_.find(entry.key);
    if (at == by_key_.end()) return false;
    return std::any_of(at->second.begin(), at->second.end(), [&entry](const Place& place) {
      return place->head->id > entry.head->id && place->head->varying == entry.head->varying;
    });
  }

  void remove_equal(const Entry& entry) {
    const auto at = by_key_.find(entry.key);
    if (at == by_key_.end()) return;
    const std::vector<Place> places = at->second;
    std::size_t left = places.size();
    for (const Place& place : places) {
      const bool too_many = left >= limits_.variants_max;
      if (!too_many && place->head->varying != entry.head->varying) continue;
      drop(place);
      --left;
    }
  }

  void drop(Place place) {
    bytes_ -= cost(*place);
    const auto at = by_key_.find(place->key);
    std::erase(at->second, place);
    if (at->second.empty()) by_key_.erase(at);
    if (gone_) gone_(*place);
    by_use_.erase(place);
  }

  CacheStoreLimits limits_;
  std::function<void(Entry&)> gone_;
  std::list<Entry> by_use_;  // the most recently used first
  std::unordered_map<std::string, std::vector<Place>> by_key_;
  std::uint64_t bytes_ = 0;
  std::uint64_t last_id_ = 0;
  List<Pending> pending_;
};

}  // namespace escapement::http::detail
