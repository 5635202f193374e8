#include <escapement/wasm_glue/host_operation.h>

#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

namespace {

constexpr escapement::detail::LimitName no_outcome{TimeLimit::operation, "no reply of the host"};

// Parses "kind: sentence", as JavaScript writes the reason of a rejected promise.
Error error_of(std::string text) {
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

HostOperation::HostOperation(Reactor& reactor)
    : context_(Context::of(reactor)), id_(context_.add_fetch(*this)), reply_(context_) {}

HostOperation::~HostOperation() {
  context_.remove_fetch(id_);
  esc_host_fetch_drop(id_);
}

Task<HostOutcome> HostOperation::outcome(Duration limit) {
  std::string bytes = co_await reply_.answer(limit, no_outcome);
  co_return HostOutcome(status_, std::move(bytes));
}

void HostOperation::done(int status, std::string bytes) {
  status_ = status;
  if (status < 0) {
    reply_.failed(error_of(std::move(bytes)));
  } else {
    reply_.arrived(std::move(bytes));
  }
}

}  // namespace escapement::wasm

using escapement::wasm::Context;
using escapement::wasm::FetchEvents;
using escapement::wasm::HostOperation;
using escapement::wasm::take_text;

extern "C" {

// Only operations are settled by this export, by their own JavaScript.
ESC_EXPORT(esc_host_done)
void esc_host_done(Context* context, int id, int status, char* text, std::size_t length) {
  std::string bytes = text == nullptr ? std::string("overloaded: out of memory") : take_text(text, length);
  FetchEvents* const operation = context->fetch(id);
  if (operation == nullptr) return;
  static_cast<HostOperation*>(operation)->done(text == nullptr ? -1 : status, std::move(bytes));
}

}  // extern "C"
