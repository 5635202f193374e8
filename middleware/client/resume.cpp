#include <escapement/middleware/client/resume.h>

#include <charconv>

#include <escapement/core/detail/number.h>
#include <escapement/middleware/client/call_budget.h>
#include <escapement/middleware/client/retry_policy.h>
#include <escapement/timers/sleep.h>

namespace escapement::http {

namespace {

// The bytes of a representation, as Content-Range says: "bytes 0-99/100".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<std::uint64_t> complete;
};

std::optional<ContentRange> content_range(const Headers& headers) {
  std::string_view text = headers.get_or("content-range", "");
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == text.npos || slash == text.npos || dash > slash) return std::nullopt;
  const auto first = parse_number<std::uint64_t>(text.substr(0, dash));
  const auto last = parse_number<std::uint64_t>(text.substr(dash + 1, slash - dash - 1));
  const auto complete = parse_number<std::uint64_t>(text.substr(slash + 1));
  if (!first || !last || *first > *last || (!complete && text.substr(slash + 1) != "*")) return std::nullopt;
  return ContentRange{*first, *last, complete};
}

// Returns the entity tag if it is a strong one; empty otherwise.
std::string strong_tag(const Headers& headers) {
  const std::string_view tag = headers.get_or("etag", "");
  return tag.starts_with('"') ? std::string(tag) : std::string();
}

class ResumedSource final : public BodySource {
 public:
  ResumedSource(Resume settings, Request request, Service next, std::shared_ptr<const void> paid,
                const Response& response)
      : settings_(std::move(settings)),
        request_(std::move(request)),
        next_(std::move(next)),
        paid_(std::move(paid)),
        tag_(strong_tag(response.headers)) {
    if (response.status == 206) {
      const ContentRange range = content_range(response.headers).value();
      at_ = range.first;
      end_ = range.last + 1;
      complete_ = range.complete;
    } else {
      complete_ = response.body.length();
      end_ = complete_;
    }
    length_ = response.body.length();
  }

  void begin(Body body) { body_ = std::move(body); }

