#include <escapement/io/bindings/memory_object_store.h>

#include <algorithm>

#include <escapement/io/bindings/detail/simulated_call.h>

namespace escapement {

Task<> MemoryObjectStore::begin() {
  return detail::simulated_call(options_.latency, options_.fail_one_in, "the object store cannot be reached");
}

Task<std::optional<StreamedObject>> MemoryObjectStore::open(std::string key, ObjectRange range) {
  co_await check_key(key);
  co_await begin();
  const auto at = objects_.find(key);
  if (at == objects_.end()) co_return std::nullopt;
  const std::string& content = at->second.content;
  if (range.length == 0 || (range.offset != 0 && range.offset >= content.size())) {
    co_return Error(Errc::invalid_argument, "object " + key + " has no such range");
  }
  StreamedObject object;
  object.info = at->second.info;
  const std::uint64_t count = std::min<std::uint64_t>(range.length, content.size() - range.offset);
  object.body = http::Body(std::string_view(content).substr(range.offset, count));
  co_return std::move(object);
}

Task<std::optional<ObjectInfo>> MemoryObjectStore::head(std::string key) {
  co_await check_key(key);
  co_await begin();
  const auto at = objects_.find(key);
  if (at == objects_.end()) co_return std::nullopt;
  co_return at->second.info;
}

Task<std::optional<ObjectInfo>> MemoryObjectStore::put(std::string key, http::Body body, ObjectPut options) {
  co_await check_put(key, body, options);
  std::string content = co_await body.text(content_bytes_max);
  Reactor& reactor = co_await this_reactor;
  co_await begin();
  const auto at = objects_.find(key);
  if (options.only_if_absent && at != objects_.end()) co_return std::nullopt;
  if (!options.only_if_etag.empty() &&
      (at == objects_.end() || at->second.info.etag != options.only_if_etag)) {
    co_return std::nullopt;
  }
  StoredObject object;
  object.info.key = key;
  object.info.etag = "version-" + std::to_string(++versions_);
  object.info.size = content.size();
  object.info.uploaded = reactor.backend().system_now();
  object.info.content_type = std::move(options.content_type);
  object.info.metadata = std::move(options.metadata);
  object.content = std::move(content);
  ObjectInfo info = object.info;
  objects_.insert_or_assign(std::move(key), std::move(object));
  co_return std::move(info);
}

Task<> MemoryObjectStore::remove(std::string key) {
  co_await check_key(key);
  co_await begin();
  objects_.erase(key);
}

Task<ObjectPage> MemoryObjectStore::list(std::string prefix, std::size_t limit, std::string cursor) {
  co_await check_limit(limit);
  co_await begin();
  ObjectPage page;
  auto at = cursor.empty() ? objects_.lower_bound(prefix) : objects_.upper_bound(cursor);
  for (; at != objects_.end() && at->first.starts_with(prefix); ++at) {
    if (page.objects.size() == limit) {
      page.cursor = page.objects.back().key;
      break;
    }
    page.objects.push_back(at->second.info);
  }
  co_return std::move(page);
}

}  // namespace escapement
