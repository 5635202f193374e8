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
double esc_request(Context* context, double now, int method, char* text, std::size_t length, int has_body);
char* esc_place(Context* context, int id, std::size_t length);
double esc_reply(Context* context, double now, int id, int status, double number);
double esc_failed(Context* context, double now, int id, int kind, char* text, std::size_t length);
double esc_wanted(Context* context, double now, int id);

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

int esc_host_fields(int id, const char* name, std::size_t name_length, char* to, std::size_t room) {
  const std::string wanted(name, name_length);
  js.calls.push_back("fields " + std::to_string(id) + ' ' + wanted);
  std::string text = js.fields[id];
  if (!wanted.empty()) {
    const std::size_t at = ('\n' + text).find('\n' + wanted + ": ");
    if (at == text.npos) return -1;
    text.erase(0, at + wanted.size() + 2);
    text.resize(text.find('\n'));
  }
  if (text.size() <= room) std::memcpy(to, text.data(), text.size());
  return static_cast<int>(text.size());
}
void esc_host_read(int id) { js.calls.push_back("read " + std::to_string(id)); }
void esc_host_drop(int id) { js.calls.push_back("drop " + std::to_string(id)); }
void esc_host_send(int id, const char* bytes, std::size_t length) {
  (id == 1 && js.responded ? js.response_body : js.fetch_body).append(bytes, length);
}
void esc_host_send_end(int id, const char*, std::size_t length) {
  (id == 1 && js.responded ? js.response_end : js.upload_end) = length == 0 ? 0 : 1;
}

void esc_host_fetch(int id, const char* head, std::size_t head_length, const char* body,
                    std::size_t body_length) {
  js.calls.push_back("fetch " + std::to_string(id));
  js.last_fetch = id;
  js.fetch_head.assign(head, head_length);
  if (body != nullptr) {
    js.fetch_body.assign(body, body_length);
  } else {
    js.fetch_stream = static_cast<int>(body_length);
  }
}
int esc_host_traits() { return js.traits; }

int esc_host_env(const char*, std::size_t, char*, std::size_t) { return -1; }

int esc_host_abort_reason(char* to, std::size_t room) {
  if (js.abort_reason.size() <= room) std::memcpy(to, js.abort_reason.data(), js.abort_reason.size());
  return static_cast<int>(js.abort_reason.size());
}

void esc_host_respond(int status, const char* fields, std::size_t fields_length, const char* body,
                      std::size_t body_length) {
  js.responded = true;
  js.response_head = std::to_string(status) + '\n' + std::string(fields, fields_length);
  if (body != nullptr) {
    js.response_body.assign(body, body_length);
  } else {
    js.response_stream = static_cast<int>(body_length);
  }
}
void esc_host_relay(int id) {
  js.responded = true;
  js.calls.push_back("relay " + std::to_string(id));
}

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

FakeContext::FakeContext() {
  const int traits = js.traits;
  js = FakeJs();
  js.traits = traits;
  context_ = esc_open(js.now);
}

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
void FakeContext::run(double (*task)(Context*, double, char*, std::size_t), std::string_view input) {
  delay = task(context_, js.now, placed(input), input.size());
}
void FakeContext::request(std::string_view head, bool has_body) {
  const std::size_t fields = head.find('\n', head.find('\n') + 1);
  const std::string_view text = head.substr(0, fields);
  js.fields[1] = head.substr(std::min(head.size(), fields + 1));
  delay = esc_request(context_, js.now, 0, placed(text), text.size(), has_body ? 1 : 0);
}
void FakeContext::fetch_head(std::string_view head) {
  const std::size_t end = head.find('\n');
  js.fields[js.last_fetch] = head.substr(end + 1);
  constexpr std::string_view length = "content-length: ";
  const std::size_t at = head.find(length);
  const double stated = at == head.npos ? -1 : std::stod(std::string(head.substr(at + length.size())));
  delay = esc_reply(context_, js.now, js.last_fetch, std::stoi(std::string(head.substr(0, end))), stated);
}
void FakeContext::done(int id, int status, std::string_view bytes) {
  if (char* const place = bytes.empty() ? nullptr : esc_place(context_, id, bytes.size())) {
    std::memcpy(place, bytes.data(), bytes.size());
  }
  delay = esc_reply(context_, js.now, id, status, static_cast<double>(bytes.size()));
}
void FakeContext::failed(int id, std::string_view why) {
  delay = esc_failed(context_, js.now, id, 0, placed(why), why.size());
}
void FakeContext::fetch_bytes(std::string_view bytes) { done(js.last_fetch, bytes.empty() ? 1 : 0, bytes); }
void FakeContext::fetch_failed(std::string_view why) { failed(js.last_fetch, why); }
void FakeContext::request_bytes(std::string_view bytes) { done(1, bytes.empty() ? 1 : 0, bytes); }
void FakeContext::request_failed(std::string_view why) { failed(1, why); }
void FakeContext::wanted(int id) { delay = esc_wanted(context_, js.now, id); }

}  // namespace escapement::test
