#include <escapement/wasm_glue/worker.h>

#include <array>

#include <escapement/io/http/h1/writer.h>
#include <escapement/wasm_glue/heads.h>
#include <escapement/wasm_glue/host_reply.h>
#include <escapement/wasm_glue/send_body.h>

namespace escapement::wasm {

namespace {

constexpr escapement::detail::LimitName body_stalled{TimeLimit::body, "nothing"};

Error body_error(FetchFailure kind, std::string why) {
  if (kind == FetchFailure::no_memory) return Error::out_of_memory();
  return Error(Errc::reset, "the request's body: " + why);
}

// One request being answered: what the host reports about both bodies, for the tasks that wait for it. The
// first thing of its context that has a number.
class Exchange {
 public:
  Exchange(Context& context, const WorkerOptions& options) : options_(options), reply_(context, body_error) {}
  Exchange(const Exchange&) = delete;
  ~Exchange() {
    if (fields_ != nullptr) fields_->keep();
  }

  // The request's fields.
  http::Headers fields() {
    return http::Headers::loaded_by(std::make_unique<HostFields>(request_id, fields_));
  }
  // The next bytes of the request's body.
  Task<std::string> read() {
    if (ended_) co_return std::string();
    if (reply_.must_ask()) esc_host_read(request_id);
    Result<std::string> bytes = co_await reply_.answer(options_.body_idle, body_stalled).result();
    stalled_ = !bytes && bytes.error() == Errc::timed_out;
    if (stalled_) co_return std::move(bytes).error().context("reading the request's body");
    if (bytes) ended_ = reply_.status() != 0;
    co_return co_await std::move(bytes);
  }
  // Returns whether the last read of it took too long.
  bool stalled() const { return stalled_; }

  HostReply& reply() { return reply_; }

 private:
  WorkerOptions options_;
  HostReply reply_;
  HostFields* fields_ = nullptr;
  bool stalled_ = false;
  bool ended_ = false;
};

// Holds the host to the length that the client stated.
class ExchangeBody final : public http::BodySource {
 public:
  ExchangeBody(std::weak_ptr<Exchange> exchange, std::optional<std::uint64_t> stated)
      : exchange_(std::move(exchange)), stated_(stated) {}
  Task<std::string> read() override {
    asked_ = true;
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
  int host_handle() override { return asked_ || exchange_.expired() ? 0 : request_id; }

 private:
  std::weak_ptr<Exchange> exchange_;
  std::optional<std::uint64_t> stated_;
  std::uint64_t received_ = 0;
  bool asked_ = false;
};

// The methods that cross as a number.
http::Method method_of(int number, std::string_view& text) {
  constexpr std::array<std::string_view, 7> names = {"GET",    "HEAD",    "POST", "PUT",
                                                     "DELETE", "OPTIONS", "PATCH"};
  return number == 0 ? take_line(text) : names[static_cast<std::size_t>(number) - 1];
}

// True if `response` is the one of a fetch, as it came.
bool untouched(const http::Response& response, int handle) {
  const http::Headers::Loader* const loader = response.headers.loader();
  if (handle == 0 || loader == nullptr) return false;
  const HostFields& fields = static_cast<const HostFields&>(*loader);
  return fields.id() == handle && handle != request_id && fields.status() == response.status;
}

void respond(http::Response& response, std::string_view body) {
  std::string fields;
  append_fields(fields, response.headers, http::may_have_content(response.status) || response.status == 304);
  esc_host_respond(response.status, fields.data(), fields.size(), body.data(), body.size());
}

Task<> answer(Context& context, const http::Service& service, const WorkerOptions& options, int method,
              std::string text, bool has_body) {
  auto exchange = std::make_shared<Exchange>(context, options);
  std::string_view rest = text;
  http::Method asked = method_of(method, rest);
  const bool is_head = asked == http::Method::head();
  std::string target;
  Result<http::Response> outcome = Error(Errc::invalid_argument);
  Result<http::Url> url = http::Url::parse(rest);
  const bool valid = static_cast<bool>(url);
  if (valid) {
    http::Request request(std::move(asked), *std::move(url), exchange->fields());
    request.target = target = request.url.target();
    if (has_body) {
      request.body = http::Body(std::make_unique<ExchangeBody>(exchange, stated_length(request.headers)));
    }
    outcome = co_await service(std::move(request)).result();
  }
  int handle = outcome && !is_head ? outcome->body.host_handle() : 0;
  if (handle != 0 && untouched(*outcome, handle)) {
    esc_host_relay(handle);
    outcome->headers = http::Headers();  // before the body, which would have the fields kept
    co_return;
  }
  // A response that may not be sent is a failure of the service.
  if (outcome) {
    const Result<> sendable = http::check_response(*outcome, is_head);
    if (!sendable) outcome = sendable.error();
  }
  if (valid && !outcome) report_failure(outcome.error());
  int status = 400;
  if (valid && !outcome) status = exchange->stalled() ? 408 : http::error_status(outcome.error());
  http::Response response = outcome ? *std::move(outcome) : http::Response(status);
  if (!http::may_have_content(response.status)) response.body = http::Body();
  if (!outcome) {
    response.headers.add("Content-Type", "text/plain");
    response.body = http::Body(std::string(http::reason_phrase(response.status)) + "\n");
  }
  // Nobody reads the body of an answer to HEAD.
  if (is_head && !response.body.replayable()) response.body = http::Body();
  if (response.body.replayable()) {
    respond(response, response.body.bytes());
    co_return;
  }
  handle = response.body.host_handle();
  respond(response, std::string_view(nullptr, handle != 0 ? static_cast<std::size_t>(handle) : own_stream));
  if (handle != 0) co_return;
  std::uint64_t sent = 0;
  Result<> streamed =
      co_await send_body(exchange->reply(), response.body, options.write_stall, sent).result();
}

}  // namespace

void Worker::begin(Context& context, int method, std::string text, bool has_body) const {
  context.scope().spawn(answer(context, service_, options_, method, std::move(text), has_body));
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
