// The JavaScript host's JSON values as JsonValues: a Worker's variables of JSON, and what Cloudflare knows
// about the request that is being answered.
//
//     wasm::HostJson limits = wasm::json_env("LIMITS");  // wrangler: "vars": {"LIMITS": {"max": 5}}
//     double most = limits.number("/max").value_or(10);
//     RequestCf cf(wasm::host_cf());
//     std::optional<std::string> country = cf.country();
//
//     import { json } from "./json.mjs";
//     export default worker(module, { bindings: [json] });
//
// Only what is asked for is copied into the module.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <escapement/io/bindings/json_values.h>

namespace escapement::wasm {

// Values that the host keeps. Valid while its request is being handled, in the context that made it; in a
// Durable Object, and where there is no request, host_cf has no values.
class HostJson final : public JsonValues {
 public:
  // The place of a value: a name of the Worker's env, or the request's cf.
  HostJson(std::string variable, bool of_request) : variable_(std::move(variable)), of_request_(of_request) {}
  std::optional<JsonValue> at(std::string_view place) const override;

 private:
  std::string variable_;
  bool of_request_;
};

// The Worker's variable of that name, of whatever JSON it is: a string too. It has no values if there is
// none, and if it is a binding.
inline HostJson json_env(std::string_view name) { return HostJson(std::string(name), false); }

// `cf` of the request that the context answers.
inline HostJson host_cf() { return HostJson(std::string(), true); }

}  // namespace escapement::wasm
