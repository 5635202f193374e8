#include <escapement/middleware/client/explain.h>

#include <unordered_map>

#include <escapement/core/detail/defer.h>
#include <escapement/io/http/progress.h>
#include <escapement/middleware/client/detail/retry_loop.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace detail {

// The events of a call so far.
class Story {
 public:
  Story(Instant began, const Request& request)
      : began_(began), what_(std::string(request.method.text()) + ' ' + request.url.without_credentials()) {}

  void note(Instant now, const std::string& what) {
    lines_.push_back(left_aligned('+' + escapement::detail::text_of(now - began_)) + what);
  }
  int next_request() { return ++requests_; }
  void budget(std::uint64_t before, std::uint64_t after) {
    lines_.push_back(left_aligned("") + "retry budget: " + std::to_string(before) + " retries before, " +
                     std::to_string(after) + " after");
  }
  void end(Instant now, std::string outcome) {
    elapsed_ = now - began_;
    outcome_ = std::move(outcome);
  }

  int requests() const { return requests_; }
  Duration elapsed() const { return elapsed_; }
  std::string text() const {
    std::string text = what_ + ": " + outcome_ + " after " + escapement::detail::text_of(elapsed_) + ", " +
                       std::to_string(requests_) + (requests_ == 1 ? " request\n" : " requests\n");
    for (const std::string& line : lines_) text += line + '\n';
    return text;
  }

 private:
  static std::string left_aligned(std::string text) {
    constexpr std::size_t width = 9;
    text.resize(std::max(text.size() + 1, width), ' ');
    return text;
  }

  Instant began_;
  std::string what_;
  std::vector<std::string> lines_;
  int requests_ = 0;
  Duration elapsed_;
  std::string outcome_;
};

class Stories {
 public:
  // Null for a request of a call that began elsewhere, or is over.
  Story* of(const std::shared_ptr<CallProgress>& progress) const {
    for (const CallProgress* each = progress.get(); each != nullptr; each = each->whole.get()) {
      const auto found = stories_.find(each);
      if (found != stories_.end()) return found->second;
    }
    return nullptr;
  }
  void begin(const CallProgress& progress, Story& story) { stories_[&progress] = &story; }
  void end(const CallProgress& progress) { stories_.erase(&progress); }

 private:
  std::unordered_map<const CallProgress*, Story*> stories_;
};

std::shared_ptr<Stories> make_stories() { return std::make_shared<Stories>(); }

namespace {

std::string told(const Result<Response>& outcome) {
  return outcome ? std::to_string(outcome->status) : to_string(outcome.error());
}

Task<Response> note_request(Request request, Service service, std::shared_ptr<Stories> stories) {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<CallProgress> progress = request.progress;
  Story* story = stories->of(progress);
  if (story == nullptr) co_return co_await service(std::move(request));
  const std::string number = "request " + std::to_string(story->next_request());
  story->note(reactor.precise_now(),
              number + ": " + std::string(request.method.text()) + ' ' + request.url.without_credentials());
  const Duration queued = progress->queued;
  Result<Response> outcome = co_await service(std::move(request)).result();
  story = stories->of(progress);  // it may have ended, if this is a hedge
  if (story != nullptr) {
    std::string line = number + (outcome ? ": " : " failed: ") + told(outcome);
    if (progress->queued > queued) {
      line += ", after " + escapement::detail::text_of(progress->queued - queued) + " in a queue";
    }
    story->note(reactor.precise_now(), line);
  }
  co_return std::move(outcome);
}

std::string_view why(const Attempt& attempt, RetryStop stop) {
  switch (stop) {
    case RetryStop::not_temporary:
      if (attempt.response() != nullptr && attempt.response()->status < 400) return "no failure";
      if (attempt.error() != nullptr && attempt.error()->maybe_sent()) {
        return "another attempt would not help, or might do twice what was asked once";
      }
      return "another attempt would not help, or the server may have acted";
    case RetryStop::attempts_used_up: return "all attempts were made";
    case RetryStop::body_begun: return "the streaming body cannot be sent twice";
    case RetryStop::wait_too_long: return "the server asks for a longer wait than Retry::server_delay_max";
    case RetryStop::past_deadline: return "the wait would end after the caller's deadline";
    case RetryStop::no_budget: return "the retry budget is used up";
  }
  return "";
}

std::string_view why_again(const Attempt& attempt) {
  if (attempt.error() == nullptr) return "the status may be temporary";
  return attempt.error()->maybe_sent() ? "the request may be sent twice" : "nothing was sent";
}

class StoryHooks {
 public:
  StoryHooks(std::shared_ptr<Stories> stories, std::shared_ptr<CallProgress> progress, Reactor& reactor)
      : stories_(std::move(stories)), progress_(std::move(progress)), reactor_(&reactor) {}
  void stops(const Attempt& attempt, int, RetryStop stop) {
    note("Retry stops: " + std::string(why(attempt, stop)));
  }
  void waits(const Attempt& attempt, int, Duration delay) {
    note("Retry waits " + escapement::detail::text_of(delay) + ": " + std::string(why_again(attempt)));
  }

 private:
  void note(const std::string& what) {
    if (Story* const story = stories_->of(progress_)) story->note(reactor_->precise_now(), what);
  }

  std::shared_ptr<Stories> stories_;
  std::shared_ptr<CallProgress> progress_;
  Reactor* reactor_;
};

}  // namespace

Service noted(Service service, std::shared_ptr<Stories> stories) {
  return [service = std::move(service), stories = std::move(stories)](Request request) {
    return note_request(std::move(request), service, stories);
  };
}

Task<Response> ExplainedRetry::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<CallProgress> progress = request.progress;
  const RetryBudget* const budget = retry_.budget ? &*retry_.budget : budget_of_call(reactor);
  const std::uint64_t before = budget != nullptr ? budget->balance(reactor.now()) : 0;
  StoryHooks hooks(stories_, progress, reactor);
  Task<Response> loop = retry_loop(retry_, std::move(request), next, std::move(hooks));
  Result<Response> outcome = co_await std::move(loop).result();
  Story* const story = stories_->of(progress);
  if (budget != nullptr && story != nullptr) story->budget(before, budget->balance(reactor.now()));
  co_return std::move(outcome);
}

}  // namespace detail

std::string Explanation::text() const { return story_->text(); }
int Explanation::requests() const { return story_->requests(); }
Duration Explanation::elapsed() const { return story_->elapsed(); }

Task<ExplainedOutcome> ExplainedService::operator()(Request request) const {
  Reactor& reactor = co_await this_reactor;
  const Service service = service_;
  const std::shared_ptr<detail::Stories> stories = stories_;
  const auto story = std::make_shared<detail::Story>(reactor.precise_now(), request);
  const auto progress = std::make_shared<CallProgress>();
  request.progress = progress;
  stories->begin(*progress, *story);
  const Defer over([&] { stories->end(*progress); });
  Result<Response> outcome = co_await service(std::move(request)).result();
  story->end(reactor.precise_now(), detail::told(outcome));
  co_return ExplainedOutcome(std::move(outcome), Explanation(story));
}

Service ExplainedService::with_sink(std::function<void(const Explanation&)> sink) const {
  return [self = *this, sink = std::move(sink)](Request request) -> Task<Response> {
    ExplainedOutcome call = co_await self(std::move(request));
    sink(call.explain());
    co_return std::move(call.outcome);
  };
}

}  // namespace escapement::http
