#include <escapement/wasm_glue/host_fetch.h>

#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/progress.h>
#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/detail/fetch_by.h>
#include <escapement/wasm_glue/heads.h>
#include <escapement/wasm_glue/host_reply.h>
#include <escapement/wasm_glue/runtime.h>
#include <escapement/wasm_glue/send_body.h>

namespace escapement::wasm {

namespace {

Error error_of(FetchFailure kind, std::string why) {
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

constexpr escapement::detail::LimitName no_place{TimeLimit::queue,
                                                 "no place among those that wait for a head"};
constexpr escapement::detail::LimitName no_head{TimeLimit::head, "no head"};
constexpr escapement::detail::LimitName body_stalled{TimeLimit::body, "nothing"};

// The peer and the attempt of a call, for its failures.
struct Call {
  Call(http::Url to, int attempt_number) : url(std::move(to)), attempt(attempt_number) {}

  // `error` with both, and where our own limit ended it with what was being done.
  Error told(Error error, const escapement::detail::LimitName& limit, std::string_view doing) const {
    const std::string origin = url.origin();
    if (error.limit() == limit.which) error = std::move(error).context(std::string(doing) + origin);
    error = std::move(error).with_peer(origin);
    if (attempt != 0) error = std::move(error).in_attempt(attempt);
    return error;
  }

  http::Url url;
  int attempt;
};

// One fetch, for the task that waits for it, and then for the body and the fields of its response. Destroying
// it aborts the fetch.
class Fetch {
 public:
  explicit Fetch(Context& context) : reply_(context, error_of) {}
  Fetch(const Fetch&) = delete;
  ~Fetch() { drop(); }

  HostReply& reply() { return reply_; }
  int id() const { return reply_.id(); }
  // The fields of the response of `fetch`, which they keep, so that the host keeps them.
  static http::Headers fields(const std::shared_ptr<Fetch>& fetch) {
    return http::Headers::loaded_by(
        std::make_unique<HostFields>(fetch->id(), fetch->fields_, fetch->reply_.status(), fetch));
  }
  // The next bytes of its body.
  Task<std::string> read(Duration limit) {
    if (reply_.must_ask()) esc_host_read(id());
    return reply_.answer(limit, body_stalled);
  }
  // Sends `body` as the host asks for it.
  void upload(Reactor& reactor, http::Body body, Duration stall) {
    upload_ = std::make_unique<Upload>(reactor, std::move(body));
    upload_->scope.spawn(send(stall));
  }
  // Returns how many bytes have been sent so.
  std::uint64_t sent() const { return upload_ ? upload_->sent : 0; }

  // Ends it now, also for those who still have its fields.
  void drop() {
    if (std::exchange(dropped_, true)) return;
    if (fields_ != nullptr) fields_->keep();
    upload_.reset();
    esc_host_drop(id());
  }

 private:
  struct Upload {
    Upload(Reactor& reactor, http::Body b) : body(std::move(b)), scope(reactor, nullptr) {}
    http::Body body;
    std::uint64_t sent = 0;
    Scope scope;
  };

  // A body that fails is why the fetch does, unless the server has not waited for it.
  Task<> send(Duration stall) {
    Result<> outcome = co_await send_body(reply_, upload_->body, stall, upload_->sent).result();
    if (!outcome && reply_.status() == 0) reply_.failed(std::move(outcome).error());
  }

  HostReply reply_;
  HostFields* fields_ = nullptr;
  bool dropped_ = false;
  std::unique_ptr<Upload> upload_;
};

// Holds the host to the length that the server stated: not every fetch() notices a body that broke off.
class FetchBody final : public http::BodySource {
 public:
  FetchBody(std::shared_ptr<Fetch> fetch, Call call, std::optional<std::uint64_t> stated,
            Duration stall_timeout)
      : fetch_(std::move(fetch)), call_(std::move(call)), stated_(stated), stall_timeout_(stall_timeout) {}
  ~FetchBody() override {
    if (fetch_) fetch_->drop();
  }

  Task<std::string> read() override {
    if (failure_) co_return *failure_;
    if (!fetch_) co_return std::string();
    asked_ = true;
    Result<std::string> read = co_await fetch_->read(stall_timeout_).result();
    if (!read) co_return fail(std::move(read).error(), "reading the body from ");
    std::string bytes = *std::move(read);
    received_ += bytes.size();
    const bool ended = fetch_->reply().status() != 0;
    if (ended) fetch_.reset();
    if (ended && stated_ && received_ != *stated_) {
      co_return fail(Error(Errc::reset, "the response's body broke off"), {});
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return stated_; }
  int host_handle() override { return fetch_ && !asked_ ? fetch_->id() : 0; }

 private:
  // Keeps the failure, and aborts the fetch.
  Error fail(Error error, std::string_view doing) {
    failure_.emplace(call_.told(std::move(error), body_stalled, doing));
    if (fetch_) fetch_->drop();
    fetch_.reset();
    return *failure_;
  }

  std::shared_ptr<Fetch> fetch_;
  std::optional<Error> failure_;
  Call call_;
  std::optional<std::uint64_t> stated_;
  std::uint64_t received_ = 0;
  Duration stall_timeout_;
  bool asked_ = false;
};

Task<std::string> collected(http::Body& body, std::size_t max) {
  Result<std::string> all = co_await body.text(body.replayable() ? SIZE_MAX : max).result();
  if (all) co_return std::move(all);
  Error why = std::move(all).error().context("a body that streams is collected before fetch()");
  co_return std::move(why).nothing_sent();
}

// The fetches that may wait for a head.
Semaphore& places(Context& context, int heads_max) {
  if (!context.fetch_places) {
    context.fetch_places = std::make_unique<Semaphore>(static_cast<std::size_t>(heads_max));
  }
  return *context.fetch_places;
}

Task<Semaphore::Permit> acquire(Semaphore& places) {
  Semaphore::Permit permit = co_await places.acquire();
  co_return std::move(permit);
}

}  // namespace

Task<http::Response> fetch_by(FetchBegin* begin, std::string service, HostFetchOptions options,
                              http::Request request) {
  Reactor& reactor = co_await this_reactor;
  co_await http::check_request(request);
  const Call call(request.url, request.attempt);
  const std::shared_ptr<http::CallProgress> progress = request.progress;
  if (progress) progress->begin(request.attempt);
  Context& context = Context::of(reactor);
  const int traits = esc_host_traits();
  const bool streams = !request.body.replayable() && (traits & 1) != 0;
  const int handle = streams ? request.body.host_handle() : 0;
  std::string body;
  std::string_view sent = body;
  if (!streams) {
    body = co_await collected(request.body, options.streamed_body_max);
    sent = body;
  } else {
    sent = std::string_view(nullptr, handle != 0 ? static_cast<std::size_t>(handle) : own_stream);
  }
  std::string head(request.method.text());
  head += '\n';
  head += request.url.without_credentials();
  head += '\n';
  append_fields(head, request.headers, false);

  std::optional<Semaphore::Permit> permit;
  const bool six = service.empty() && (traits & 2) != 0;
  const int heads_max = options.heads_max != 0 ? options.heads_max : six ? 6 : 0;
  if (heads_max != 0) {
    Semaphore& heads = places(context, heads_max);
    const bool queues = progress && heads.available() == 0;
    if (queues) progress->enter_queue(reactor.precise_now());
    Result<Semaphore::Permit> free =
        co_await escapement::detail::within(options.queue_timeout, no_place, acquire(heads)).result();
    if (!free) {
      Error why = call.told(std::move(free).error(), no_place, "waiting to send a request to ");
      co_return std::move(why).nothing_sent();
    }
    permit.emplace(*std::move(free));
    if (queues) progress->leave_queue(reactor.precise_now());
  }
  std::uint64_t hosts_bytes = body.size();
  if (handle != 0) hosts_bytes = request.body.length().value_or(unknown_body_bytes);
  const Duration limit = with_time_to_send(options.head_timeout, hosts_bytes);
  auto fetch = std::make_shared<Fetch>(context);
  if (progress) progress->send(TimeLimit::head);  // from here on only the host knows
  if (fetch->reply().must_ask()) {
    begin(service, fetch->id(), head, sent);
  }
  if (streams && handle == 0) fetch->upload(reactor, std::move(request.body), options.stall_timeout);
  Result<std::string> answer = Error(Errc::internal);
  for (std::uint64_t before = 0;; before = fetch->sent()) {  // the limit counts from the last piece
    answer = co_await fetch->reply().answer(limit, no_head).result();
    if (answer || answer.error() != Errc::timed_out || fetch->sent() == before) break;
  }
  permit.reset();
  if (progress) progress->wait_for(TimeLimit::none);
  if (!answer) co_return call.told(std::move(answer).error(), no_head, "waiting for the response of ");
  http::Response response(fetch->reply().status(), Fetch::fields(fetch), http::Body());
  if (request.method == http::Method::head() || !http::may_have_content(response.status)) {
    co_return std::move(response);
  }
  std::optional<std::uint64_t> stated;
  if (const double length = fetch->reply().number(); length >= 0) stated = static_cast<std::uint64_t>(length);
  response.body =
      http::Body(std::make_unique<FetchBody>(std::move(fetch), call, stated, options.stall_timeout));
  co_return std::move(response);
}

// The options are taken along: the call may outlive a HostFetch that was made for it.
Task<http::Response> HostFetch::operator()(http::Request request) const {
  return fetch_by(
      [](std::string_view, int id, std::string_view head, std::string_view body) {
        esc_host_fetch(id, head.data(), head.size(), body.data(), body.size());
      },
      std::string(), options_, std::move(request));
}

}  // namespace escapement::wasm
