#include <escapement/io/bindings/kv.h>

namespace escapement {

Result<> Kv::check_key(std::string_view key) {
  if (key.empty() || key == "." || key == "..") {
    return Error(Errc::invalid_argument, "a KV key must not be empty, \".\" or \"..\"");
  }
  if (key.size() > key_bytes_max) {
    return Error(Errc::invalid_argument, "a KV key of " + std::to_string(key.size()) + " bytes");
  }
  return {};
}

Result<> Kv::check_put(std::string_view key, std::string_view value, const KvPut& options) {
  if (Result<> checked = check_key(key); !checked) return checked;
  if (options.expires_in < expiry_min) {
    return Error(Errc::invalid_argument, "a KV key expires after 60 s at the earliest");
  }
  if (value.size() > value_bytes_max) {
    return Error(Errc::limit_exceeded, "a KV value of " + std::to_string(value.size()) + " bytes");
  }
  if (options.metadata.size() > metadata_bytes_max) {
    return Error(Errc::limit_exceeded,
                 "KV metadata of " + std::to_string(options.metadata.size()) + " bytes");
  }
  return {};
}

Result<> Kv::check_list(const KvList& range) {
  if (range.limit >= 1 && range.limit <= 1000) return {};
  return Error(Errc::invalid_argument, "KV lists 1 to 1000 keys at once");
}

}  // namespace escapement