  Task<std::string> read() override {
    if (wrong_) co_return *wrong_;
    std::optional<Error> first = broken_;
    for (;;) {
      if (!broken_) {
        Result<std::string> piece = co_await read_on().result();
        if (piece) co_return *std::move(piece);
        if (!first) first.emplace(piece.error());
        if (piece.error() == Errc::bad_message) wrong_ = *first;
        const RetryDecision decision = decide(true, Attempt(piece.error()), SystemTime());
        if (!decision.again) co_return std::move(*first);
      }
      Result<> resumed = co_await resume(*first).result();
      if (!resumed) co_return std::move(resumed).error();
    }
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  Headers trailers() override { return body_.trailers(); }

 private:
  // Returns the next bytes that the reader has not had.
  Task<std::string> read_on() {
    for (;;) {
      std::string piece = co_await body_.read();
      if (piece.empty() && skip_ > 0) {
        co_return Error(Errc::bad_message, "the body is shorter than what came of it before");
      }
      if (piece.empty() && end_ && at_ < *end_) {
        co_return Error(Errc::reset, "the body ended " + std::to_string(*end_ - at_) + " bytes too early");
      }
      const std::size_t skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, piece.size()));
      skip_ -= skipped;
      piece.erase(0, skipped);
      if (piece.empty() && skipped > 0) continue;
      if (end_ && piece.size() > *end_ - at_) {
        co_return Error(Errc::bad_message, "the body has more bytes than its head says");
      }
      at_ += piece.size();
      if (!piece.empty()) without_progress_ = 0;
      co_return std::move(piece);
    }
  }

  // Asks for the rest until a body of it has begun. Fails if there is none to be had.
  Task<> resume(const Error& first) {
    Reactor& reactor = co_await this_reactor;
    broken_ = first;
    body_ = Body();
    skip_ = 0;
    std::optional<Duration> named;
    while (requests_++ < settings_.requests_max) {
      const int without = without_progress_++;
      const Duration backoff =
          without == 0 ? Duration()
                       : exponential_backoff(settings_.backoff, settings_.backoff_max, without - 1);
      const Duration drawn = full_jitter(backoff, reactor.random());
      const Duration wait = named ? positive_jitter(*named, reactor.random()) : drawn;
      if (reactor.precise_now() + wait >= request_.deadline) break;
      const RetryBudget* const budget = settings_.budget ? &*settings_.budget : budget_of_call(reactor);
      if (budget != nullptr && !budget->withdraw(reactor.now())) break;
      if (wait > Duration()) co_await sleep(wait);
      Result<Response> outcome = co_await next_(rest_request()).result();
      if (outcome && (outcome->status == 200 || outcome->status == 206)) {
        if (!goes_on(*outcome)) {
          Error changed = Error(first).remark("the rest was not read, because it has changed since");
          co_await std::move(changed);
        }
        body_ = std::move(outcome->body);
        broken_.reset();
        co_return;
      }
      const Attempt attempt = outcome ? Attempt(*outcome) : Attempt(outcome.error());
      const RetryDecision decision = decide(true, attempt, reactor.backend().system_now());
      if (!decision.again) break;
      named = decision.server_delay;
      if (!named && decision.backoff_min > Duration()) named = decision.backoff_min;
      if (named && *named > settings_.server_delay_max) break;
    }
    Error last = first;
    co_await std::move(last);
  }

  Request rest_request() const {
    Request request = request_.copy_without_body();
    std::string range = "bytes=" + std::to_string(at_) + '-';
    if (end_ && request_.headers.has("range")) range += std::to_string(*end_ - 1);
    for (const char* condition : {"if-none-match", "if-modified-since", "if-unmodified-since"}) {
      request.headers.remove(condition);  // the response that it asked for has begun
    }
    request.headers.set("Range", range);
    request.headers.set("If-Range", tag_);
    return request;
  }

  // Returns whether the response continues this body, up to its end. Notes where that is, if it was not
  // known.
  bool goes_on(const Response& response) {
    if (strong_tag(response.headers) != tag_) return false;
    return response.status == 200 ? is_whole(response.body.length())
                                  : is_rest(content_range(response.headers));
  }
  bool is_whole(std::optional<std::uint64_t> length) {
    if (request_.headers.has("range")) return false;
    if (complete_ && length && length != complete_) return false;
    if (!complete_) complete_ = length;
    if (!end_) end_ = complete_;
    skip_ = at_;
    return true;
  }
  bool is_rest(const std::optional<ContentRange>& range) {
    if (!range || range->first != at_) return false;
    if (complete_ && range->complete && range->complete != complete_) return false;
    const std::optional<std::uint64_t> complete = complete_ ? complete_ : range->complete;
    // Without a Range of the request's own, the end of the body is that of the representation.
    const std::optional<std::uint64_t> end = end_ || request_.headers.has("range") ? end_ : complete;
    if (end != range->last + 1) return false;
    complete_ = complete;
    end_ = end;
    return true;
  }

  Resume settings_;
  Request request_;
  Service next_;
  std::shared_ptr<const void> paid_;  // the budget's: the rest is of the same call
  std::string tag_;
  std::optional<Error> wrong_;   // the server contradicts itself: there is no more to be had
  std::optional<Error> broken_;  // the body broke, and its rest has not begun: not even for a later read
  Body body_;
  std::uint64_t at_ = 0;                   // of the representation: the byte that comes next
  std::optional<std::uint64_t> end_;       // and the first that does not belong to the body any more
  std::optional<std::uint64_t> complete_;  // the length of the representation
  std::optional<std::uint64_t> length_;    // the length of this body
  std::uint64_t skip_ = 0;                 // bytes of `body_` that the reader has had
  int requests_ = 0;
  int without_progress_ = 0;
};

// Returns whether the request asks for at most one range, of the kind whose rest can be named.
bool one_range(const Headers& headers) {
  const std::string_view range = headers.get_or("range", "bytes=0-");
  return range.starts_with("bytes=") && range.find(',') == range.npos && headers.count("range") <= 1;
}

bool can_resume(const Response& response) {
  if (response.body.replayable() || strong_tag(response.headers).empty()) return false;
  if (equal_ignoring_case(response.headers.get_or("accept-ranges", ""), "none")) return false;
  if (response.status == 200) return true;
  if (response.status != 206) return false;
  const std::optional<ContentRange> range = content_range(response.headers);
  const std::optional<std::uint64_t> length = response.body.length();
  return range && (!length || *length == range->last - range->first + 1);
}

Task<Response> send_and_resume(const Resume& settings, Request request, const Service& next) {
  std::shared_ptr<const void> paid;
  if (settings.budget) {
    Reactor& reactor = co_await this_reactor;
    paid = settings.budget->pay_for(request, reactor.now());
  }
  Request again = request.copy_without_body();
  const bool ranged = request.headers.has("range");
  Response response = co_await next(std::move(request));
  if (!can_resume(response)) co_return std::move(response);
  if (ranged && response.status == 200) again.headers.remove("range");
  auto source = std::make_unique<ResumedSource>(settings, std::move(again), next, std::move(paid), response);
  Body broken = std::move(response.body);
  Body whole;
  source->begin(std::move(broken));
  whole = Body(std::move(source));
  response.body = std::move(whole);
  co_return std::move(response);
}

}  // namespace

Task<Response> Resume::operator()(Request request, const Service& next) const {
  const bool fit = request.method == Method::get() && request.body.replayable() &&
                   request.body.bytes().empty() && one_range(request.headers);
  if (!fit) return next(std::move(request));
  return send_and_resume(*this, std::move(request), next);
}

}  // namespace escapement::http
