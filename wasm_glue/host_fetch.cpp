#include <escapement/wasm_glue/host_fetch.h>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/progress.h>
#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/heads.h>
#include <escapement/wasm_glue/host_reply.h>
#include <escapement/wasm_glue/runtime.h>

namespace escapement::wasm {

namespace {

Error error_of(FetchFailure kind, const std::string& why) {
  const std::string text = "fetch failed: " + why;
  switch (kind) {
    case FetchFailure::no_fetch: return Error(Errc::unsupported, "this host has no fetch()").nothing_sent();
    case FetchFailure::bad_request: return Error(Errc::invalid_argument, text).nothing_sent();
    case FetchFailure::no_such_host: return Error(Errc::not_found, text).nothing_sent();
    case FetchFailure::not_reached: return Error(Errc::unavailable, text).nothing_sent();
    case FetchFailure::untrusted: return Error(Errc::untrusted, text).nothing_sent();
    case FetchFailure::timed_out: return Error(Errc::timed_out, text);
    case FetchFailure::bad_answer: return Error(Errc::bad_message, text);
    case FetchFailure::hidden: return Error(Errc::unsupported, text);
    case FetchFailure::no_memory: return Error::out_of_memory();
    case FetchFailure::unknown: break;
  }
  return Error(Errc::reset, text);
}

constexpr escapement::detail::LimitName no_head{TimeLimit::head, "no head"};
constexpr escapement::detail::LimitName body_stalled{TimeLimit::body, "nothing"};

// The peer and the attempt of a call, for its failures.
struct Call {
  explicit Call(const http::Request& request) : origin(request.url.origin()), attempt(request.attempt) {}

  // `error` with both, and where our own limit ended it with what was being done.
  Error told(Error error, const escapement::detail::LimitName& limit, std::string_view doing) const {
    if (error.limit() == limit.which) error = std::move(error).context(std::string(doing) + origin);
    error = std::move(error).with_peer(origin);
    if (attempt != 0) error = std::move(error).in_attempt(attempt);
    return error;
  }

  std::string origin;
  int attempt;
};

// One fetch: what the host has reported, for the task that waits for it. Destroying it aborts the fetch.
class Fetch final : public FetchEvents {
 public:
  explicit Fetch(Context& context) : context_(context), id_(context.add_fetch(*this)), reply_(context) {}
  Fetch(const Fetch&) = delete;
  ~Fetch() {
    context_.remove_fetch(id_);
    esc_host_fetch_drop(id_);
  }

  // The response's head.
  Task<std::string> begin(std::string head, std::string body, Duration limit) {
    if (reply_.must_ask()) esc_host_fetch(id_, head.data(), head.size(), body.data(), body.size());
    return reply_.answer(limit, no_head);
  }
  // The next bytes of its body.
  Task<std::string> read(Duration limit) {
    if (reply_.must_ask()) esc_host_fetch_read(id_);
    return reply_.answer(limit, body_stalled);
  }

  void head(std::string text) override { reply_.arrived(std::move(text)); }
  void bytes(std::string bytes) override { reply_.arrived(std::move(bytes)); }
  void failed(FetchFailure kind, std::string why) override { reply_.failed(error_of(kind, why)); }

 private:
  Context& context_;
  int id_;
  HostReply reply_;
};

// Holds the host to the length that the server stated: not every fetch() notices a body that broke off.
class FetchBody final : public http::BodySource {
 public:
  FetchBody(std::unique_ptr<Fetch> fetch, Call call, std::optional<std::uint64_t> stated,
            Duration stall_timeout)
      : fetch_(std::move(fetch)), call_(std::move(call)), stated_(stated), stall_timeout_(stall_timeout) {}

