#include "tools/fetch/transfer.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdio>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/trace.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "tools/fetch/decompress.h"
#include "tools/fetch/files.h"
#include "tools/fetch/watched_network.h"

namespace escapement {

namespace {

constexpr std::uint64_t collected_max = 64 * MiB;  // for --report

void print_lines(const char* mark, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    std::fprintf(stderr, "%s %.*s\n", mark, static_cast<int>(end), text.data());
    text.remove_prefix(end + 2);
  }
}

// The innermost layer: records facts about each attempt, and prints for -v.
struct Remember {
  const FetchOptions& options;
  std::shared_ptr<Story> story;

  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    if (story->redirected) ++story->redirects;
    story->redirected = story->handshake_failed = false;
    if (!options.method.empty()) request.method = options.method;  // of redirects too, as curl does
    story->method = request.method.text();
    story->effective_url = request.url.without_credentials();
    story->scheme = request.url.scheme();
    story->uploaded = request.body.length().value_or(0);
    if (options.verbose) print_request(request);
    const http::Url url = request.url;
    http::Response response = co_await next(std::move(request));
    const std::string head = head_text(response.status, response.headers);
    if (options.verbose) print_lines("<", head);
    story->head_bytes += head.size();
    const std::string* location = response.headers.get("location");
    const bool moved = response.status >= 300 && response.status <= 399 && location != nullptr;
    const Result<http::Url> target = url.resolve(moved ? *location : "");
    story->redirected = moved && target;
    story->redirect_url = story->redirected ? target->text() : "";
    story->heads += head;
    co_return std::move(response);
  }

 private:
  static void print_request(const http::Request& request) {
    http::Output head;
    const Result<http::Framing> framing = http::write_request_head(head, request, http::RequestOptions());
    if (framing) print_lines(">", head.view());
  }
};

http::Trace noted(std::shared_ptr<Story> story) {
  return http::Trace{[story](const http::TraceEvent& event) {
    if (event.kind == http::TraceEvent::Kind::started) {
      Attempt& attempt = story->attempts.emplace_back();
      attempt.what = event.what;
      attempt.began = event.began;
      return;
    }
    if (story->attempts.empty()) return;
    Attempt& attempt = story->attempts.back();
    attempt.ended = event.at;
    attempt.outcome = "cancelled";
    if (event.kind == http::TraceEvent::Kind::answered) attempt.outcome = std::to_string(event.status);
    if (event.error != nullptr) attempt.outcome = to_string(*event.error);
  }};
}

// "bytes 5-6/7" begins at `offset`.
bool begins_at(std::string_view content_range, std::uint64_t offset) {
  return content_range.starts_with("bytes " + std::to_string(offset) + '-');
}

}  // namespace

Duration seconds(double count) {
  if (count >= 9e9) return Duration::max();
  return std::chrono::duration<double, std::nano>(std::round(count * 1e9));
}

std::string head_text(int status, const http::Headers& headers) {
  std::string head =
      "HTTP/1.1 " + std::to_string(status) + ' ' + std::string(http::reason_phrase(status)) + "\r\n";
  for (const http::Headers::Field& field : headers) head += field.name + ": " + field.value + "\r\n";
  return head + "\r\n";
}

http::Service Transfer::layers(std::shared_ptr<Story> story) const {
  http::Service service = http::layered(noted(story), Remember{options_, story}, client_);
  if (options_.follow) {
    http::Redirect redirect;
    redirect.hops_max = options_.redirects_max < 0 ? INT_MAX : options_.redirects_max;
    redirect.allow_https_to_http = true;
    service = http::layered(redirect, service);
  }
  if (options_.try_seconds) service = http::layered(http::Timeout{seconds(*options_.try_seconds)}, service);
  if (options_.retries == 0) return service;
  http::Retry retry;
  retry.attempts = options_.retries + 1;
  retry.backoff = seconds(options_.retry_seconds);
  retry.backoff_max = 10min;
  retry.observer = [story](const http::RetryNotice& notice) {
    ++story->retries;
    story->redirects = 0;
    story->redirected = false;
    story->heads.clear();
    if (!story->attempts.empty()) story->attempts.back().pause = notice.delay;
  };
  return http::layered(retry, service);
}

Task<> Transfer::run(std::shared_ptr<Story> story) const {
  Reactor& reactor = co_await this_reactor;
  story->began = reactor.precise_now();
  const detail::LimitName max_time{TimeLimit::overall, "the whole transfer did not end"};
  const Duration limit = options_.max_seconds ? seconds(*options_.max_seconds) : Duration::max();
  Result<> outcome =
      co_await detail::within(limit, max_time, with_local(this_story, story, fetch(story))).result();
  story->ended = reactor.precise_now();
  co_await std::move(outcome);
}

