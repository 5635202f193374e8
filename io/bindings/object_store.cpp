#include <escapement/io/bindings/object_store.h>

namespace escapement {

Result<> ObjectStore::check_key(std::string_view key) {
  if (!key.empty() && key.size() <= key_bytes_max) return {};
  return Error(Errc::invalid_argument, "an object's key of " + std::to_string(key.size()) + " bytes");
}

Task<std::optional<StoredObject>> ObjectStore::get(std::string key, ObjectRange range) {
  std::optional<StreamedObject> opened = co_await open(std::move(key), range);
  if (!opened) co_return std::nullopt;
  StoredObject object;
  object.info = std::move(opened->info);
  object.content = co_await opened->body.text(content_bytes_max);
  co_return std::move(object);
}

Result<> ObjectStore::check_put(std::string_view key, const http::Body& content, const ObjectPut& options) {
  if (Result<> checked = check_key(key); !checked) return checked;
  const std::size_t bytes = content.bytes().size();
  if (bytes > content_bytes_max) {
    return Error(Errc::limit_exceeded, "an object of " + std::to_string(bytes) + " bytes");
  }
  std::size_t metadata = 0;
  for (const auto& [name, value] : options.metadata) metadata += name.size() + value.size();
  if (metadata > metadata_bytes_max) {
    return Error(Errc::limit_exceeded, "an object's metadata of " + std::to_string(metadata) + " bytes");
  }
  return {};
}

Result<> ObjectStore::check_limit(std::size_t limit) {
  if (limit >= 1 && limit <= 1000) return {};
  return Error(Errc::invalid_argument, "an object store lists 1 to 1000 objects at once");
}

}  // namespace escapement
