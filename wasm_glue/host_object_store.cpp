#include <escapement/wasm_glue/host_object_store.h>

#include <algorithm>

#include <escapement/core/detail/number.h>
#include <escapement/wasm_glue/detail/host_body.h>
#include <escapement/wasm_glue/detail/host_call.h>

// Each takes a list that begins with the binding's name. An object is a list: key, etag, size, time, content
// type, the number of its metadata, their names and values. The status 404: there is none, or the condition
// did not hold; 416: no such range. Bodies as those of esc_host_fetch.
extern "C" {
[[clang::import_module("escapement_r2"), clang::import_name("get")]]
void esc_r2_get(int id, const char* arguments, std::size_t length);
[[clang::import_module("escapement_r2"), clang::import_name("head")]]
void esc_r2_head(int id, const char* arguments, std::size_t length);
[[clang::import_module("escapement_r2"), clang::import_name("put")]]
void esc_r2_put(int id, const char* arguments, std::size_t length, const char* body, std::size_t body_length);
[[clang::import_module("escapement_r2"), clang::import_name("remove")]]
void esc_r2_remove(int id, const char* arguments, std::size_t length);
[[clang::import_module("escapement_r2"), clang::import_name("list")]]
void esc_r2_list(int id, const char* arguments, std::size_t length);
}

namespace escapement::wasm {

namespace {

std::int64_t take_number(Unpacked& fields) { return parse_number<std::int64_t>(fields.text()).value_or(0); }

ObjectInfo take_info(Unpacked& fields) {
  ObjectInfo info;
  info.key = fields.text();
  info.etag = fields.text();
  info.size = static_cast<std::uint64_t>(take_number(fields));
  info.uploaded = SystemTime::from_unix_milliseconds(take_number(fields));
  info.content_type = fields.text();
  for (std::int64_t left = take_number(fields); left > 0 && !fields.empty(); --left) {
    std::string name = fields.text();
    info.metadata.insert_or_assign(std::move(name), fields.text());
  }
  return info;
}

}  // namespace

Task<std::optional<StreamedObject>> HostObjectStore::open(std::string key, ObjectRange range) {
  co_await check_key(key);
  if (range.length == 0) co_return Error(Errc::invalid_argument, "object " + key + " has no such range");
  Packed arguments;
  arguments.add(name_).add(key).add(std::to_string(range.offset));
  arguments.add(range.length == UINT64_MAX ? std::string() : std::to_string(range.length));
  auto operation = std::make_unique<HostOperation>(co_await this_reactor);
  esc_r2_get(operation->id(), arguments.data(), arguments.size());
  HostOutcome outcome = co_await operation->outcome(timeout_);
  if (outcome.status == 404) co_return std::nullopt;
  if (outcome.status == 416) co_return Error(Errc::invalid_argument, "object " + key + " has no such range");
  Unpacked fields(outcome.bytes);
  StreamedObject object;
  object.info = take_info(fields);
  const std::uint64_t count =
      std::min(range.length, object.info.size - std::min(range.offset, object.info.size));
  object.body = http::Body(std::make_unique<HostBody>(std::move(operation), count, timeout_));
  co_return std::move(object);
}

Task<std::optional<ObjectInfo>> HostObjectStore::head(std::string key) {
  co_await check_key(key);
  Packed arguments;
  arguments.add(name_).add(key);
  HostOutcome outcome = co_await host_call(esc_r2_head, std::move(arguments), timeout_);
  if (outcome.status == 404) co_return std::nullopt;
  Unpacked fields(outcome.bytes);
  co_return take_info(fields);
}

Task<std::optional<ObjectInfo>> HostObjectStore::put(std::string key, http::Body content, ObjectPut options) {
  co_await check_put(key, content, options);
  if (!content.length()) {
    std::string whole = co_await content.text(content_bytes_max);
    content = http::Body(std::move(whole));
  }
  Packed arguments;
  arguments.add(name_).add(key).add(options.content_type).add(options.only_if_etag);
  arguments.add(options.only_if_absent ? "absent" : "");
  arguments.add(content.replayable() ? std::string() : std::to_string(*content.length()));
  for (const auto& [name, value] : options.metadata) arguments.add(name).add(value);
  HostOperation operation(co_await this_reactor);
  HostOutcome outcome =
      co_await host_call(operation, esc_r2_put, std::move(arguments), std::move(content), timeout_, timeout_);
  if (outcome.status == 404) co_return std::nullopt;
  Unpacked fields(outcome.bytes);
  co_return take_info(fields);
}

Task<> HostObjectStore::remove(std::string key) {
  co_await check_key(key);
  Packed arguments;
  arguments.add(name_).add(key);
  HostOutcome done = co_await host_call(esc_r2_remove, std::move(arguments), timeout_);
}

Task<ObjectPage> HostObjectStore::list(std::string prefix, std::size_t limit, std::string cursor) {
  co_await check_limit(limit);
  Packed arguments;
  arguments.add(name_).add(prefix).add_number(static_cast<std::int64_t>(limit)).add(cursor);
  HostOutcome outcome = co_await host_call(esc_r2_list, std::move(arguments), timeout_);
  Unpacked fields(outcome.bytes);
  ObjectPage page;
  page.cursor = fields.text();
  while (!fields.empty()) page.objects.push_back(take_info(fields));
  co_return std::move(page);
}

}  // namespace escapement::wasm
