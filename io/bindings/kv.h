// Kv: a key-value store that is read from everywhere and written seldom, with expiry (Workers KV).
//
//     co_await kv.put("session/17", text, KvPut(24h));
//     std::optional<KvEntry> entry = co_await kv.get("session/17");
//
// A Worker's is wasm_glue/host_kv.h; natively and in simulations it is MemoryKv (memory_kv.h).
//
// Source: https://developers.cloudflare.com/kv/api/

#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/system_time.h>
#include <escapement/core/task.h>

namespace escapement {

// A value as it is read.
class KvEntry {
 public:
  explicit KvEntry(std::string v, std::string m = {}) : value(std::move(v)), metadata(std::move(m)) {}
  std::string value;     // any bytes
  std::string metadata;  // JSON text, as it was put; empty: none
};

// The settings of a put.
class KvPut {
 public:
  explicit KvPut(Duration expiry = Duration::max(), std::string json = {})
      : expires_in(expiry), metadata(std::move(json)) {}
  // The time after which the key is gone: at least 60 s; Duration::max(): it stays.
  Duration expires_in;
  // JSON text, at most 1024 bytes; empty: none.
  std::string metadata;
};

// A key as it is listed.
class KvName {
 public:
  std::string name;                   // the key
  std::optional<SystemTime> expires;  // when it will be gone; whole seconds
  std::string metadata;               // JSON text; empty: none
};

// Some of the keys.
class KvPage {
 public:
  std::vector<KvName> names;  // in the order of their bytes
  std::string cursor;         // to list the next ones with; empty: there are none
};

// The part of the keys to list.
class KvList {
 public:
  explicit KvList(std::string p = {}, std::size_t l = 1000, std::string c = {})
      : prefix(std::move(p)), limit(l), cursor(std::move(c)) {}
  std::string prefix;  // that the keys begin with; empty: all
  std::size_t limit;   // 1 to 1000
  std::string cursor;  // of the page before; empty: from the first
};

// Reads are eventually consistent: a value that was put may be seen a minute later elsewhere, and two writers
// of one key overwrite each other.
//
// Operations fail with invalid_argument (an empty key, one of more than 512 bytes, "." or "..", an expiry
// under 60 s), limit_exceeded (a value of more than 25 MiB, metadata of more than 1024 bytes), unavailable
// (too many requests: try later) and reset. The store must outlive the tasks.
class Kv {
 public:
  static constexpr std::size_t key_bytes_max = 512;                 // of a key
  static constexpr std::size_t value_bytes_max = 25 * 1024 * 1024;  // of a value
  static constexpr std::size_t metadata_bytes_max = 1024;           // of metadata
  static constexpr Duration expiry_min = 60s;                       // the least `expires_in`

  virtual ~Kv() = default;

  // Returns the value of `key`; nullopt if there is none, or not any more.
  virtual Task<std::optional<KvEntry>> get(std::string key) = 0;
  // Sets the value of `key`, in place of the one before and of its expiry.
  virtual Task<> put(std::string key, std::string value, KvPut options = KvPut()) = 0;
  // Removes `key`, if it is there.
  virtual Task<> remove(std::string key) = 0;
  // Returns keys, without their values.
  virtual Task<KvPage> list(KvList range = KvList()) = 0;

 protected:
  // Checks the arguments, for implementations.
  static Result<> check_key(std::string_view key);
  static Result<> check_put(std::string_view key, std::string_view value, const KvPut& options);
  static Result<> check_list(const KvList& range);
};

}  // namespace escapement
