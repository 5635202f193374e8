// ObjectStore: objects of any size under names, with metadata (R2).
//
//     ObjectPut as_text;
//     as_text.content_type = "text/plain";
//     std::optional<ObjectInfo> put = co_await store.put("a/1", text, as_text);
//     std::optional<StoredObject> object = co_await store.get("a/1");
//     std::optional<StreamedObject> large = co_await store.open("b");  // read piece by piece, or passed on
//
// A Worker's is wasm_glue/host_object_store.h; natively and in simulations it is MemoryObjectStore
// (memory_object_store.h).
//
// Source: https://developers.cloudflare.com/r2/api/workers/workers-api-reference/

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/system_time.h>
#include <escapement/core/task.h>
#include <escapement/io/http/message.h>

namespace escapement {

// An object without its content.
class ObjectInfo {
 public:
  std::string key;                              // its name
  std::string etag;                             // of its content, without quotes
  std::uint64_t size = 0;                       // bytes
  SystemTime uploaded;                          // when it was put
  std::string content_type;                     // empty: none was given
  std::map<std::string, std::string> metadata;  // as it was put
};

// An object, or a part of its content.
class StoredObject {
 public:
  ObjectInfo info;      // `size` is that of the whole object
  std::string content;  // the bytes that were asked for
};

// An object, or a part of its content, that streams.
class StreamedObject {
 public:
  ObjectInfo info;  // `size` is that of the whole object
  http::Body body;  // the bytes that were asked for
};

// The settings of a put.
class ObjectPut {
 public:
  ObjectPut() {}
  std::string content_type;                     // empty: none
  std::map<std::string, std::string> metadata;  // at most 2048 bytes in all
  std::string only_if_etag;     // puts only in place of the object with this etag; empty: always
  bool only_if_absent = false;  // puts only if there is none
};

// The part of an object to get.
class ObjectRange {
 public:
  // All of it, or `length` bytes from `offset`.
  explicit ObjectRange(std::uint64_t from = 0, std::uint64_t bytes = UINT64_MAX)
      : offset(from), length(bytes) {}
  std::uint64_t offset;  // the first byte; behind the end: invalid_argument
  std::uint64_t length;  // at least 1
};

// Some of the objects.
class ObjectPage {
 public:
  std::vector<ObjectInfo> objects;  // in the order of their keys' bytes
  std::string cursor;               // to list the next ones with; empty: there are none
};

// Strongly consistent: a read sees every write that had finished when it was begun.
//
// Operations fail with invalid_argument (an empty key, one of more than 1024 bytes, a range that the object
// does not have), limit_exceeded (more than `content_bytes_max` in memory, too much metadata), unavailable
// and reset. The store must outlive the tasks; bodies live on.
class ObjectStore {
 public:
  static constexpr std::size_t key_bytes_max = 1024;                  // of a key
  static constexpr std::size_t metadata_bytes_max = 2048;             // names and values in all
  static constexpr std::size_t content_bytes_max = 32 * 1024 * 1024;  // kept in memory at once

  virtual ~ObjectStore() = default;

  // Returns the object, or a part of it; nullopt if there is none.
  Task<std::optional<StoredObject>> get(std::string key, ObjectRange range = ObjectRange());
  // The same as a stream, of any length.
  virtual Task<std::optional<StreamedObject>> open(std::string key, ObjectRange range = ObjectRange()) = 0;
  // Returns the object without its content; nullopt if there is none.
  virtual Task<std::optional<ObjectInfo>> head(std::string key) = 0;
  // Puts an object in place of the one of that name. Returns what it is now; nullopt if a condition of
  // `options` did not hold. Content that streams is sent as it comes, if it says its length; else it is
  // collected first. If the stream fails, so does the put, and nothing has changed.
  virtual Task<std::optional<ObjectInfo>> put(std::string key, http::Body content,
                                              ObjectPut options = ObjectPut()) = 0;
  // Removes the object, if it is there.
  virtual Task<> remove(std::string key) = 0;
  // Returns at most `limit` (1 to 1000) objects whose keys begin with `prefix`, behind the page that `cursor`
  // is of.
  virtual Task<ObjectPage> list(std::string prefix, std::size_t limit = 1000, std::string cursor = {}) = 0;

 protected:
  // Check the arguments, for implementations.
  static Result<> check_key(std::string_view key);
  static Result<> check_put(std::string_view key, const http::Body& content, const ObjectPut& options);
  static Result<> check_limit(std::size_t limit);
};

}  // namespace escapement
