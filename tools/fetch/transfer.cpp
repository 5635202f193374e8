#include "tools/fetch/transfer.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdio>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/middleware/client/cookies.h>
#include <escapement/middleware/client/decompress.h>
#include <escapement/middleware/client/digest_auth.h>
#include <escapement/middleware/client/query.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/trace.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "tools/fetch/attachment.h"
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

// A compressed body, whose bytes are counted as they arrive.
class CountedSource final : public http::BodySource {
 public:
  CountedSource(http::Body body, std::shared_ptr<Story> story)
      : body_(std::move(body)), story_(std::move(story)) {}

  Task<std::string> read() override {
    Result<std::string> piece = co_await body_.read().result();
    if (piece) story_->bytes += piece->size();
    story_->body_broken = !piece;
    co_return std::move(piece);
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }
  http::Headers trailers() override { return body_.trailers(); }

 private:
  http::Body body_;
  std::shared_ptr<Story> story_;
};

// Returns whether a URL has a scheme that is neither http nor https.
bool has_foreign_scheme(std::string_view url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == url.npos || scheme_end > url.find_first_of("/?#")) return false;
  const std::string scheme = lower(url.substr(0, scheme_end));
  return scheme != "http" && scheme != "https" && http::is_token(scheme);
}

// The innermost layer: records facts about each attempt, and prints for -v.
struct Remember {
  const FetchOptions& options;
  std::shared_ptr<Story> story;

  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    if (story->redirected) ++story->redirects;
    if (story->redirected && options.referer.ends_with(";auto"))
      request.headers.set("Referer", story->effective_url);
    story->referer = request.headers.get_or("referer", "");
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
    story->bad_target = moved && !target && options.follow;
    story->foreign_scheme = story->bad_target && has_foreign_scheme(*location);
    story->redirect_url = story->redirected ? target->text() : "";
    story->heads += head;
    story->headers = response.headers;
    story->all = response.body.length();
    if (options.compressed) {
      story->bytes = 0;
      response.body = http::Body(std::make_unique<CountedSource>(std::move(response.body), story));
    }
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

// Returns whether a body still has a coding, which a decoder has left alone. Part of a coded body has one.
bool may_be_coded(const http::Response& response) {
  const std::string_view coding = response.headers.get_or("content-encoding", "identity");
  return !equal_ignoring_case(coding, "identity") && response.status != 206 &&
         response.body.length().value_or(1) > 0 && http::may_have_content(response.status);
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

http::Service Transfer::layers(std::shared_ptr<Story> story, const http::Url& url) const {
  http::Service service = http::layered(noted(story), Remember{options_, story}, client_);
  if (jar_) service = http::layered(http::Cookies(jar_), service);
  if (options_.digest) service = http::layered(http::DigestAuth(digest_for(url)), service);
  if (options_.follow) {
    http::Redirect redirect;
    redirect.hops_max = options_.redirects_max < 0 ? INT_MAX : options_.redirects_max;
    redirect.allow_https_to_http = true;
    service = http::layered(redirect, service);
  }
  if (options_.try_seconds) service = http::layered(http::Timeout{seconds(*options_.try_seconds)}, service);
  if (!options_.compressed) return service;
  http::Decompress decompress;  // --max-filesize limits the decoded bytes
  decompress.bytes_max = decompress.ratio_max = UINT64_MAX;
  return http::layered(decompress, service);
}

// Returns the credentials of -u, or else of the URL.
http::DigestAuthOptions Transfer::digest_for(const http::Url& url) const {
  http::DigestAuthOptions digest;
  digest.origin = url.origin();
  const std::string& pair = options_.user.empty() ? url.userinfo() : options_.user;
  const std::size_t colon = std::min(pair.find(':'), pair.size());
  digest.user = pair.substr(0, colon);
  digest.password = pair.substr(std::min(colon + 1, pair.size()));
  if (options_.user.empty()) {
    digest.user = http::percent_decoded(digest.user);
    digest.password = http::percent_decoded(digest.password);
  }
  return digest;
}

Task<> Transfer::run(std::shared_ptr<Story> story) const {
  Reactor& reactor = co_await this_reactor;
  story->began = reactor.precise_now();
  Result<> outcome = co_await with_local(this_story, story, try_often(story)).result();
  story->ended = reactor.precise_now();
  co_await std::move(outcome);
}

// Makes attempts until one is the last. --max-time is for each.
Task<> Transfer::try_often(std::shared_ptr<Story> story) const {
  Reactor& reactor = co_await this_reactor;
  const detail::LimitName max_time{TimeLimit::overall, "the whole transfer did not end"};
  const Duration limit = options_.max_seconds ? seconds(*options_.max_seconds) : Duration::max();
  for (;;) {
    story->pause.reset();
    Result<> outcome = co_await detail::within(limit, max_time, fetch(story)).result();
    if (!outcome) story->pause = pause_after(*story, outcome.error(), reactor);
    if (!story->pause) {
      co_await std::move(outcome);
      co_return;
    }
    story->begin_again();
    const Duration pause = *story->pause;
    co_await sleep(pause);
  }
}

// Returns the wait before the next attempt; nothing: the last one was the last.
std::optional<Duration> Transfer::pause_after(const Story& story, const http::RetryDecision& decision,
                                              Reactor& reactor) const {
  if (!decision.again || story.retries >= options_.retries) return std::nullopt;
  if (story.progress->maybe_sent && parts_.sends_standard_input(story.number)) return std::nullopt;
  http::Retry retry;
  retry.backoff = 1s;
  retry.backoff_max = 10min;
  http::BackoffState state;
  state.retry = story.retries;
  std::optional<Duration> pause = retry.delay_after(decision, state, reactor.random());
  if (options_.retry_seconds && !decision.server_delay) pause = seconds(*options_.retry_seconds);
  const bool too_late = pause && options_.retry_max_seconds &&
                        reactor.precise_now() + *pause > story.began + seconds(*options_.retry_max_seconds);
  return too_late ? std::nullopt : pause;
}

// Nothing is tried again that went wrong here, such as a full disk, or of which a part is on standard output.
std::optional<Duration> Transfer::pause_after(const Story& story, const Error& error,
                                              Reactor& reactor) const {
  const bool stays = story.wrote && (story.file.empty() || options_.continue_at.size() > 1);
  if (!story.begun || story.read_failed || !story.written || stays) return std::nullopt;
  http::RetryDecision decision =
      http::decide(story.idempotent, http::Attempt(error), reactor.backend().system_now());
  if (story.refused || story.range_ignored || story.undecodable || !story.within_limit) decision = {};
  decision.again = decision.again || options_.retry_all_errors;
  return pause_after(story, decision, reactor);
}

Task<> Transfer::fetch(std::shared_ptr<Story> story) const {
  Reactor& reactor = co_await this_reactor;
  story->foreign_scheme = has_foreign_scheme(story->url);
  http::Url url = co_await url_of(story->url);
  story->begun = true;
  const http::Service service = layers(story, url);
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
  request.attempt = story->retries + 1;
  story->idempotent = http::idempotent(request.method, request.headers);
  http::Response response = co_await service(std::move(request));
  story->body_began = reactor.precise_now();
  story->status = response.status;
  const http::RetryDecision decision =
      http::decide(story->idempotent, http::Attempt(response), reactor.backend().system_now());
  story->pause = pause_after(*story, decision, reactor);
  if (story->pause) co_return;
  co_await receive(*story, response);
}

Error Transfer::refused(Story& story) const {
  story.refused = true;
  return Error(Errc::bad_message,
               "the response to " + story.effective_url + " is an error: " + std::to_string(story.status));
}

// Writes the heads for -D, and decides which file the body goes to.
Result<> Transfer::prepare_files(Story& story) const {
  if (!options_.head_file.empty()) {
    Output heads(options_.head_file == "-" ? "" : options_.head_file, story.number > 0 || story.retries > 0);
    Result<> written = heads.write(story.heads);
    if (written) written = heads.flush();
    if (!written) return written;
  }
  if (story.remote_name && options_.remote_header_name) {
    const std::string name = attachment_name(story.headers.get_or("content-disposition", ""));
    const bool named = !name.empty();
    if (named) story.file = options_.output_folder.empty() ? name : options_.output_folder + '/' + name;
    if (named && !story.wrote && is_there(story.file))
      return Error(Errc::invalid_argument, "-J: " + story.file + " is there already");
  }
  return options_.create_folders ? make_folders_of(story.file) : Result<>();
}

Task<> Transfer::receive(Story& story, http::Response& response) const {
  Result<> prepared = prepare_files(story);
  story.written = static_cast<bool>(prepared);
  co_await std::move(prepared);
  const bool fails = options_.fail && response.status >= 400;
  const bool undecodable = options_.compressed && may_be_coded(response);
  if (fails || undecodable) co_await write_heads(story);
  if (fails) co_await refused(story);
  if (undecodable) {
    story.undecodable = true;
    co_await Error(Errc::bad_message, "the body has a coding that is not known: " +
                                          std::string(response.headers.get_or("content-encoding", "")));
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
  Result<> copied = co_await write_all(story, response, resumes).result();
  const bool file_is_ours = !story.file.empty() && story.written && !resumes;
  if (!copied && options_.remove_on_error && file_is_ours) std::remove(story.file.c_str());
  co_await std::move(copied);
  if (options_.fail_with_body && response.status >= 400) co_await refused(story);
}

// Writes the heads for -i and -I, and the body.
Task<> Transfer::write_all(Story& story, http::Response& response, bool appends) const {
  Output out(story.file, appends);
  if (!options_.report || !story.file.empty()) {
    const bool shows_heads = options_.head || options_.include;
    Result<> written = out.write(shows_heads ? story.heads : std::string());
    story.written = static_cast<bool>(written);
    story.wrote = shows_heads;
    co_await std::move(written);
  }
  if (!options_.head) co_await copy_body(story, response, out);  // -I with another method, too
  if (options_.head) {
    Result<> flushed = out.flush();
    story.written = static_cast<bool>(flushed);
    co_await std::move(flushed);
  }
}

// Writes what -i shows of a response whose body is not wanted.
Result<> Transfer::write_heads(Story& story) const {
  if (!options_.head && !options_.include) return {};
  Output out(story.file);
  Result<> written = out.write(story.heads);
  if (written) written = out.flush();
  story.written = static_cast<bool>(written);
  return written;
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
  std::uint64_t decoded = 0;
  bar_.expect(reactor.precise_now(), story.all);
  for (;;) {
    Result<std::string> read = co_await response.body.read().result();
    if (!read) {
      story.undecodable = options_.compressed && !story.body_broken;
      co_await std::move(read).error();
    }
    const std::string piece = *std::move(read);
    decoded += piece.size();
    if (!options_.compressed) story.bytes = decoded;
    story.within_limit = decoded <= most;
    if (!story.within_limit) {
      co_await Error(Errc::limit_exceeded, "a body of more than " + std::to_string(most) + " bytes");
    }
    if (collect) {
      story.body += piece;
    } else {
      Result<> written = out.write(piece);
      if (written) written = out.flush();
      story.written = static_cast<bool>(written);
      story.wrote = story.wrote || !piece.empty();
      co_await std::move(written);
    }
    if (piece.empty()) co_return;
    bar_.add(reactor.precise_now(), piece.size());
    if (options_.rate_max) co_await keep_rate(story);
  }
}

// Waits until what has arrived is no more than --limit-rate allows.
Task<> Transfer::keep_rate(const Story& story) const {
  const double due = static_cast<double>(story.bytes) / static_cast<double>(*options_.rate_max);
  co_await sleep_until(story.body_began + seconds(due));
}

}  // namespace escapement
