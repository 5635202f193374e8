#include <escapement/wasm_glue/worker.h>

#include <escapement/io/http/h1/writer.h>
#include <escapement/wasm_glue/heads.h>
#include <escapement/wasm_glue/host_reply.h>

namespace escapement::wasm {

namespace {

constexpr escapement::detail::LimitName body_stalled{TimeLimit::body, "nothing"};
constexpr escapement::detail::LimitName sending_stalled{TimeLimit::write, "no progress"};

// One request being answered: what the host reports about both bodies, for the tasks that wait for it.
class Exchange final : public RequestEvents {
 public:
  Exchange(Context& context, const WorkerOptions& options)
      : context_(context), options_(options), body_(context) {
    context_.request = this;
  }
  Exchange(const Exchange&) = delete;
  ~Exchange() { context_.request = nullptr; }

  // The next bytes of the request's body.
  Task<std::string> read() {
    if (body_.must_ask()) esc_host_request_read();
    Result<std::string> bytes = co_await body_.answer(options_.body_idle, body_stalled).result();
    stalled_ = !bytes && bytes.error() == Errc::timed_out;
    if (stalled_) co_return std::move(bytes).error().context("reading the request's body");
    co_return co_await std::move(bytes);
  }
  // Returns whether the last read of it took too long.
  bool stalled() const { return stalled_; }

  // Until the response's reader asks for more.
  Task<> until_wanted() {
    co_await context_.wait_for_host(wanted_, options_.write_stall, sending_stalled);
    wanted_.reset();
  }

  void bytes(std::string bytes) override { body_.arrived(std::move(bytes)); }
  void failed(Error why) override { body_.failed(std::move(why)); }
  void wanted() override { wanted_.set(); }

 private:
  Context& context_;
  WorkerOptions options_;
  HostReply body_;
  bool stalled_ = false;
  Event wanted_;
};

// Holds the host to the length that the client stated.
class ExchangeBody final : public http::BodySource {
 public:
  ExchangeBody(std::weak_ptr<Exchange> exchange, std::optional<std::uint64_t> stated)
      : exchange_(std::move(exchange)), stated_(stated) {}
  Task<std::string> read() override {
    std::shared_ptr<Exchange> exchange = exchange_.lock();
    if (!exchange) co_return Error(Errc::cancelled, "the request is over");
    std::string bytes = co_await exchange->read();
    received_ += bytes.size();
    if (bytes.empty() && stated_ && received_ != *stated_) {
      co_return Error(Errc::reset, "the request's body broke off");
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return stated_; }

 private:
  std::weak_ptr<Exchange> exchange_;
  std::optional<std::uint64_t> stated_;
  std::uint64_t received_ = 0;
};

// `target` is what the request refers to.
Result<http::Request> make_request(std::string_view head, std::string& target) {
  std::string method(take_line(head));
  Result<http::Url> url = http::Url::parse(take_line(head));
  if (!url) return std::move(url).error();
  http::Request request(std::move(method), *std::move(url), parse_fields(head));
  request.target = target = request.url.target();
  return request;
}

void respond(const http::Response& response, std::string_view body, bool streams) {
  std::string fields;
  append_fields(fields, response.headers, http::may_have_content(response.status) || response.status == 304);
  esc_host_respond(response.status, fields.data(), fields.size(), body.data(), body.size(), streams ? 1 : 0);
}

Task<> stream(Exchange& exchange, http::Body& body) {
  const std::optional<std::uint64_t> stated = body.length();
  std::uint64_t sent = 0;
  for (;;) {
    co_await exchange.until_wanted();
    const std::string bytes = co_await body.read();
    sent += bytes.size();
    if (stated && (bytes.empty() ? sent != *stated : sent > *stated)) {
      co_await Error(Errc::invalid_argument, "the body is not as long as it said");
    }
    if (bytes.empty()) co_return;
    esc_host_response_bytes(bytes.data(), bytes.size());
  }
}

Task<> answer(Context& context, const http::Service& service, const WorkerOptions& options, std::string head,
              bool has_body) {
  const bool is_head = head.starts_with("HEAD\n");
  auto exchange = std::make_shared<Exchange>(context, options);
  std::string target;
  Result<http::Request> request = make_request(head, target);
  if (request && has_body) {
    request->body = http::Body(std::make_unique<ExchangeBody>(exchange, stated_length(request->headers)));
  }
  Result<http::Response> outcome = Error(Errc::invalid_argument);
  if (request) outcome = co_await service(*std::move(request)).result();
  // A response that may not be sent is a failure of the service.
  if (outcome) {
    const Result<> sendable = http::check_response(*outcome, is_head);
    if (!sendable) outcome = sendable.error();
  }
  if (request && !outcome) report_failure(outcome.error());
  int status = 400;
  if (request && !outcome) status = exchange->stalled() ? 408 : http::error_status(outcome.error());
  http::Response response = outcome ? *std::move(outcome) : http::Response(status);
  if (!http::may_have_content(response.status)) response.body = http::Body();
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

}  // namespace

void Worker::begin(Context& context, std::string head, bool has_body) const {
  context.scope().spawn(answer(context, service_, options_, std::move(head), has_body));
}

void wait_until(Reactor& reactor, Task<> task) { Context::of(reactor).scope().spawn(std::move(task)); }

std::optional<std::string> env(Reactor&, std::string_view name) {
  std::string value(128, '\0');
  for (;;) {
    const int length = esc_host_env(name.data(), name.size(), value.data(), value.size());
    if (length < 0) return std::nullopt;
    const bool whole = static_cast<std::size_t>(length) <= value.size();
    value.resize(static_cast<std::size_t>(length));
    if (whole) return value;
  }
}

}  // namespace escapement::wasm

using escapement::Errc;
using escapement::Error;
using escapement::wasm::Context;
using escapement::wasm::take_text;

extern "C" {

ESC_EXPORT(esc_request_bytes) void esc_request_bytes(Context* context, char* text, std::size_t length) {
  std::string bytes = take_text(text, length);
  if (context->request != nullptr) context->request->bytes(std::move(bytes));
}

ESC_EXPORT(esc_request_failed) void esc_request_failed(Context* context, char* text, std::size_t length) {
  Error why = text == nullptr ? Error::out_of_memory()
                              : Error(Errc::reset, "the request's body: " + take_text(text, length));
  if (context->request != nullptr) context->request->failed(std::move(why));
}

ESC_EXPORT(esc_response_wanted) void esc_response_wanted(Context* context) {
  if (context->request != nullptr) context->request->wanted();
}

}  // extern "C"
