#include "tools/load/load.h"

#include <escapement/core/reactor.h>
#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement {

namespace {

Duration of_seconds(double seconds) {
  if (seconds >= 9e9) return Duration::max();
  return Duration::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

// The state that the connections share.
class Run {
 public:
  Run(Reactor& reactor, const http::Client& client, const http::Request& request, const LoadOptions& options)
      : client_(client), request_(request), options_(options), reactor_(reactor) {
    begin_ = reactor.precise_now();
    measured_from_ = begin_ + of_seconds(options.warm_up_seconds);
    end_ = measured_from_ + of_seconds(options.seconds);
  }

  // One connection's work.
  Task<> work() {
    for (;;) {
      Instant due = reactor_.precise_now();
      if (options_.rate > 0) {
        due = begin_ + of_seconds(static_cast<double>(next_++) / options_.rate);
        if (due >= end_) co_return;
        co_await sleep_until(due);
      } else if (due >= end_) {
        co_return;
      }
      const Instant sent = reactor_.precise_now();
      int status = 0;
      std::uint64_t bytes = 0;
      Result<> outcome =
          co_await with_timeout(of_seconds(options_.timeout_seconds), call(status, bytes)).result();
      note(due, sent, status, outcome, bytes);
    }
  }

  LoadResult result() {
    result_.seconds = options_.seconds;
    if (last_ > end_) result_.seconds = (last_ - measured_from_).milliseconds() / 1000;
    return std::move(result_);
  }

 private:
  Task<> call(int& status, std::uint64_t& bytes) {
    http::Request request = request_.copy_without_body();
    request.body = request_.body.copy();
    http::Response response = co_await client_(std::move(request));
    status = response.status;
    for (;;) {
      const std::string piece = co_await response.body.read();
      if (piece.empty()) co_return;
      bytes += piece.size();
    }
  }

  void note(Instant due, Instant sent, int status, const Result<>& outcome, std::uint64_t bytes) {
    const Instant now = reactor_.precise_now();
    if (due < measured_from_) return;
    last_ = now;
    if (!outcome) {
      ++result_.failures[std::string(name(outcome.error().code()))];
      if (result_.first_failure.empty()) result_.first_failure = to_string(outcome.error());
      return;
    }
    ++result_.statuses[status];
    result_.body_bytes += bytes;
    result_.latency.add(now - due);
    result_.service.add(now - sent);
  }

  const http::Client& client_;
  const http::Request& request_;
  const LoadOptions& options_;
  Reactor& reactor_;
  Instant begin_;
  Instant measured_from_;
  Instant end_;
  Instant last_ = Instant::from_nanoseconds(0);
  std::uint64_t next_ = 0;
  LoadResult result_;
};

}  // namespace

Task<LoadResult> run_load(const http::Client& client, const http::Request& request,
                          const LoadOptions& options) {
  Reactor& reactor = co_await this_reactor;
  Run run(reactor, client, request, options);
  Scope scope(reactor);
  auto work = [&run]() -> Task<> { co_await run.work(); };
  for (std::size_t i = 0; i < options.connections; ++i) scope.spawn(work);
  co_await scope.join();
  LoadResult result = run.result();
  result.connections_made = client.connections_made();
  co_return std::move(result);
}

}  // namespace escapement
