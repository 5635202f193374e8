#include <escapement/wasm_glue/host_storage.h>

#include <escapement/core/detail/number.h>
#include <escapement/wasm_glue/detail/host_call.h>

// The arguments and results are lists (packed.h).
extern "C" {
[[clang::import_module("escapement_storage"), clang::import_name("get")]]
void esc_storage_get(int id, const char* keys, std::size_t length);
[[clang::import_module("escapement_storage"), clang::import_name("list")]]
void esc_storage_list(int id, const char* range, std::size_t length);
[[clang::import_module("escapement_storage"), clang::import_name("write")]]
void esc_storage_write(int id, const char* changes, std::size_t length);
[[clang::import_module("escapement_storage"), clang::import_name("alarm")]]
void esc_storage_alarm(int id);
}

namespace escapement::wasm {

Task<std::vector<std::optional<std::string>>> HostStorage::get_all(std::vector<std::string> keys) {
  Packed packed;
  for (const std::string& key : keys) packed.add(key);
  HostOutcome outcome = co_await host_call(esc_storage_get, std::move(packed), options_.timeout);
  Unpacked result(outcome.bytes);
  std::vector<std::optional<std::string>> values;
  values.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) values.emplace_back(result.next());
  co_return std::move(values);
}

Task<std::vector<StorageEntry>> HostStorage::list(StorageRange range) {
  Packed packed;
  packed.add(range.prefix).add(range.start).add(range.end).add_number(static_cast<std::int64_t>(range.limit));
  HostOutcome outcome = co_await host_call(esc_storage_list, std::move(packed), options_.timeout);
  Unpacked result(outcome.bytes);
  std::vector<StorageEntry> entries;
  while (!result.empty()) {
    std::string key = result.text();
    entries.emplace_back(std::move(key), result.text());
  }
  co_return std::move(entries);
}

// "KEEP", "REMOVE" or the alarm's time, then keys and values.
Task<> HostStorage::write(StorageChanges changes) {
  co_await changes.check();
  Packed packed;
  if (!changes.alarm()) {
    packed.add("keep");
  } else if (!*changes.alarm()) {
    packed.add("remove");
  } else {
    packed.add_number((*changes.alarm())->unix_milliseconds());
  }
  for (const auto& [key, value] : changes.entries()) {
    packed.add(key);
    if (value) {
      packed.add(*value);
    } else {
      packed.add_absent();
    }
  }
  HostOutcome done = co_await host_call(esc_storage_write, std::move(packed), options_.timeout);
}

Task<std::optional<SystemTime>> HostStorage::alarm() {
  HostOperation operation(co_await this_reactor);
  esc_storage_alarm(operation.id());
  HostOutcome outcome = co_await operation.outcome(options_.timeout);
  const std::optional<std::int64_t> at = parse_number<std::int64_t>(outcome.bytes);
  if (!at) co_return std::nullopt;
  co_return SystemTime::from_unix_milliseconds(*at);
}

}  // namespace escapement::wasm
