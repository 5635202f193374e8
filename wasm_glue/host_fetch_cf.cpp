#include <escapement/wasm_glue/host_fetch_cf.h>

#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/detail/fetch_by.h>

extern "C" {
// Returns 1 if the host looks at `cf`, else 0.
[[clang::import_module("escapement_cf"), clang::import_name("supported")]]
int esc_cf_supported();
// As esc_host_fetch, with the properties of a JSON text.
[[clang::import_module("escapement_cf"), clang::import_name("fetch")]]
void esc_cf_fetch(const char* json, std::size_t json_length, int id, const char* head,
                  std::size_t head_length, const char* body, std::size_t body_length);
}

namespace escapement::wasm {

namespace {

ESC_CORO_WRAPPER Task<http::Response> fetch_with(std::string cf, HostFetchOptions options,
                                                 http::Request request) {
  return fetch_by(
      [](std::string_view json, int id, std::string_view head, std::string_view body) {
        esc_cf_fetch(json.data(), json.size(), id, head.data(), head.size(), body.data(), body.size());
      },
      std::move(cf), options, std::move(request));
}

Task<http::Response> no_cf() {
  co_return Error(Errc::unsupported, "this host's fetch() takes no cf properties").nothing_sent();
}

}  // namespace

// The properties are taken along: the call may outlive a HostFetchCf that was made for it.
ESC_CORO_WRAPPER Task<http::Response> HostFetchCf::operator()(http::Request request) const {
  if (esc_cf_supported() == 0) return no_cf();
  HostFetchOptions options = options_;
  // fetch_by leaves the calls of a service uncounted; these are fetches of the host.
  if (options.heads_max == 0 && (esc_host_traits() & 2) != 0) options.heads_max = 6;
  return fetch_with(cf_, options, std::move(request));
}

}  // namespace escapement::wasm
