// esc-load: puts a server under load, and measures latency without coordinated omission.

#include <csignal>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include <escapement/io/native/loop.h>
#include <escapement/io/tls/tls.h>

#include "tools/command_line.h"
#include "tools/last_words.h"
#include "tools/load/report.h"

using namespace escapement;

// Runs before the constructors of global objects, which allocate as well.
[[gnu::constructor(101)]] static void prepare() { escapement::end_with_a_sentence("esc-load", 1); }

namespace {

int fail(int code, const std::string& message) {
  std::fprintf(stderr, "esc-load: %s\n", message.c_str());
  return code;
}

Result<http::Request> request_of(const LoadOptions& options) {
  Result<http::Url> url = http::Url::parse(options.url);
  if (!url) return std::move(url).error();
  http::Headers headers{{"User-Agent", "esc-load/0.1.0"}};
  for (const std::string& line : options.headers) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos) return Error(Errc::invalid_argument, "-H \"" + line + "\" has no colon");
    headers.set(line.substr(0, colon), http::without_white_space(std::string_view(line).substr(colon + 1)));
  }
  std::string method = options.method;
  if (method.empty()) method = options.data.empty() ? "GET" : "POST";
  return http::Request(method, *std::move(url), std::move(headers), options.data);
}

Result<http::ClientOptions> client_of(const LoadOptions& options) {
  http::ClientOptions client;
  client.connections_per_host_max = client.connections_max = options.connections;
  client.idle_connections_max = client.idle_connections_per_host_max = options.connections;
  // -m is the one limit of a request.
  client.connect_timeout = client.handshake_timeout = client.head_timeout = Duration::max();
  client.stall_timeout = client.source_timeout = client.queue_timeout = Duration::max();
  TlsClientOptions tls;
  tls.trusted_file = options.cacert;
  tls.dangerously_accept_any_certificate = options.insecure;
  Result<TlsClient> made = TlsClient::make(std::move(tls));
  if (made) {
    client.encrypt = http::Encrypt(*std::move(made));
  } else if (made.error() != Errc::unsupported || !options.cacert.empty()) {
    return std::move(made).error().context("--cacert");
  }
  return client;
}

int load(const LoadOptions& options) {
  Result<http::Request> request = request_of(options);
  if (!request) return fail(2, request.error().message());
  Result<http::ClientOptions> client_options = client_of(options);
  if (!client_options) return fail(2, client_options.error().message());
  LoopOptions loop_options;
  loop_options.backend = options.backend;
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(loop_options));
  if (!loop) return fail(1, loop.error().message());
  const http::Client client((*loop)->network(), *std::move(client_options));
  Result<LoadResult> result = (*loop)->run(run_load(client, *request, options));
  if (!result) return fail(1, result.error().message());
  std::fputs((options.json ? json_of(options, *result) : text_of(options, *result)).c_str(), stdout);
  if (std::fflush(stdout) != 0) return fail(1, "cannot write to standard output");
  if (!options.picture.empty()) {
    std::FILE* const file = std::fopen(options.picture.c_str(), "we");
    const bool written = file != nullptr && std::fputs(picture_of(options, *result).c_str(), file) >= 0;
    const bool closed = file != nullptr && std::fclose(file) == 0;
    if (!written || !closed) return fail(1, "cannot write " + options.picture);
  }
  return result->failures.empty() && result->latency.count() > 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  LoadOptions options;
  CLI::App app(
      "Puts a server under load and measures its latency. With --rate, requests are due at fixed instants, "
      "and latency\n"
      "counts from those: a stall is not hidden by the requests that it holds back (coordinated omission).",
      "esc-load");
  app.set_version_flag("--version", "esc-load 0.1.0");
  app.footer(
      "Exit codes: 0 every request got a response, whatever its status; 1 some failed; 2 invalid command "
      "line.\n");
  CLI::Option* url = app.add_option("URL", options.url, "http:// or https:// URL");
  app.add_option("-r,--rate", options.rate,
                 "requests a second; without it, each connection waits for its response")
      ->check(positive_number());
  app.add_option("-c,--connections", options.connections, "connections")
      ->capture_default_str()
      ->check(whole_number(1, 60'000));
  app.add_option("-t,--time", options.seconds, "seconds to measure")
      ->capture_default_str()
      ->check(positive_number());
  app.add_option("--warm-up", options.warm_up_seconds, "seconds before that, which do not count")
      ->capture_default_str()
      ->check(number_from_zero());
  app.add_option("-m,--timeout", options.timeout_seconds, "time limit of a request, in seconds")
      ->capture_default_str()
      ->check(positive_number());
  app.add_option("-X,--request", options.method, "request method");
  app.add_option("-H,--header", options.headers, "header field \"Name: value\"; repeatable")
      ->allow_extra_args(false);
  app.add_option("-d,--data", options.data, "request body");
  app.add_option("--cacert", options.cacert, "trust these CA certificates (PEM) instead of the system's");
  app.add_flag("-k,--insecure", options.insecure,
               "disable certificate verification. INSECURE; for experiments only");
  app.add_flag("--json", options.json, "print the result as one JSON object");
  app.add_option("--svg", options.picture, "write a picture of the percentiles to this file");
  app.add_option("--backend", options.backend, "poller: epoll or poll")
      ->check(CLI::IsMember({"epoll", "poll"}));
  if (std::optional<int> code = read_command_line(app, count, arguments, {url})) return *code;
  std::signal(SIGPIPE, SIG_IGN);
  return load(options);
}