Task<> Transfer::fetch(std::shared_ptr<Story> story) const {
  Reactor& reactor = co_await this_reactor;
  const std::size_t scheme_end = story->url.find("://");
  if (scheme_end != story->url.npos && scheme_end < story->url.find_first_of("/?#")) {
    const std::string scheme = lower(story->url.substr(0, scheme_end));
    story->foreign_scheme = scheme != "http" && scheme != "https" && http::is_token(scheme);
  }
  http::Url url = co_await url_of(story->url);
  story->begun = true;
  Result<http::Request> made = parts_.request(story->number, std::move(url), reactor.random());
  story->read_failed = !made && made.error() == Errc::permission_denied;
  http::Request request = co_await std::move(made);
  if (!options_.continue_at.empty()) {
    story->resumed_at = options_.continue_at == "-"
                            ? size_of_file(story->file)
                            : parse_number<std::uint64_t>(options_.continue_at).value_or(0);
    if (story->resumed_at > 0)
      request.headers.set("Range", "bytes=" + std::to_string(story->resumed_at) + '-');
  }
  request.progress = story->progress;
  if (options_.retry_max_seconds) request.deadline = story->began + seconds(*options_.retry_max_seconds);
  const http::Service service = layers(story);
  http::Response response = co_await service(std::move(request));
  story->body_began = reactor.precise_now();
  story->status = response.status;
  story->headers = response.headers;
  story->all = response.body.length();
  co_await receive(*story, response);
}

Task<> Transfer::receive(Story& story, http::Response& response) const {
  if (options_.fail && response.status >= 400) {
    story.refused = true;
    co_await Error(Errc::bad_message, "the response to " + story.effective_url +
                                          " is an error: " + std::to_string(response.status));
  }
  const std::string_view range = response.headers.get_or("content-range", "");
  const bool resumes = story.resumed_at > 0 && !options_.head;
  const bool complete = range.empty() || range == "bytes */" + std::to_string(story.resumed_at);
  if (resumes && response.status == 416 && complete) co_return;
  if (resumes && !(response.status == 206 && begins_at(range, story.resumed_at))) {
    story.range_ignored = true;
    co_await Error(Errc::bad_message, "the server does not resume at byte " +
                                          std::to_string(story.resumed_at) + ": it responded with " +
                                          std::to_string(response.status));
  }
  story.within_limit = story.all.value_or(0) <= most(story);
  if (!story.within_limit) {
    co_await Error(Errc::limit_exceeded, "a body of " + std::to_string(*story.all) + " bytes, more than " +
                                             std::to_string(most(story)));
  }
  Output out(story.file, resumes);
  if (!options_.report || !story.file.empty()) {
    Result<> written = out.write(options_.head || options_.include ? story.heads : std::string());
    story.written = static_cast<bool>(written);
    co_await std::move(written);
  }
  co_await copy_body(story, response, out);
}

// Returns how long the body may be.
std::uint64_t Transfer::most(const Story& story) const {
  const bool collect = options_.report && story.file.empty();
  return options_.body_bytes_max.value_or(collect ? collected_max : UINT64_MAX);
}

// Writes the body as it arrives.
Task<> Transfer::copy_body(Story& story, http::Response& response, Output& out) const {
  Reactor& reactor = co_await this_reactor;
  const bool collect = options_.report && story.file.empty();
  const std::uint64_t most = this->most(story);
  bar_.expect(reactor.precise_now(), story.all);
  std::unique_ptr<Decompressor> compressed;
  if (options_.compressed) compressed = Decompressor::make(response.headers.get_or("content-encoding", ""));
  for (;;) {
    std::string piece = co_await response.body.read();
    const std::size_t arrived = piece.size();
    story.bytes += arrived;
    story.within_limit = story.bytes <= most;
    if (!story.within_limit) {
      co_await Error(Errc::limit_exceeded, "a body of more than " + std::to_string(most) + " bytes");
    }
    if (compressed && arrived == 0 && !compressed->ended() && story.bytes > 0) {
      story.undecodable = true;
      co_await Error(Errc::bad_message, "the compressed body ends too early");
    }
    if (compressed) {
      Result<std::string> decoded = compressed->decode(piece);
      story.undecodable = !decoded;
      piece = co_await std::move(decoded);
    }
    if (collect) {
      story.within_limit = story.body.size() + piece.size() <= most;
      if (!story.within_limit) {
        co_await Error(Errc::limit_exceeded, "a body of more than " + std::to_string(most) + " bytes");
      }
      story.body += piece;
    } else {
      Result<> written = out.write(piece);
      if (written) written = out.flush();
      story.written = static_cast<bool>(written);
      co_await std::move(written);
    }
    if (arrived == 0) co_return;
    bar_.add(reactor.precise_now(), arrived);
    if (options_.rate_max) co_await keep_rate(story);
  }
}

// Waits until what has arrived is no more than --limit-rate allows.
Task<> Transfer::keep_rate(const Story& story) const {
  const double due = static_cast<double>(story.bytes) / static_cast<double>(*options_.rate_max);
  co_await sleep_until(story.body_began + seconds(due));
}

}  // namespace escapement
