#include <escapement/wasm_glue/host_kv.h>

#include <escapement/core/detail/number.h>
#include <escapement/wasm_glue/detail/host_call.h>

// Each takes a list that begins with the binding's name. `get` has the status 404 where there is no value.
extern "C" {
[[clang::import_module("escapement_kv"), clang::import_name("get")]]
void esc_kv_get(int id, const char* arguments, std::size_t length);
[[clang::import_module("escapement_kv"), clang::import_name("put")]]
void esc_kv_put(int id, const char* arguments, std::size_t length);
[[clang::import_module("escapement_kv"), clang::import_name("remove")]]
void esc_kv_remove(int id, const char* arguments, std::size_t length);
[[clang::import_module("escapement_kv"), clang::import_name("list")]]
void esc_kv_list(int id, const char* arguments, std::size_t length);
}

namespace escapement::wasm {

Task<std::optional<KvEntry>> HostKv::get(std::string key) {
  co_await check_key(key);
  Packed arguments;
  arguments.add(name_).add(key);
  HostOutcome outcome = co_await host_call(esc_kv_get, std::move(arguments), timeout_);
  if (outcome.status == 404) co_return std::nullopt;
  Unpacked result(outcome.bytes);
  KvEntry entry(result.text());
  entry.metadata = result.text();
  co_return std::move(entry);
}

// The host counts in seconds: rounded up.
Task<> HostKv::put(std::string key, std::string value, KvPut options) {
  co_await check_put(key, value, options);
  Packed arguments;
  arguments.add(name_).add(key).add(value);
  if (options.expires_in == Duration::max()) {
    arguments.add("");
  } else {
    const std::int64_t milliseconds = (options.expires_in + Duration::nanoseconds(999'999)) / Duration(1ms);
    arguments.add_number(milliseconds / 1000 + (milliseconds % 1000 != 0 ? 1 : 0));
  }
  arguments.add(options.metadata);
  HostOutcome done = co_await host_call(esc_kv_put, std::move(arguments), timeout_);
}

Task<> HostKv::remove(std::string key) {
  co_await check_key(key);
  Packed arguments;
  arguments.add(name_).add(key);
  HostOutcome done = co_await host_call(esc_kv_remove, std::move(arguments), timeout_);
}

Task<KvPage> HostKv::list(KvList range) {
  co_await check_list(range);
  Packed arguments;
  arguments.add(name_).add(range.prefix).add_number(static_cast<std::int64_t>(range.limit)).add(range.cursor);
  HostOutcome outcome = co_await host_call(esc_kv_list, std::move(arguments), timeout_);
  Unpacked result(outcome.bytes);
  KvPage page;
  page.cursor = result.text();
  while (!result.empty()) {
    KvName name;
    name.name = result.text();
    const std::string expires = result.text();
    if (const std::optional<std::int64_t> seconds = parse_number<std::int64_t>(expires)) {
      name.expires = SystemTime::from_unix_milliseconds(*seconds * 1000);
    }
    name.metadata = result.text();
    page.names.push_back(std::move(name));
  }
  co_return std::move(page);
}

}  // namespace escapement::wasm
