#include <escapement/wasm_glue/worker.h>

#include <algorithm>
#include <charconv>

#include <escapement/core/event.h>
#include <escapement/wasm_glue/heads.h>

namespace escapement::wasm {

namespace {

// One request being answered: what the host reports about both bodies, for the tasks that wait for it.
class Exchange final : public RequestEvents {
 public:
  explicit Exchange(Context& context) : context_(context) { context_.request = this; }
  Exchange(const Exchange&) = delete;
  ~Exchange() { context_.request = nullptr; }

  Task<std::string> read() {
    esc_host_request_read();
    co_await arrived_.wait();
    arrived_.reset();
    if (failure_) co_return *failure_;
    co_return std::move(bytes_);
  }
  Task<> until_wanted() {
    co_await wanted_.wait();
    wanted_.reset();
  }

  void bytes(std::string bytes) override {
    bytes_ = std::move(bytes);
    arrived_.set();
  }
  void failed(std::string why) override {
    failure_ = Error(Errc::reset, "the request's body: " + why);
    arrived_.set();
  }
  void wanted() override { wanted_.set(); }

 private:
  Context& context_;
  std::string bytes_;
  std::optional<Error> failure_;
  Event arrived_;
  Event wanted_;
};

class ExchangeBody final : public http::BodySource {
 public:
  explicit ExchangeBody(std::weak_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  Task<std::string> read() override {
    std::shared_ptr<Exchange> exchange = exchange_.lock();
    if (!exchange) co_return Error(Errc::cancelled, "the request is over");
    co_return co_await exchange->read();
  }

 private:
  std::weak_ptr<Exchange> exchange_;
};

// `target` is what the request refers to.
Result<http::Request> make_request(std::string_view head, http::Body body, std::string& target) {
  std::string method(take_line(head));
  Result<http::Url> url = http::Url::parse(take_line(head));
  if (!url) return std::move(url).error();
  http::Request request(std::move(method), *std::move(url), parse_fields(head), std::move(body));
  request.target = target = request.url.target();
  return request;
}

void respond(const http::Response& response, std::string_view body, bool streams) {
  char digits[12];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof digits, response.status);
  std::string head(digits, end.ptr);
  head += '\n';
  append_fields(head, response.headers);
  esc_host_respond(head.data(), head.size(), body.data(), body.size(), streams ? 1 : 0);
}

void tell(const Error& error) {
  const std::string text = to_string(error);
  esc_host_failed(text.data(), text.size());
}

Task<> stream(Exchange& exchange, http::Body& body) {
  for (;;) {
    co_await exchange.until_wanted();
    const std::string bytes = co_await body.read();
    if (bytes.empty()) co_return;
    esc_host_response_bytes(bytes.data(), bytes.size());
  }
}

Task<> answer(Context& context, const http::Service& service, std::string head, bool has_body) {
  auto exchange = std::make_shared<Exchange>(context);
  const bool is_head = head.starts_with("HEAD\n");
  http::Body body;
  if (has_body) body = http::Body(std::make_unique<ExchangeBody>(exchange));
  std::string target;
  Result<http::Request> request = make_request(head, std::move(body), target);
  Result<http::Response> outcome = Error(Errc::invalid_argument);
  if (request) outcome = co_await service(*std::move(request)).result();
  // What no host can send is this service's failure, not the instance's.
  if (outcome && (outcome->status < 200 || outcome->status > 599)) {
    outcome = Error(Errc::invalid_argument, "no final status: " + std::to_string(outcome->status));
  }
  if (request && !outcome) tell(outcome.error());
  http::Response response = outcome ? *std::move(outcome) : http::Response(request ? 500 : 400);
  if (response.status == 204 || response.status == 205 || response.status == 304)
    response.body = http::Body();
  if (!outcome) {
    response.headers.add("Content-Type", "text/plain");
    response.body = http::Body(std::string(http::reason_phrase(response.status)) + "\n");
  }
  // Nobody reads the body of an answer to HEAD.
  if (is_head && !response.body.replayable()) response.body = http::Body();
  if (response.body.replayable()) {
    respond(response, response.body.bytes(), false);
    co_return;
  }
  respond(response, {}, true);
  Result<> streamed = co_await stream(*exchange, response.body).result();
  const std::string why = streamed ? std::string() : to_string(streamed.error());
  esc_host_response_end(why.data(), why.size());
}

Task<> tell_of_failure(Task<> task) {
  Result<> result = co_await std::move(task).result();
  if (!result) tell(result.error());
}

}  // namespace

void begin_request(Context& context, const http::Service& service, std::string head, bool has_body) {
  context.scope().spawn(answer(context, service, std::move(head), has_body));
}

void outlive(Reactor& reactor, Task<> task) {
  Context::of(reactor).scope().spawn(tell_of_failure(std::move(task)));
}

std::optional<std::string> env(Reactor& reactor, std::string_view name) {
  std::string_view rest = Context::of(reactor).env;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    const std::size_t equals = entry.find('=');
    if (entry.substr(0, equals) == name) return std::string(entry.substr(equals + 1));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
  }
  return std::nullopt;
}

}  // namespace escapement::wasm

using escapement::wasm::Context;
using escapement::wasm::take_text;

extern "C" {

ESC_EXPORT(esc_request_bytes) void esc_request_bytes(Context* context, char* text, std::size_t length) {
  std::string bytes = take_text(text, length);
  if (context->request != nullptr) context->request->bytes(std::move(bytes));
}

ESC_EXPORT(esc_request_failed) void esc_request_failed(Context* context, char* text, std::size_t length) {
  std::string why = take_text(text, length);
  if (context->request != nullptr) context->request->failed(std::move(why));
}

ESC_EXPORT(esc_response_wanted) void esc_response_wanted(Context* context) {
  if (context->request != nullptr) context->request->wanted();
}

}  // extern "C"
