#include "tools/fetch/job.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include <escapement/io/http/client.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/progress.h>
#include <escapement/io/http/proxy.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/unix.h>
#include <escapement/io/tls/tls.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/trace.h>
#include <escapement/timers/timeout.h>

#include "tools/fetch/calloc_watch.h"
#include "tools/fetch/output.h"

namespace escapement {

namespace {

// Exit codes, curl's where curl has one.
struct ExitCode {
  int code;
  const char* meaning;
};
constexpr ExitCode usage{2, "invalid command line"};
constexpr ExitCode bad_url{3, "malformed URL"};
constexpr ExitCode unsupported{4, "not built in"};
constexpr ExitCode no_proxy_host{5, "no such proxy"};
constexpr ExitCode no_host{6, "no such host"};
constexpr ExitCode no_connection{7, "could not connect"};
constexpr ExitCode bad_answer{8, "malformed response"};
constexpr ExitCode partial{18, "incomplete response"};
constexpr ExitCode write_failed{23, "could not write the body"};
constexpr ExitCode read_failed{26, "could not read the data to send"};
constexpr ExitCode no_memory{fetch_out_of_memory, "out of memory"};
constexpr ExitCode timed_out{28, "a time limit expired"};
constexpr ExitCode no_tls{35, "the TLS handshake failed"};
constexpr ExitCode too_many_redirects{47, "too many redirects"};
constexpr ExitCode no_answer{52, "the server closed without a response"};
constexpr ExitCode broken{56, "the connection broke"};
constexpr ExitCode bad_cert{58, "the client's certificate or key cannot be used"};
constexpr ExitCode untrusted{60, "the server's certificate was not verified"};
constexpr ExitCode too_large{63, "the body exceeds the size limit"};
constexpr ExitCode bad_cacert{77, "the CA certificates cannot be used"};
constexpr ExitCode not_pinned{90, "the server's key is not pinned"};
constexpr ExitCode all_codes[] = {
    usage,     bad_url,      unsupported, no_proxy_host, no_host,   no_connection, bad_answer,
    partial,   write_failed, read_failed, no_memory,     timed_out, no_tls,        too_many_redirects,
    no_answer, broken,       bad_cert,    untrusted,     too_large, bad_cacert,    not_pinned};

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    for (int shift = 18; shift >= 0; shift -= 6) text += digits[group >> shift & 63];
  }
  for (std::size_t missing = (3 - bytes.size() % 3) % 3; missing > 0; --missing)
    text[text.size() - missing] = '=';
  return text;
}

constexpr std::uint64_t collected_max = 64 * MiB;  // for --json

// The report on one URL, and the facts that decide its exit code.
struct Story {
  nlohmann::json attempts = nlohmann::json::array();
  int status = 0;
  http::Headers headers;
  std::uint64_t bytes = 0;
  std::string body;          // kept only for --json
  bool begun = false;        // the URL was good
  bool written = true;       // all output was written
  bool within_limit = true;  // of the body
  std::shared_ptr<http::CallProgress> progress = std::make_shared<http::CallProgress>();
  // Facts about the last attempt.
  bool handshake_failed = false;
  bool redirected = false;  // to a valid URL
};

// Returns the code of a failure to connect that has one of its own.
std::optional<int> exit_code_of(Fault fault, Errc kind) {
  switch (fault) {
    case Fault::proxy_unreachable:
      if (kind == Errc::not_found) return no_proxy_host.code;
      return std::nullopt;
    case Fault::proxy_auth_required:
    case Fault::proxy_refused:
    case Fault::proxy_failed:
    case Fault::proxy_bad_answer:
    case Fault::proxy_closed: return broken.code;
    case Fault::certificate_not_pinned: return not_pinned.code;
    default: return std::nullopt;
  }
}

int exit_code_of(const Error& error, const Story& story) {
  if (error.os_number() == ENOMEM) return no_memory.code;
  if (!story.written) return write_failed.code;
  if (!story.within_limit) return too_large.code;
  if (story.status != 0 && error != Errc::timed_out) return partial.code;
  const std::optional<int> special = exit_code_of(error.fault(), error.code());
  if (special) return *special;
  switch (error.code()) {
    case Errc::invalid_argument: return story.begun ? usage.code : bad_url.code;
    case Errc::unsupported: return unsupported.code;
    case Errc::not_found: return no_host.code;
    case Errc::unavailable:
    case Errc::overloaded: return no_connection.code;
    case Errc::timed_out: return timed_out.code;
    case Errc::limit_exceeded: return story.redirected ? too_many_redirects.code : broken.code;
    case Errc::reset:
      if (story.handshake_failed) return no_tls.code;
      return story.progress->closed_unanswered ? no_answer.code : broken.code;
    case Errc::bad_message: return story.handshake_failed ? no_tls.code : bad_answer.code;
    case Errc::untrusted: return untrusted.code;
    default: return broken.code;
  }
}

