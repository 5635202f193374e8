// FetchCf: Cloudflare's properties of a fetch (`cf`): how its response is cached, where its name leads.
//
//     FetchCf cf;
//     cf.cache_everything(true).cache_ttl(1h).cache_key("page/17");
//     const http::Service origin = wasm::HostFetchCf(cf);  // wasm_glue/host_fetch_cf.h
//
// Source:
// https://developers.cloudflare.com/workers/runtime-apis/request/#the-cf-property-requestinitcfproperties

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/core/time.h>

namespace escapement {

// Properties that were not set are not sent, and then the host decides. Setting one again replaces it. Some
// are for certain plans alone; the host ignores those that it does not grant.
class FetchCf {
 public:
  // Caches a response whatever its type, or not. (cacheEverything)
  FetchCf& cache_everything(bool on) { return set("cacheEverything", on ? "true" : "false"); }
  // Sets how long a response is cached, whatever its fields say, in whole seconds, rounded down. Zero: it is,
  // and is stale at once. Negative: it is not. (cacheTtl)
  FetchCf& cache_ttl(Duration length);
  // The same for statuses: a range ("200-299"), one, or several by commas. May be called for several.
  // (cacheTtlByStatus)
  FetchCf& cache_ttl_by_status(std::string_view statuses, Duration length);
  // Sets the key that, in place of the URL, names the response in the cache. (cacheKey)
  FetchCf& cache_key(std::string_view key) { return set("cacheKey", quoted(key)); }
  // Sets tags by which cached responses can be purged. (cacheTags)
  FetchCf& cache_tags(const std::vector<std::string>& tags);
  // Sets the host whose address is used instead of that of the URL's; both of your own zone.
  // (resolveOverride)
  FetchCf& resolve_override(std::string_view host) { return set("resolveOverride", quoted(host)); }
  // Sets any other property, by a value in JSON: set("image", R"({"width": 100})"). The host reads the JSON:
  // what is none fails the fetch.
  FetchCf& set(std::string_view name, std::string_view json);

  // Returns all of them as a JSON object.
  std::string json() const;

 private:
  static std::string quoted(std::string_view text);

  std::vector<std::pair<std::string, std::string>> properties_;  // names, and JSON
  std::vector<std::pair<std::string, std::string>> by_status_;
};

}  // namespace escapement
