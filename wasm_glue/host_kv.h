// HostKv: a KV namespace of a Worker, as a Kv.
//
//     wasm::HostKv sessions("SESSIONS");  // the binding's name
//     std::optional<KvEntry> entry = co_await sessions.get("17");
//
//     import { kv } from "./kv.mjs";
//     export default worker(module, { bindings: [kv] });

#pragma once

#include <string>

#include <escapement/io/bindings/kv.h>

namespace escapement::wasm {

// Fails as Kv says, with invalid_argument also if the Worker has no KV binding of that name, with timed_out
// after `timeout`, and with `reset` and the host's text for everything else.
class HostKv final : public Kv {
 public:
  // `name` is the binding's, in the Worker's env. Each operation may take `timeout`.
  explicit HostKv(std::string name, Duration timeout = 30s) : name_(std::move(name)), timeout_(timeout) {}

  Task<std::optional<KvEntry>> get(std::string key) override;
  Task<> put(std::string key, std::string value, KvPut options = KvPut()) override;
  Task<> remove(std::string key) override;
  Task<KvPage> list(KvList range = KvList()) override;

 private:
  std::string name_;
  Duration timeout_;
};

}  // namespace escapement::wasm
