// DurableStorage: the storage of one Durable Object: entries in the order of their keys, and one alarm.
//
//     std::optional<std::string> count = co_await storage.get("count");
//     StorageChanges changes;
//     changes.put("count", next(count)).remove("old").set_alarm(now + 1h);
//     co_await storage.write(std::move(changes));
//
// A Worker's is wasm_glue/host_storage.h; natively and in simulations it is MemoryStorage (memory_storage.h).
// DurableTimers (durable_timers.h) keeps any number of timers in it.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/core/mutex.h>
#include <escapement/core/system_time.h>
#include <escapement/core/task.h>

namespace escapement {

// One entry of a storage.
class StorageEntry {
 public:
  StorageEntry(std::string k, std::string v) : key(std::move(k)), value(std::move(v)) {}
  bool operator==(const StorageEntry&) const = default;

  std::string key;    // 1 to 2048 bytes of UTF-8, ordered by them
  std::string value;  // at most 128 KiB, any bytes
};

// The entries that `list` returns.
class StorageRange {
 public:
  // All entries whose keys begin with `p`, at most `l` of them.
  explicit StorageRange(std::string p, std::size_t l = 1000) : prefix(std::move(p)), limit(l) {}

  std::string prefix;      // empty: every key
  std::string start = {};  // the first key, inclusive; empty: from the first
  std::string end = {};    // the last key, exclusive; empty: to the last
  std::size_t limit;       // at least 1
};

// Changes that a storage applies all together, or not at all.
class StorageChanges {
 public:
  static constexpr std::size_t key_bytes_max = 2048;          // of a key
  static constexpr std::size_t value_bytes_max = 128 * 1024;  // of a value

  // Sets the value of `key`. A later change of the same key replaces it.
  StorageChanges& put(std::string key, std::string value) {
    entries_.insert_or_assign(std::move(key), std::optional<std::string>(std::move(value)));
    return *this;
  }
  // Removes `key`, if it is there.
  StorageChanges& remove(std::string key) {
    entries_.insert_or_assign(std::move(key), std::nullopt);
    return *this;
  }
  // Sets the alarm: at `at` or soon afterwards the object's alarm handler is called. There is one; this
  // replaces it. A time that has passed is due at once.
  StorageChanges& set_alarm(SystemTime at) {
    alarm_.emplace(at);
    return *this;
  }
  // Removes the alarm, if there is one.
  StorageChanges& remove_alarm() {
    alarm_.emplace(std::nullopt);
    return *this;
  }

  // Returns whether nothing changes.
  bool empty() const { return entries_.empty() && !alarm_; }
  // Returns the changed keys, each with its new value, or nullopt if it is removed.
  const std::map<std::string, std::optional<std::string>>& entries() const { return entries_; }
  // Returns nullopt if the alarm stays as it is; else the new one, or nullopt inside if it is removed.
  const std::optional<std::optional<SystemTime>>& alarm() const { return alarm_; }

  // Checks the keys and values, for implementations. Fails with invalid_argument for a key that is empty or
  // too long, with limit_exceeded for a value that is too long.
  Result<> check() const;

 private:
  std::map<std::string, std::optional<std::string>> entries_;
  std::optional<std::optional<SystemTime>> alarm_;
};

// A storage that only one object uses, from one reactor. A read sees every write that had finished when it
// was begun.
//
// Every operation fails with `unavailable` if the storage cannot be reached, or `reset` if it is not known
// whether a write took place; with invalid_argument or limit_exceeded for what StorageChanges::check refuses.
// Cancelling a write that has begun does not undo it. The storage must outlive the tasks.
class DurableStorage {
 public:
  virtual ~DurableStorage() = default;

  // Returns the value of `key`; nullopt if there is none.
  Task<std::optional<std::string>> get(std::string key);
  // Returns the values of `keys`, in their order; nullopt where there is none.
  virtual Task<std::vector<std::optional<std::string>>> get_all(std::vector<std::string> keys) = 0;
  // Returns the entries of `range`, in the order of their keys.
  virtual Task<std::vector<StorageEntry>> list(StorageRange range) = 0;
  // Applies `changes` atomically, and finishes when they are durable.
  virtual Task<> write(StorageChanges changes) = 0;
  // Returns the time of the alarm; nullopt if none is set. While the alarm handler runs, the alarm that it is
  // called for does not count.
  virtual Task<std::optional<SystemTime>> alarm() = 0;

  // Calls `function(transaction)`, a coroutine that reads and changes, and writes its changes when it has
  // finished without a failure. No other transaction runs meanwhile; `write` by others is not held back.
  //
  //     co_await storage.transaction([](StorageTransaction& both) -> Task<> {
  //       std::optional<std::string> balance = co_await both.get("balance");
  //       both.changes().put("balance", less(balance));
  //     });
  template <class F>
  Task<> transaction(F function);

 private:
  Mutex transactions_;
};

// A transaction's view: the storage with the changes so far.
class StorageTransaction {
 public:
  // Begins one; made by DurableStorage::transaction.
  explicit StorageTransaction(DurableStorage& storage) : storage_(storage) {}

  // As DurableStorage::get, with the changes of this transaction.
  Task<std::optional<std::string>> get(std::string key);
  // Returns the changes so far, to add more.
  StorageChanges& changes() { return changes_; }

 private:
  DurableStorage& storage_;
  StorageChanges changes_;
};

template <class F>
Task<> DurableStorage::transaction(F function) {
  Mutex::Guard alone = co_await transactions_.lock();
  StorageTransaction transaction(*this);
  co_await function(transaction);
  if (!transaction.changes().empty()) co_await write(std::move(transaction.changes()));
}

}  // namespace escapement