Result<std::string> read_file(const std::string& name) {
  std::FILE* file = name == "-" ? stdin : std::fopen(name.c_str(), "rb");
  if (file == nullptr) return Error(Errc::permission_denied, "cannot read " + name);
  std::string data;
  char piece[16 * KiB];
  while (const std::size_t count = std::fread(piece, 1, sizeof piece, file)) data.append(piece, count);
  const bool failed = std::ferror(file) != 0;  // for example, a folder
  if (file != stdin) std::fclose(file);
  if (failed) return Error(Errc::permission_denied, "cannot read " + name);
  return data;
}

Result<std::string> data_of(const FetchOptions& options) {
  std::string data;
  for (const std::string& piece : options.data) {
    if (&piece != &options.data.front()) data += '&';
    if (!piece.starts_with('@')) {
      data += piece;
      continue;
    }
    Result<std::string> read = read_file(piece.substr(1));
    if (!read) return read;
    data += *read;
  }
  return data;
}

// Handles one line of -H: adds a header field, or records one that must not be sent.
Result<> add_header(http::Headers& headers, std::vector<std::string>& left_out, const std::string& line) {
  std::size_t colon = line.find(':');
  const bool empty = colon == line.npos && line.ends_with(';');
  if (empty) colon = line.size() - 1;
  if (colon == line.npos) return Error(Errc::invalid_argument, "-H \"" + line + "\" has no colon");
  const std::string name = line.substr(0, colon);
  const std::size_t at = line.find_first_not_of(" \t", colon + 1);
  const std::string value = at == line.npos ? "" : line.substr(at);
  if (!http::is_token(name) || !http::is_field_value(value)) {
    return Error(Errc::invalid_argument,
                 "-H: \"" + name + "\" is not a valid header field name, or its value is invalid");
  }
  if (value.empty() && !empty) {
    left_out.push_back(name);
  } else {
    headers.add(name, value);
  }
  return {};
}

Result<http::Headers> headers_of(const FetchOptions& options) {
  if (!options.method.empty() && !http::is_token(options.method)) {
    return Error(Errc::invalid_argument, "-X \"" + options.method + "\" is not a valid method");
  }
  http::Headers headers;
  std::vector<std::string> left_out;
  for (const std::string& line : options.headers) {
    Result<> added = add_header(headers, left_out, line);
    if (!added) return std::move(added).error();
  }
  if (!options.user.empty()) headers.set("Authorization", "Basic " + base64(options.user));
  if (!headers.has("user-agent") && !options.agent.empty()) headers.add("User-Agent", options.agent);
  if (!headers.has("accept")) headers.add("Accept", "*/*");
  if (!options.data.empty() && !headers.has("content-type"))
    headers.add("Content-Type", "application/x-www-form-urlencoded");
  for (const std::string& name : left_out) headers.remove(name);
  return headers;
}

Result<ResolverOptions> resolver_of(const FetchOptions& options) {
  ResolverOptions resolver;
  for (const std::string& entry : options.resolve) {
    const std::size_t first = entry.find(':');
    const std::size_t second = first == entry.npos ? first : entry.find(':', first + 1);
    const Result<HostAndPort> parsed = parse_host_and_port(entry.substr(0, second));
    std::string address = second == entry.npos ? "" : entry.substr(second + 1);
    if (address.size() > 1 && address.front() == '[') address = address.substr(1, address.size() - 2);
    if (!parsed || !SocketAddress::literal(address, 0)) {
      return Error(Errc::invalid_argument, "--resolve \"" + entry + "\" is not HOST:PORT:ADDRESS");
    }
    resolver.overrides.emplace_back(parsed->host, parsed->port, address);
  }
  resolver.family = options.family;
  return resolver;
}

