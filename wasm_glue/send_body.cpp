#include <escapement/wasm_glue/send_body.h>

#include <escapement/wasm_glue/abi.h>

namespace escapement::wasm {

namespace {

Task<> send_pieces(HostReply& reply, http::Body& body, Duration stall, std::uint64_t& sent) {
  const std::optional<std::uint64_t> stated = body.length();
  for (;;) {
    co_await reply.until_wanted(stall);
    const std::string bytes = co_await body.read();
    sent += bytes.size();
    if (stated && (bytes.empty() ? sent != *stated : sent > *stated)) {
      co_await Error(Errc::invalid_argument, "the body is not as long as it said");
    }
    if (bytes.empty()) co_return;
    esc_host_send(reply.id(), bytes.data(), bytes.size());
  }
}

}  // namespace

Task<> send_body(HostReply& reply, http::Body& body, Duration stall, std::uint64_t& sent) {
  Result<> outcome = co_await send_pieces(reply, body, stall, sent).result();
  const std::string why = outcome ? std::string() : to_string(outcome.error());
  esc_host_send_end(reply.id(), why.data(), why.size());
  co_await std::move(outcome);
}

}  // namespace escapement::wasm
