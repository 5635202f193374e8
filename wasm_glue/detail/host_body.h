// Bodies of operations: one that came with an outcome (`body` in host_operation.mjs), and one that goes to
// the host with the arguments.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <escapement/io/http/message.h>
#include <escapement/wasm_glue/detail/packed.h>
#include <escapement/wasm_glue/host_operation.h>

namespace escapement::wasm {

// Reads the stream that came with the outcome of an operation. Destroying it cancels the stream. A body of
// which nothing has been read is passed on as the host's own stream.
class HostBody final : public http::BodySource {
 public:
  // `stated` is its length, if that is known: a body that is shorter or longer fails with `reset`. A read may
  // be pending for `stall`.
  HostBody(std::unique_ptr<HostOperation> operation, std::optional<std::uint64_t> stated, Duration stall)
      : operation_(std::move(operation)), stated_(stated), stall_(stall) {}

  Task<std::string> read() override;
  std::optional<std::uint64_t> length() const override { return stated_; }
  int host_handle() override { return operation_ && !asked_ ? operation_->id() : 0; }

 private:
  std::unique_ptr<HostOperation> operation_;
  std::optional<std::uint64_t> stated_;
  std::uint64_t received_ = 0;
  Duration stall_;
  bool asked_ = false;
};

// An import that begins operation `id` with a list of arguments and a body, as that of esc_host_fetch
// (abi.h).
using HostBodyImport = void(int id, const char* arguments, std::size_t length, const char* body,
                            std::size_t body_length);

// Calls `import`, sends the body if it streams, and waits for the outcome, which may take `limit` from the
// body's last piece on. A body that the host has, in whole or as a stream of its own, gives it a second more
// for each 64 KiB, as it does in a fetch (HostFetchOptions::head_timeout). A body that fails fails the call;
// so does a host that takes nothing of it for `stall`.
Task<HostOutcome> host_call(HostOperation& operation, HostBodyImport* import, Packed arguments,
                            http::Body body, Duration limit, Duration stall);

}  // namespace escapement::wasm