// Takes the pins of --pinnedpubkey apart.
std::vector<std::string> pins_of(std::string_view list) {
  std::vector<std::string> pins;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(';'), list.size());
    pins.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return pins;
}

// Returns null in a build without TLS, where https URLs then fail. Sets `code` for a failure.
Result<http::Encrypt> encrypt_of(const FetchOptions& options, int& code) {
  TlsClientOptions tls;
  tls.trusted_file = options.cacert;
  tls.dangerously_accept_any_certificate = options.insecure;
  tls.pinned_keys = pins_of(options.pinned);
  code = bad_cacert.code;
  Result<TlsClient> client = TlsClient::make(tls);
  const bool needed = !options.cacert.empty() || !options.cert.empty() || !options.pinned.empty();
  if (!client && client.error() == Errc::unsupported) {
    code = unsupported.code;
    if (!needed) return http::Encrypt();
  }
  if (!client)
    return std::move(client).error().context(options.pinned.empty() ? "--cacert"
                                                                    : "--cacert, --pinnedpubkey");
  if (options.cert.empty()) return http::Encrypt(*std::move(client));
  code = bad_cert.code;
  Result<TlsIdentity> identity =
      TlsIdentity::read(options.cert, options.key.empty() ? options.cert : options.key);
  if (!identity) return std::move(identity).error().context("--cert");
  tls.identity = *std::move(identity);
  client = TlsClient::make(std::move(tls));
  if (!client) return std::move(client).error().context("--cert");
  return http::Encrypt(*std::move(client));
}

// Returns null where everything goes straight.
Result<std::shared_ptr<const http::Route>> route_of(const FetchOptions& options) {
  if (!options.unix_path.empty()) return std::shared_ptr<const http::Route>();
  Result<http::ProxyRules> rules = http::ProxyRules();
  if (!options.proxy) {
    rules = http::ProxyRules::from_environment();
  } else if (!options.proxy->empty()) {
    Result<http::Proxy> proxy = http::Proxy::parse(*options.proxy);
    if (!proxy) return std::move(proxy).error().context("--proxy");
    rules = http::ProxyRules::all_through(*proxy);
  }
  if (!rules) return std::move(rules).error();
  if (options.noproxy) rules->no_proxy = http::NoProxy(*options.noproxy);
  const std::size_t colon = std::min(options.proxy_user.find(':'), options.proxy_user.size());
  for (std::optional<http::Proxy>* proxy : {&rules->http, &rules->https}) {
    if (!*proxy || options.proxy_user.empty()) continue;
    (*proxy)->user = options.proxy_user.substr(0, colon);
    (*proxy)->password = options.proxy_user.substr(std::min(colon + 1, options.proxy_user.size()));
  }
  if (!rules->http && !rules->https) return std::shared_ptr<const http::Route>();
  return http::through(*std::move(rules));
}

// Rounds to the nearest nanosecond: 1.001 is 1001 ms.
Duration seconds(double count) { return std::chrono::duration<double, std::nano>(std::round(count * 1e9)); }

class Fetch {
 public:
  Fetch(const FetchOptions& options, http::Encrypt encrypt, std::shared_ptr<const http::Route> route,
        Network& network)
      : options_(options), client_(network, client_options(std::move(encrypt), std::move(route))) {}

  Task<> run(std::string url, http::Headers headers, std::string data, Output& out, Story& story);

 private:
  http::ClientOptions client_options(http::Encrypt encrypt, std::shared_ptr<const http::Route> route) {
    http::ClientOptions client;
    client.route = std::move(route);
    if (encrypt) {
      client.encrypt = [this, encrypt](std::unique_ptr<Stream> stream, std::string host) {
        return handshake(encrypt, std::move(stream), std::move(host));
      };
    }
    if (options_.connect_seconds) client.connect_timeout = seconds(*options_.connect_seconds);
    // Like curl, waits for a slow response without limit unless -m sets one.
    client.head_timeout = Duration::max();
    return client;
  }

  Task<std::unique_ptr<Stream>> handshake(http::Encrypt encrypt, std::unique_ptr<Stream> stream,
                                          std::string host);
  http::Service layers(Story& story, Instant began) const;
  Task<> write(std::string_view piece, Output& out, Story& story);
  Task<> copy_body(http::Response& response, Output& out, Story& story);

  const FetchOptions& options_;
  Story* story_ = nullptr;  // of the URL being fetched
  http::Client client_;
};

