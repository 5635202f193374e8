#include <escapement/wasm_glue/host_response_cache.h>

#include <escapement/wasm_glue/detail/host_body.h>
#include <escapement/wasm_glue/detail/host_call.h>
#include <escapement/wasm_glue/heads.h>

// Each takes a list that begins with the cache's name and the URL. The status 1: there is nothing.
extern "C" {
// Then field lines. The outcome has the response's status, its field lines, and its body.
[[clang::import_module("escapement_cache"), clang::import_name("match")]]
void esc_cache_match(int id, const char* arguments, std::size_t length);
// Then the status and field lines; the body as that of esc_host_fetch.
[[clang::import_module("escapement_cache"), clang::import_name("put")]]
void esc_cache_put(int id, const char* arguments, std::size_t length, const char* body,
                   std::size_t body_length);
[[clang::import_module("escapement_cache"), clang::import_name("remove")]]
void esc_cache_remove(int id, const char* arguments, std::size_t length);
}

namespace escapement::wasm {

namespace {

constexpr int nothing = 1;  // no response has this status

http::Headers parse_fields(std::string_view lines) {
  http::Headers headers;
  while (!lines.empty()) {
    const std::string_view line = take_line(lines);
    const std::size_t colon = line.find(": ");
    if (colon != line.npos) {
      headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
    }
  }
  return headers;
}

}  // namespace

Task<std::optional<http::Response>> HostResponseCache::match(http::Url url, http::Headers conditions) {
  co_await check_conditions(conditions);
  std::string fields;
  append_fields(fields, conditions, false);
  Packed arguments;
  arguments.add(name_).add(url.without_credentials()).add(fields);
  auto operation = std::make_unique<HostOperation>(co_await this_reactor);
  esc_cache_match(operation->id(), arguments.data(), arguments.size());
  HostOutcome outcome = co_await operation->outcome(options_.timeout);
  if (outcome.status == nothing) co_return std::nullopt;
  http::Response response(outcome.status);
  response.headers = parse_fields(outcome.bytes);
  if (http::may_have_content(response.status)) {
    const std::optional<std::uint64_t> stated = stated_length(response.headers);
    response.body = http::Body(std::make_unique<HostBody>(std::move(operation), stated, options_.stall));
  }
  co_return std::move(response);
}

Task<> HostResponseCache::put(http::Url url, http::Response response) {
  co_await check_put(response);
  std::string fields;
  append_fields(fields, response.headers, true);
  Packed arguments;
  arguments.add(name_).add(url.without_credentials()).add_number(response.status).add(fields);
  HostOperation operation(co_await this_reactor);
  HostOutcome done = co_await host_call(operation, esc_cache_put, std::move(arguments),
                                        std::move(response.body), options_.timeout, options_.stall);
}

Task<bool> HostResponseCache::remove(http::Url url) {
  Packed arguments;
  arguments.add(name_).add(url.without_credentials());
  HostOutcome done = co_await host_call(esc_cache_remove, std::move(arguments), options_.timeout);
  co_return done.status != nothing;
}

}  // namespace escapement::wasm
