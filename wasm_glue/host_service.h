// HostService: a service binding of a Worker, which calls another Worker, as a Service.
//
//     http::Service users = http::layered(http::Timeout{2s}, http::Retry{}, wasm::HostService("USERS"));
//     http::Response response = co_await users(http::get("http://users/17"));
//
//     import { service } from "./service.mjs";
//     export default worker(module, { bindings: [service] });
//
// Natively and in simulations the other Worker's own Service stands in its place, or a Client.

#pragma once

#include <string>

#include <escapement/wasm_glue/host_fetch.h>

namespace escapement::wasm {

// Sends each request by the `fetch` of a binding of the Worker's env that has one: a service binding, a
// dispatched Worker, static assets. The URL's host is the other's to look at, and is not resolved. All else
// is as HostFetch, but that such calls do not count among the six that wait for a head. Fails with
// invalid_argument, nothing sent, if the Worker has no such binding.
class HostService {
 public:
  // `name` is the binding's, in the Worker's env.
  explicit HostService(std::string name, HostFetchOptions options = HostFetchOptions())
      : name_(std::move(name)), options_(options) {}

  Task<http::Response> operator()(http::Request request) const;

 private:
  std::string name_;
  HostFetchOptions options_;
};

}  // namespace escapement::wasm
