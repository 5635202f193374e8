#include "wasm_glue/fake_js.h"

#include <algorithm>
#include <cstring>

#include <escapement/wasm_glue/abi.h>

using escapement::test::js;
using escapement::wasm::Context;

extern "C" {

void* esc_alloc(std::size_t length);
Context* esc_open(double now);
void esc_close(Context* context);
double esc_step(Context* context, double now);
int esc_cancel(Context* context);
void esc_request(Context* context, int has_body, char* text, std::size_t length);
void esc_fetch_head(Context* context, int id, char* text, std::size_t length);
void esc_fetch_bytes(Context* context, int id, char* text, std::size_t length);
void esc_fetch_failed(Context* context, int id, int kind, char* text, std::size_t length);
void esc_host_done(Context* context, int id, int status, char* text, std::size_t length);
void esc_request_bytes(Context* context, char* text, std::size_t length);
void esc_request_failed(Context* context, char* text, std::size_t length);
void esc_response_wanted(Context* context);

double esc_host_now() { return js.now; }
double esc_host_wall() { return 1.7e12; }
double esc_host_random() { return 0.5; }
void esc_host_log(int, const char*, std::size_t) {}

void esc_host_resolve(int ok, const char* text, std::size_t length) {
  js.settled = true;
  js.ok = ok != 0;
  js.result.assign(text, length);
}
void esc_host_failed(const char* text, std::size_t length) { js.failure.assign(text, length); }

void esc_host_fetch(int id, const char* head, std::size_t head_length, const char* body,
                    std::size_t body_length) {
  js.calls.push_back("fetch " + std::to_string(id));
  js.last_fetch = id;
  js.fetch_head.assign(head, head_length);
  js.fetch_body.assign(body, body_length);
}
void esc_host_fetch_read(int id) { js.calls.push_back("fetch_read " + std::to_string(id)); }
void esc_host_fetch_drop(int id) { js.calls.push_back("fetch_drop " + std::to_string(id)); }
void esc_host_request_read() { js.calls.push_back("request_read"); }

int esc_host_env(const char*, std::size_t, char*, std::size_t) { return -1; }

int esc_host_abort_reason(char* to, std::size_t room) {
  if (js.abort_reason.size() <= room) std::memcpy(to, js.abort_reason.data(), js.abort_reason.size());
  return static_cast<int>(js.abort_reason.size());
}

void esc_host_respond(int status, const char* fields, std::size_t fields_length, const char* body,
                      std::size_t body_length, int streams) {
  js.responded = true;
  js.response_head = std::to_string(status) + '\n' + std::string(fields, fields_length);
  js.response_body.assign(body, body_length);
  js.streams = streams != 0;
}
void esc_host_response_bytes(const char* bytes, std::size_t length) {
  js.response_body.append(bytes, length);
}
void esc_host_response_end(const char*, std::size_t length) { js.response_end = length == 0 ? 0 : 1; }

}  // extern "C"

namespace escapement::test {

FakeJs js;

namespace {

char* placed(std::string_view text) {
  char* place = static_cast<char*>(esc_alloc(text.size()));
  std::memcpy(place, text.data(), text.size());
  return place;
}

}  // namespace

std::size_t FakeJs::count(std::string_view call) const {
  return static_cast<std::size_t>(std::ranges::count(calls, call));
}

FakeContext::FakeContext() : context_((js = FakeJs(), esc_open(js.now))) {}

void FakeContext::step() { delay = esc_step(context_, js.now); }
void FakeContext::advance(double milliseconds) {
  js.now += milliseconds;
  step();
}
void FakeContext::close() {
  if (context_ != nullptr) esc_close(context_);
  context_ = nullptr;
}
bool FakeContext::cancel() {
  const bool told = esc_cancel(context_) != 0;
  step();
  return told;
}
void FakeContext::run(void (*task)(Context*, char*, std::size_t), std::string_view input) {
  task(context_, placed(input), input.size());
  step();
}
void FakeContext::request(std::string_view head, bool has_body) {
  esc_request(context_, has_body ? 1 : 0, placed(head), head.size());
  step();
}
void FakeContext::fetch_head(std::string_view head) {
  esc_fetch_head(context_, js.last_fetch, placed(head), head.size());
  step();
}
void FakeContext::fetch_bytes(std::string_view bytes) {
  esc_fetch_bytes(context_, js.last_fetch, placed(bytes), bytes.size());
  step();
}
void FakeContext::fetch_failed(std::string_view why) {
  esc_fetch_failed(context_, js.last_fetch, 0, placed(why), why.size());
  step();
}
void FakeContext::done(int id, int status, std::string_view bytes) {
  esc_host_done(context_, id, status, placed(bytes), bytes.size());
  step();
}
void FakeContext::request_bytes(std::string_view bytes) {
  esc_request_bytes(context_, placed(bytes), bytes.size());
  step();
}
void FakeContext::request_failed(std::string_view why) {
  esc_request_failed(context_, placed(why), why.size());
  step();
}
void FakeContext::wanted() {
  esc_response_wanted(context_);
  step();
}

}  // namespace escapement::test
