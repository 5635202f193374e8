// HostFetchCf: the host's fetch() with Cloudflare's properties (`cf`), as a Service.
//
//     FetchCf cf;
//     cf.cache_everything(true).cache_ttl(1h);
//     const http::Service origin = http::layered(http::Timeout{2s}, http::Retry{}, wasm::HostFetchCf(cf));
//
//     import { cf } from "./cf.mjs";
//     export default worker(module, { bindings: [cf] });
//
// Properties that differ from request to request are those of a HostFetchCf each: making one costs little.

#pragma once

#include <string>

#include <escapement/io/bindings/fetch_cf.h>
#include <escapement/wasm_glue/host_fetch.h>

namespace escapement::wasm {

// As HostFetch. Fails with unsupported, nothing sent, outside of Cloudflare's runtime, where nobody looks at
// such properties, unless the Worker was given a `fetch` of its own; and with invalid_argument, nothing sent,
// if a property set as JSON is none. A native program has no such class: there a proxy or the layer Cache
// does what the properties ask for.
class HostFetchCf {
 public:
  // Takes the properties as they are now.
  explicit HostFetchCf(const FetchCf& cf, HostFetchOptions options = HostFetchOptions())
      : cf_(cf.json()), options_(options) {}

  Task<http::Response> operator()(http::Request request) const;

 private:
  std::string cf_;
  HostFetchOptions options_;
};

}  // namespace escapement::wasm
