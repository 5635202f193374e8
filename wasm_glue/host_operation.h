// HostOperation: an asynchronous operation of the JS host that a binding defines (KV, R2, a Durable Object's
// storage): begun by an import of the binding's own, and ended by a promise.
//
//     [[clang::import_module("escapement_kv"), clang::import_name("get")]]
//     void esc_kv_get(int id, const char* key, std::size_t length);
//
//     Task<std::string> get(std::string key) {
//       HostOperation operation(co_await this_reactor);
//       esc_kv_get(operation.id(), key.data(), key.size());
//       HostOutcome outcome = co_await operation.outcome(10s);
//       if (outcome.status == 404) co_return Error(Errc::not_found, "no such key");
//       co_return std::move(outcome.bytes);
//     }
//
//     // kv.mjs
//     import { operate } from "./host_operation.mjs";
//     export const kv = {
//       module: "escapement_kv",
//       imports: {
//         get(id, at, length) {
//           const key = this.text(at, length);  // `this`: the context, see host_operation.mjs
//           operate(this, id, async () => (await this.env.STORE.get(key)) ?? { status: 404 });
//         },
//       },
//     };
//
//     export default worker(module, { bindings: [kv] });
//
// Only a module that uses it contains it.

#pragma once

#include <string>

#include <escapement/wasm_glue/context.h>
#include <escapement/wasm_glue/host_reply.h>

namespace escapement::wasm {

// The outcome of an operation that the host has carried out.
struct HostOutcome {
  HostOutcome(int outcome_status, std::string outcome_bytes)
      : status(outcome_status), bytes(std::move(outcome_bytes)) {}
  int status;         // 0, or as the binding's JavaScript says; never negative
  std::string bytes;  // text as UTF-8
};

// One operation. Destroying it drops it: nothing about it is reported afterwards, and its JavaScript is told,
// if it wants to know (host_operation.mjs).
class HostOperation {
 public:
  // `reactor` must be the running task's, and outlive the operation.
  explicit HostOperation(Reactor& reactor);
  HostOperation(const HostOperation&) = delete;
  ~HostOperation();

  // Returns the number by which the imports and the JavaScript refer to it. Unique in its context.
  int id() const { return reply_.id(); }

  // Waits for the outcome. May be called again for an operation that the binding continues under the same
  // number, once for each outcome that JavaScript reports; one that came while nobody waited is kept.
  //
  // Fails with timed_out after `limit` (Duration::max(): none); the operation goes on until it is destroyed.
  // If the promise was rejected it fails with the host's text, and of the kind that the error's `code` names
  // (error.h), else reset: it is unknown how far it came. With overloaded where there was no memory for the
  // bytes.
  Task<HostOutcome> outcome(Duration limit = 30s);

  // Returns what the host reports under its number, for bodies (detail/host_body.h).
  HostReply& reply() { return reply_; }

 private:
  HostReply reply_;
};

}  // namespace escapement::wasm
