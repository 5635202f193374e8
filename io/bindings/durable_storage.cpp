#include <escapement/io/bindings/durable_storage.h>

namespace escapement {

Result<> StorageChanges::check() const {
  for (const auto& [key, value] : entries_) {
    if (key.empty()) return Error(Errc::invalid_argument, "a storage key is empty");
    if (key.size() > key_bytes_max) {
      return Error(Errc::invalid_argument, "a storage key of " + std::to_string(key.size()) + " bytes");
    }
    if (value && value->size() > value_bytes_max) {
      return Error(Errc::limit_exceeded,
                   "the value of storage key " + key + " has " + std::to_string(value->size()) + " bytes");
    }
  }
  return {};
}

Task<std::optional<std::string>> DurableStorage::get(std::string key) {
  std::vector<std::string> keys;
  keys.push_back(std::move(key));
  std::vector<std::optional<std::string>> values = co_await get_all(std::move(keys));
  co_return std::move(values.at(0));
}

Task<std::optional<std::string>> StorageTransaction::get(std::string key) {
  const auto changed = changes_.entries().find(key);
  if (changed != changes_.entries().end()) co_return changed->second;
  co_return co_await storage_.get(std::move(key));
}

}  // namespace escapement