// The innermost layer: records facts about the last attempt that decide the exit code.
struct Remember {
  Story& story;

  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    story.redirected = story.handshake_failed = false;
    const http::Url url = request.url;
    http::Response response = co_await next(std::move(request));
    const std::string* location = response.headers.get("location");
    story.redirected =
        response.status >= 300 && response.status <= 399 && location != nullptr && url.resolve(*location);
    co_return std::move(response);
  }
};

Task<std::unique_ptr<Stream>> Fetch::handshake(http::Encrypt encrypt, std::unique_ptr<Stream> stream,
                                               std::string host) {
  Result<std::unique_ptr<Stream>> encrypted = co_await encrypt(std::move(stream), std::move(host)).result();
  story_->handshake_failed = !encrypted;
  co_return std::move(encrypted);
}

http::Service Fetch::layers(Story& story, Instant began) const {
  http::Trace trace{[this, &story, began](const http::TraceEvent& event) {
    if (event.kind == http::TraceEvent::Kind::started) return;
    nlohmann::json attempt{{"request", event.what},
                           {"begin_ms", (event.began - began).milliseconds()},
                           {"end_ms", (event.at - began).milliseconds()}};
    std::string outcome = "cancelled";
    if (event.kind == http::TraceEvent::Kind::answered) outcome = std::to_string(event.status);
    if (event.error != nullptr) outcome = to_string(*event.error);
    attempt["outcome"] = outcome;
    story.attempts.push_back(attempt);
    if (options_.trace) {
      std::fprintf(stderr, "%9.3f ms  %9.3f ms  %s  %s\n", (event.began - began).milliseconds(),
                   (event.at - began).milliseconds(), event.what.c_str(), outcome.c_str());
    }
  }};
  http::Service service = http::layered(trace, Remember{story}, client_);
  if (options_.follow) {
    http::Redirect redirect;
    redirect.hops_max = options_.redirects_max;
    redirect.allow_https_to_http = true;
    service = http::layered(redirect, service);
  }
  if (options_.try_seconds) service = http::layered(http::Timeout{seconds(*options_.try_seconds)}, service);
  if (options_.retries > 0) {
    http::Retry retry;
    retry.attempts = options_.retries + 1;
    retry.backoff = seconds(options_.retry_seconds);
    retry.observer = [this](const http::RetryNotice& notice) {
      if (options_.trace)
        std::fprintf(stderr, "waiting %.3f ms before attempt %d\n", notice.delay.milliseconds(),
                     notice.attempts_made + 1);
    };
    service = http::layered(retry, service);
  }
  return service;
}

Task<> Fetch::run(std::string text, http::Headers headers, std::string data, Output& out, Story& story) {
  story_ = &story;
  Reactor& reactor = co_await this_reactor;
  const std::size_t scheme_end = text.find("://");
  const bool has_scheme = scheme_end != text.npos && scheme_end < text.find_first_of("/?#");
  if (!has_scheme) text.insert(0, "http://");
  // Parses the URL as an address bar does: spaces and non-ASCII characters in path and query are
  // percent-encoded.
  const http::Url anywhere = co_await http::Url::parse("http://localhost/");
  http::Url url = co_await anywhere.resolve(text);
  if (!url.userinfo().empty() && !headers.has("authorization")) {
    headers.set("Authorization", "Basic " + base64(http::percent_decoded(url.userinfo())));
  }
  story.begun = true;
  std::string method = options_.method;
  if (method.empty()) method = options_.head ? "HEAD" : !options_.data.empty() ? "POST" : "GET";
  const http::Service service = layers(story, reactor.precise_now());
  http::Request request(method, std::move(url), std::move(headers), std::move(data));
  request.progress = story.progress;
  http::Response response = co_await service(std::move(request));
  story.status = response.status;
  story.headers = response.headers;
  std::string head;
  if ((options_.head || options_.include) && !options_.json) {
    head = "HTTP/1.1 " + std::to_string(response.status) + ' ' +
           std::string(http::reason_phrase(response.status)) + "\r\n";
    for (const http::Headers::Field& field : response.headers)
      head += field.name + ": " + field.value + "\r\n";
    head += "\r\n";
  }
  if (!options_.json || !options_.output.empty()) co_await write(head, out, story);
  co_await copy_body(response, out, story);
}

