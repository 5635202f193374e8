#include "tools/fetch/job.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include <escapement/core/for_each.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/unix.h>

#include "tools/fetch/calloc_watch.h"
#include "tools/fetch/connections.h"
#include "tools/fetch/cookie_file.h"
#include "tools/fetch/exit_code.h"
#include "tools/fetch/files.h"
#include "tools/fetch/transfer.h"
#include "tools/fetch/url_glob.h"
#include "tools/fetch/watched_network.h"
#include "tools/fetch/waterfall.h"
#include "tools/fetch/write_out.h"

namespace escapement {

using namespace exit_codes;

namespace {

http::ClientOptions client_options(const FetchOptions& options, http::Encrypt encrypt,
                                   std::shared_ptr<const http::ClientRoute> route) {
  http::ClientOptions client;
  client.route = std::move(route);
  client.encrypt = watched(std::move(encrypt));
  client.connect_timeout = client.handshake_timeout =
      seconds(options.connect_seconds.value_or(default_connect_seconds));
  // Like curl, waits for a slow peer without limit unless -m sets one.
  const double slow_seconds = options.slow_seconds.value_or(30) > 0 ? options.slow_seconds.value_or(30) : 30;
  const std::uint64_t slow_rate = options.slow_rate.value_or(options.slow_seconds ? 1 : 0);
  client.slow_body_time = seconds(slow_seconds);
  client.slow_body_bytes = static_cast<std::uint64_t>(static_cast<double>(slow_rate) * slow_seconds);
  client.head_timeout = client.stall_timeout = client.source_timeout = Duration::max();
  // Downloads beside each other have a connection each, and none waits for another's.
  client.queue_timeout = Duration::max();
  const std::size_t at_once = options.parallel ? static_cast<std::size_t>(options.parallel_max) : 1;
  client.connections_per_host_max = std::max(client.connections_per_host_max, at_once);
  client.connections_max = std::max(client.connections_max, at_once);
  return client;
}

// Describes how much of a transfer had arrived when --max-time ended it.
std::string come_so_far(const Story& story) {
  if (story.status != 0) {
    const std::string bytes = std::to_string(story.bytes) + (story.bytes == 1 ? " byte" : " bytes");
    return bytes + " of the body had arrived";
  }
  const std::string_view what = http::doing(story.progress->waits_for);
  return what.empty() ? "no response had arrived" : "it was " + std::string(what);
}

Error told(Error error, const Story& story) {
  if (error.limit() != TimeLimit::overall || !error.peer().empty()) return error;  // not --max-time
  return std::move(error).remark(come_so_far(story)).in_attempt(story.progress->attempt);
}

std::string sentence(const Error& error) {
  if (error.attempt() < 2) return error.message();
  return error.message() + " (attempt " + std::to_string(error.attempt()) + ')';
}

nlohmann::json attempts_of(const Story& story) {
  nlohmann::json attempts = nlohmann::json::array();
  for (const Attempt& attempt : story.attempts) {
    if (attempt.ended == Instant::never()) continue;
    attempts.push_back({{"request", attempt.what},
                        {"begin_ms", (attempt.began - story.began).milliseconds()},
                        {"end_ms", (attempt.ended - story.began).milliseconds()},
                        {"outcome", attempt.outcome}});
  }
  return attempts;
}

nlohmann::json report_of(const Story& story, const Result<>& outcome) {
  nlohmann::json headers = nlohmann::json::array();
  for (const http::Headers::Field& field : story.headers) headers.push_back({field.name, field.value});
  nlohmann::json object{{"url", story.url},
                        {"complete", static_cast<bool>(outcome)},
                        {"status", story.status},
                        {"headers", headers},
                        {"bytes", story.bytes},
                        {"body", story.body},
                        {"attempts", attempts_of(story)},
                        {"total_ms", (story.ended - story.began).milliseconds()}};
  if (!outcome) {
    const Error& error = outcome.error();
    object["error"] = {{"kind", std::string(name(error.code()))},
                       {"message", error.message()},
                       {"peer", error.peer()},
                       {"attempt", error.attempt()},
                       {"maybe_sent", error.maybe_sent()}};
    if (error.limit() != TimeLimit::none) {
      object["error"]["limit"] = {{"name", std::string(name(error.limit()))},
                                  {"length_ms", error.limit_length().milliseconds()},
                                  {"elapsed_ms", error.elapsed().milliseconds()}};
    }
  }
  return object;
}

int fail(const FetchOptions& options, int code, const std::string& message) {
  const char* why = calloc_has_failed() ? "out of memory: " : "";
  const bool tells = !options.silent || options.show_errors;
  if (tells) std::fprintf(stderr, "esc-fetch: %s%s\n", why, message.c_str());
  return calloc_has_failed() ? no_memory.code : code;
}

// One URL to fetch, and the number of its argument.
struct Target {
  std::size_t number;
  GlobbedUrl globbed;
};

// Returns all URLs, the patterns among them replaced by theirs.
Result<std::vector<Target>> targets_of(const FetchOptions& options) {
  std::vector<Target> targets;
  for (std::size_t number = 0; number < options.urls.size(); ++number) {
    Result<std::vector<GlobbedUrl>> urls = std::vector<GlobbedUrl>{GlobbedUrl{options.urls[number], {}}};
    if (!options.no_glob) urls = glob_url(options.urls[number]);
    if (!urls) return std::move(urls).error();
    for (GlobbedUrl& url : *urls) targets.push_back(Target{number, std::move(url)});
  }
  return targets;
}

// Returns where the body goes that belongs to the argument with this number.
OutputChoice output_for(const FetchOptions& options, std::size_t number) {
  if (number < options.outputs.size()) return options.outputs[number];
  return OutputChoice{"", options.all_remote_names};
}

// The name of the file for the body of a URL; empty: standard output.
Result<std::string> file_for(const FetchOptions& options, const Target& target) {
  const OutputChoice output = output_for(options, target.number);
  const std::string& url = target.globbed.url;
  std::string name;
  if (!output.name.empty()) {
    if (output.name == "-") return std::string();
    name = with_glob_values(output.name, target.globbed.values);
  } else if (output.remote) {
    const Result<http::Url> parsed = url_of(url);
    if (!parsed) return std::string();  // its own error comes later
    name = parsed->path().substr(parsed->path().rfind('/') + 1);
    if (name.empty() || name == "." || name == "..") {
      return Error(Errc::invalid_argument, "-O: \"" + url + "\" does not end with a file's name");
    }
  } else {
    return name;
  }
  return options.output_folder.empty() ? name : options.output_folder + '/' + name;
}

// Everything that is said about a transfer that has ended. Returns its exit code.
int conclude(const FetchOptions& options, Story& story, Result<> outcome, ProgressBar& bar) {
  bar.clear();
  Output to_stdout("");
  if (!outcome) outcome = told(std::move(outcome).error(), story);
  if (options.report) {
    const nlohmann::json object = report_of(story, outcome);
    Result<> told =
        to_stdout.write(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
    if (told) told = to_stdout.flush();
    story.written = story.written && told;
    if (!told) outcome = std::move(told);
  }
  int code = outcome ? 0 : exit_code_of(outcome.error(), story);
  const std::string message = outcome ? "" : sentence(outcome.error());
  if (options.trace) std::fputs(waterfall(story).c_str(), stderr);
  if (options.explain) {
    const std::string text = outcome ? "a complete response, " + std::to_string(story.status) : message;
    std::fputs(explanation(story, options, text).c_str(), stderr);
  }
  if (code != 0) code = fail(options, code, message);
  if (!options.write_out.empty()) {
    const WrittenOut written = write_out(options.write_out, story, code, message);
    Result<> told = to_stdout.write(written.out);
    if (told) told = to_stdout.flush();
    std::fputs(written.err.c_str(), stderr);
    if (!told && code == 0) code = fail(options, write_failed.code, told.error().message());
  }
  return code;
}

// The URLs one after the other, or with -Z beside each other.
Task<> fetch_urls(const FetchOptions& options, const std::vector<Target>& targets, bool socks,
                  const Transfer& transfer, ProgressBar& bar, int& code) {
  const auto beside = static_cast<std::size_t>(options.parallel ? options.parallel_max : 1);
  co_await for_each(targets, beside, [&](const Target& target) -> Task<> {
    auto story = std::make_shared<Story>();
    story->url = target.globbed.url;
    story->number = target.number;
    story->socks = socks;
    story->remote_name = output_for(options, target.number).remote;
    Result<std::string> file = file_for(options, target);
    if (!file) {
      code = fail(options, write_failed.code, file.error().message());
      co_return;
    }
    story->file = *std::move(file);
    Result<> outcome = co_await transfer.run(story).result();
    const int ended = conclude(options, *story, std::move(outcome), bar);
    if (ended != 0) code = ended;
  });
}

// A bar is for a person who sees nothing else.
bool shows_progress(const FetchOptions& options) {
  const bool writes_elsewhere = ::isatty(STDOUT_FILENO) == 0 || options.all_remote_names ||
                                options.outputs.size() >= options.urls.size();
  return ::isatty(STDERR_FILENO) == 1 && writes_elsewhere && !options.silent && !options.no_progress &&
         !options.verbose && !options.report;
}

}  // namespace

int fetch_all(const FetchOptions& options) {
  int tls_code = 0;
  Result<http::Encrypt> encrypt = encrypt_of(options, tls_code);
  if (!encrypt) return fail(options, tls_code, encrypt.error().message());
  bool socks = false;
  Result<std::shared_ptr<const http::ClientRoute>> route = route_of(options, socks);
  if (!route) return fail(options, usage.code, route.error().message());
  if (options.insecure)
    std::fprintf(stderr, "esc-fetch: --insecure: the server's certificate is not verified\n");
  Result<RequestParts> parts = RequestParts::make(options);
  if (!parts) {
    const bool unreadable = parts.error() == Errc::permission_denied;
    return fail(options, unreadable ? read_failed.code : usage.code, parts.error().message());
  }
  Result<std::vector<Target>> targets = targets_of(options);
  if (!targets) return fail(options, bad_url.code, targets.error().message());
  Result<std::shared_ptr<http::CookieJar>> jar = cookie_jar_of(options);
  if (!jar) return fail(options, read_failed.code, jar.error().message());
  Result<ResolverOptions> resolver = resolver_of(options);
  if (!resolver) return fail(options, bad_resolve.code, resolver.error().message());
  LoopOptions loop_options;
  loop_options.backend = options.backend;
  loop_options.tcp.resolver = *std::move(resolver);
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(loop_options));
  if (!loop) return fail(options, exit_code_of(loop.error(), Story()), loop.error().message());

  int code = 0;
  UnixNetwork local((*loop)->backend(), options.unix_path);
  WatchedNetwork network(options.unix_path.empty() ? static_cast<Network&>((*loop)->network()) : local);
  const http::Client client(network, client_options(options, *std::move(encrypt), *std::move(route)));
  ProgressBar bar(shows_progress(options));
  const Transfer transfer(options, *parts, client, *jar, bar);
  Result<> all = (*loop)->run(fetch_urls(options, *targets, socks, transfer, bar, code));
  if (!all) return fail(options, exit_code_of(all.error(), Story()), all.error().message());
  if (*jar) {
    Result<> saved = save_cookies(options, **jar);
    if (!saved) code = fail(options, write_failed.code, saved.error().message());
  }
  return code;
}

}  // namespace escapement
