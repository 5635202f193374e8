#include <escapement/wasm_glue/host_service.h>

#include <escapement/wasm_glue/detail/fetch_by.h>

extern "C" {
// As esc_host_fetch, by the service binding of that name.
[[clang::import_module("escapement_service"), clang::import_name("fetch")]]
void esc_service_fetch(const char* name, std::size_t name_length, int id, const char* head,
                       std::size_t head_length, const char* body, std::size_t body_length);
}

namespace escapement::wasm {

Task<http::Response> HostService::operator()(http::Request request) const {
  return fetch_by(
      [](std::string_view service, int id, std::string_view head, std::string_view body) {
        esc_service_fetch(service.data(), service.size(), id, head.data(), head.size(), body.data(),
                          body.size());
      },
      name_, options_, std::move(request));
}

}  // namespace escapement::wasm