  Task<std::string> read() override {
    if (!fetch_) co_return std::string();
    Result<std::string> read = co_await fetch_->read(stall_timeout_).result();
    if (!read) co_return call_.told(std::move(read).error(), body_stalled, "reading the body from ");
    std::string bytes = *std::move(read);
    received_ += bytes.size();
    if (bytes.empty()) {
      fetch_.reset();
      if (stated_ && received_ != *stated_) {
        Error broken(Errc::reset, "the response's body broke off");
        co_return call_.told(std::move(broken), body_stalled, {});
      }
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return stated_; }

 private:
  std::unique_ptr<Fetch> fetch_;
  Call call_;
  std::optional<std::uint64_t> stated_;
  std::uint64_t received_ = 0;
  Duration stall_timeout_;
};

// The length of the body, taken out of the fields where it is none. (Where the host has decoded the body, the
// fields do not show it.)
std::optional<std::uint64_t> body_length(http::Headers& headers) {
  const std::optional<std::uint64_t> stated = stated_length(headers);
  if (!stated) headers.remove("content-length");
  return stated;
}

Task<std::string> collected(http::Body& body, std::size_t max) {
  Result<std::string> all = co_await body.text(body.replayable() ? SIZE_MAX : max).result();
  if (all) co_return std::move(all);
  Error why = std::move(all).error().context("a body that streams is collected before fetch()");
  co_return std::move(why).nothing_sent();
}

Task<http::Response> fetch(HostFetchOptions options, http::Request request) {
  Reactor& reactor = co_await this_reactor;
  co_await http::check_request(request);
  const Call call(request);
  const std::shared_ptr<http::CallProgress> progress = request.progress;
  if (progress) {
    progress->reported = true;
    progress->attempt = request.attempt;
  }
  std::string body = co_await collected(request.body, options.streamed_body_max);
  std::string head(request.method.text());
  head += '\n';
  head += request.url.without_credentials();
  head += '\n';
  append_fields(head, request.headers, false);
  const Duration limit =
      options.head_timeout + Duration(1s) * static_cast<std::int64_t>(body.size() / (64 * KiB));
  auto fetch = std::make_unique<Fetch>(Context::of(reactor));
  if (progress) {  // from here on only the host knows
    progress->maybe_sent = true;
    progress->waits_for = TimeLimit::head;
  }
  Result<std::string> answer = co_await fetch->begin(std::move(head), std::move(body), limit).result();
  if (progress) progress->waits_for = TimeLimit::none;
  if (!answer) co_return call.told(std::move(answer).error(), no_head, "waiting for the response of ");
  std::string_view rest = *answer;
  const std::string_view line = take_line(rest);
  const int status = parse_number<int>(line).value_or(0);
  http::Response response(status, parse_fields(rest), http::Body());
  if (request.method == http::Method::head() || !http::may_have_content(status))
    co_return std::move(response);
  const std::optional<std::uint64_t> stated = body_length(response.headers);
  response.body =
      http::Body(std::make_unique<FetchBody>(std::move(fetch), call, stated, options.stall_timeout));
  co_return std::move(response);
}

}  // namespace

// The options are taken along: the call may outlive a HostFetch that was made for it.
Task<http::Response> HostFetch::operator()(http::Request request) const {
  return fetch(options_, std::move(request));
}

}  // namespace escapement::wasm

using escapement::wasm::Context;
using escapement::wasm::FetchEvents;
using escapement::wasm::FetchFailure;
using escapement::wasm::take_text;

extern "C" {

ESC_EXPORT(esc_fetch_head) void esc_fetch_head(Context* context, int id, char* text, std::size_t length) {
  std::string head = take_text(text, length);
  if (FetchEvents* fetch = context->fetch(id)) fetch->head(std::move(head));
}

ESC_EXPORT(esc_fetch_bytes) void esc_fetch_bytes(Context* context, int id, char* text, std::size_t length) {
  std::string bytes = take_text(text, length);
  if (FetchEvents* fetch = context->fetch(id)) fetch->bytes(std::move(bytes));
}

ESC_EXPORT(esc_fetch_failed)
void esc_fetch_failed(Context* context, int id, int kind, char* text, std::size_t length) {
  std::string why = text == nullptr ? std::string() : take_text(text, length);
  if (FetchEvents* fetch = context->fetch(id)) fetch->failed(FetchFailure(kind), std::move(why));
}

}  // extern "C"
