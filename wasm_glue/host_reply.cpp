#include <escapement/wasm_glue/host_reply.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/room_for.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

namespace {

constexpr escapement::detail::LimitName sending_stalled{TimeLimit::write, "no progress"};

}  // namespace

Task<std::string> HostReply::answer(Duration limit, escapement::detail::LimitName name) {
  if (!failure_ && !reported_.is_set()) co_await context_.wait_for_host(reported_, limit, name);
  if (failure_) co_return *failure_;
  reported_.reset();
  open_ = false;
  co_return std::exchange(bytes_, std::string());
}

Task<> HostReply::until_wanted(Duration limit) {
  if (!wanted_.is_set()) co_await context_.wait_for_host(wanted_, limit, sending_stalled);
  wanted_.reset();
}

char* HostReply::place(std::size_t length) {
  if (!room_for(length + turn_room)) return nullptr;
  bytes_.resize(length);
  return bytes_.data();
}

void HostReply::arrived(int status, double number) {
  status_ = status;
  number_ = number;
  if (number >= 0) bytes_.resize(std::min(bytes_.size(), static_cast<std::size_t>(number)));
  reported_.set();
}

void HostReply::failed(Error why) {
  failure_ = std::move(why);
  reported_.set();
}

}  // namespace escapement::wasm

using escapement::wasm::Context;
using escapement::wasm::FetchFailure;
using escapement::wasm::HostReply;
using escapement::wasm::take_text;

extern "C" {

ESC_EXPORT(esc_place) char* esc_place(Context* context, int id, std::size_t length) {
  HostReply* const reply = context->find(id);
  return reply == nullptr ? nullptr : reply->place(length);
}

ESC_EXPORT(esc_reply) double esc_reply(Context* context, double now, int id, int status, double number) {
  if (HostReply* const reply = context->find(id)) reply->arrived(status, number);
  return context->step(now);
}

ESC_EXPORT(esc_failed)
double esc_failed(Context* context, double now, int id, int kind, char* text, std::size_t length) {
  std::string why = text == nullptr ? std::string() : take_text(text, length);
  if (HostReply* const reply = context->find(id)) reply->failed(FetchFailure(kind), std::move(why));
  return context->step(now);
}

ESC_EXPORT(esc_wanted) double esc_wanted(Context* context, double now, int id) {
  if (HostReply* const reply = context->find(id)) reply->wanted();
  return context->step(now);
}

}  // extern "C"