Task<> Fetch::write(std::string_view piece, Output& out, Story& story) {
  Result<> written = out.write(piece);
  if (written) written = out.flush();
  story.written = static_cast<bool>(written);
  co_await std::move(written);
}

// Writes the body as it arrives.
Task<> Fetch::copy_body(http::Response& response, Output& out, Story& story) {
  const bool collect = options_.json && options_.output.empty();
  const std::uint64_t most = options_.body_bytes_max.value_or(collect ? collected_max : UINT64_MAX);
  for (;;) {
    const std::string piece = co_await response.body.read();
    if (piece.empty()) co_return;
    story.bytes += piece.size();
    story.within_limit = story.bytes <= most;
    if (!story.within_limit) {
      co_await Error(Errc::limit_exceeded, "a body of more than " + std::to_string(most) + " bytes");
    }
    if (collect) {
      story.body += piece;
    } else {
      co_await write(piece, out, story);
    }
  }
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

nlohmann::json json_of(const std::string& url, const Story& story, const Result<>& outcome,
                       double milliseconds) {
  nlohmann::json headers = nlohmann::json::array();
  for (const http::Headers::Field& field : story.headers) headers.push_back({field.name, field.value});
  nlohmann::json object{{"url", url},
                        {"complete", static_cast<bool>(outcome)},
                        {"status", story.status},
                        {"headers", headers},
                        {"bytes", story.bytes},
                        {"body", story.body},
                        {"attempts", story.attempts},
                        {"total_ms", milliseconds}};
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
  if (!options.silent) std::fprintf(stderr, "esc-fetch: %s%s\n", why, message.c_str());
  return calloc_has_failed() ? no_memory.code : code;
}

}  // namespace

std::string fetch_exit_codes_help() {
  std::string help = "Exit codes: 0 every response was complete, whatever its status";
  for (const ExitCode& code : all_codes) help += "; " + std::to_string(code.code) + " " + code.meaning;
  return help + ".\n";
}

int fetch_all(const FetchOptions& options) {
  int tls_code = 0;
  Result<http::Encrypt> encrypt = encrypt_of(options, tls_code);
  if (!encrypt) return fail(options, tls_code, encrypt.error().message());
  Result<std::shared_ptr<const http::Route>> route = route_of(options);
  if (!route) return fail(options, usage.code, route.error().message());
  if (options.insecure)
    std::fprintf(stderr, "esc-fetch: --insecure: the server's certificate is not verified\n");
  Result<http::Headers> headers = headers_of(options);
  if (!headers) return fail(options, usage.code, headers.error().message());
  Result<std::string> data = data_of(options);
  if (!data) return fail(options, read_failed.code, data.error().message());
  Result<ResolverOptions> resolver = resolver_of(options);
  if (!resolver) return fail(options, usage.code, resolver.error().message());
  LoopOptions loop_options;
  loop_options.backend = options.backend;
  loop_options.tcp.resolver = *std::move(resolver);
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(loop_options));
  if (!loop) return fail(options, exit_code_of(loop.error(), Story()), loop.error().message());

  int code = 0;
  Output out(options.output == "-" ? std::string() : options.output);
  Output report("");
  UnixNetwork local((*loop)->backend(), options.unix_path);
  Network& network = options.unix_path.empty() ? static_cast<Network&>((*loop)->network()) : local;
  Fetch fetch(options, *std::move(encrypt), *std::move(route), network);
  for (const std::string& url : options.urls) {
    Story story;
    const Instant began = (*loop)->backend().now();
    const Duration limit = options.max_seconds ? seconds(*options.max_seconds) : Duration::max();
    const detail::LimitName max_time{TimeLimit::overall, "the whole transfer did not end"};
    Result<> outcome =
        (*loop)->run(detail::within(limit, max_time, fetch.run(url, *headers, *data, out, story)));
    if (!outcome) outcome = told(std::move(outcome).error(), story);
    if (options.json) {
      const double took = ((*loop)->backend().now() - began).milliseconds();
      const nlohmann::json object = json_of(url, story, outcome, took);
      Result<> told =
          report.write(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
      if (told) told = report.flush();
      story.written = story.written && told;
      if (!told) outcome = std::move(told);
    }
    if (!outcome) code = fail(options, exit_code_of(outcome.error(), story), sentence(outcome.error()));
  }
  return code;
}

}  // namespace escapement
