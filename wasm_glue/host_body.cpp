#include <escapement/wasm_glue/detail/host_body.h>

#include <escapement/core/scope.h>
#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/send_body.h>

namespace escapement::wasm {

namespace {

constexpr escapement::detail::LimitName body_stalled{TimeLimit::body, "nothing"};

// A body that fails is why the operation does.
Task<> send(HostReply& reply, http::Body& body, Duration stall, std::uint64_t& sent) {
  Result<> outcome = co_await send_body(reply, body, stall, sent).result();
  if (!outcome) reply.failed(std::move(outcome).error());
}

}  // namespace

Task<std::string> HostBody::read() {
  if (!operation_) co_return std::string();
  asked_ = true;
  HostReply& reply = operation_->reply();
  if (reply.must_ask()) esc_host_read(operation_->id());
  std::string bytes = co_await reply.answer(stall_, body_stalled);
  received_ += bytes.size();
  const bool ended = reply.status() != 0;
  if (ended) operation_.reset();
  if (stated_ && (ended ? received_ != *stated_ : received_ > *stated_)) {
    co_return Error(Errc::reset, "a body of the host broke off");
  }
  co_return std::move(bytes);
}

Task<HostOutcome> host_call(HostOperation& operation, HostBodyImport* import, Packed arguments,
                            http::Body body, Duration limit, Duration stall) {
  const bool whole = body.replayable();
  const int handle = whole ? 0 : body.host_handle();
  std::string_view sent = body.bytes();
  if (!whole) sent = std::string_view(nullptr, handle != 0 ? static_cast<std::size_t>(handle) : own_stream);
  import(operation.id(), arguments.data(), arguments.size(), sent.data(), sent.size());
  // The bytes of others are not counted below: the host takes them by itself.
  const bool streams = !whole && handle == 0;
  if (!streams) limit = with_time_to_send(limit, body.length().value_or(unknown_body_bytes));
  std::uint64_t bytes = 0;
  Reactor& reactor = co_await this_reactor;
  Scope uploads(reactor, nullptr);
  if (streams) uploads.spawn(send(operation.reply(), body, stall, bytes));
  for (std::uint64_t before = 0;; before = bytes) {
    Result<HostOutcome> outcome = co_await operation.outcome(limit).result();
    if (outcome || outcome.error() != Errc::timed_out || bytes == before) co_return std::move(outcome);
  }
}

}  // namespace escapement::wasm
