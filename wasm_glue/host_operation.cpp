#include <escapement/wasm_glue/host_operation.h>

#include <escapement/wasm_glue/abi.h>

namespace escapement::wasm {

namespace {

constexpr escapement::detail::LimitName no_outcome{TimeLimit::operation, "no reply of the host"};

// Parses "kind: sentence", as JavaScript writes the reason of a rejected promise.
Error error_of(FetchFailure failure, std::string text) {
  if (failure == FetchFailure::no_memory) return Error::out_of_memory();
  const std::size_t colon = text.find(": ");
  const std::string_view kind = std::string_view(text).substr(0, colon == text.npos ? 0 : colon);
  for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
    if (name(Errc(code)) != kind) continue;
    text.erase(0, colon + 2);
    return Error(Errc(code), std::move(text));
  }
  return Error(Errc::reset, std::move(text));
}

}  // namespace

HostOperation::HostOperation(Reactor& reactor) : reply_(Context::of(reactor), error_of) {}

HostOperation::~HostOperation() { esc_host_drop(id()); }

Task<HostOutcome> HostOperation::outcome(Duration limit) {
  std::string bytes = co_await reply_.answer(limit, no_outcome);
  co_return HostOutcome(reply_.status(), std::move(bytes));
}

}  // namespace escapement::wasm
