#include <escapement/io/bindings/object_store.h>

namespace escapement {

Result<> ObjectStore::check_key(std::string_view key) {
  if (!key.empty() && key.size() <= key_bytes_max) return {};
  return Error(Errc::invalid_argument, "an object's key of " + std::to_string(key.size()) + " bytes");
}

Result<> ObjectStore::check_put(std::string_view key, std::string_view content, const ObjectPut& options) {
  if (Result<> checked = check_key(key); !checked) return checked;
  if (content.size() > content_bytes_max) {
    return Error(Errc::limit_exceeded, "an object of " + std::to_string(content.size()) + " bytes");
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
