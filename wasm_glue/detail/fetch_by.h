// fetch_by: what HostFetch and HostService have in common.

#pragma once

#include <string>
#include <string_view>

#include <escapement/wasm_glue/host_fetch.h>

namespace escapement::wasm {

// Begins fetch `id`, by the service of that name; the head and the body are those of esc_host_fetch (abi.h).
using FetchBegin = void(std::string_view service, int id, std::string_view head, std::string_view body);

// Sends a request as HostFetch does; `service` is empty for the host's own fetch().
Task<http::Response> fetch_by(FetchBegin* begin, std::string service, HostFetchOptions options,
                              http::Request request);

}  // namespace escapement::wasm
