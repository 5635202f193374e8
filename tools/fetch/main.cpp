// esc-fetch: fetches URLs, in curl's spelling.

#include <csignal>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tools/command_line.h"
#include "tools/fetch/job.h"
#include "tools/last_words.h"

using namespace escapement;

// Runs before the constructors of global objects, which allocate as well.
[[gnu::constructor(101)]] static void prepare() {
  escapement::end_with_a_sentence("esc-fetch", escapement::fetch_out_of_memory);
}

int main(int count, char** arguments) {
  FetchOptions options;
  CLI::App app("Fetches URLs, in curl's spelling. The body goes to standard output.", "esc-fetch");
  app.set_version_flag("--version", "esc-fetch 0.1.0");
  app.footer(fetch_exit_codes_help());
  CLI::Option* urls =
      app.add_option("URL", options.urls, "http:// and https:// URLs, fetched one after the other");
  app.add_flag("-s,--silent", options.silent, "do not report failures");
  app.add_option("-m,--max-time", options.max_seconds,
                 "time limit for the whole transfer, body included, in seconds")
      ->check(positive_number());
  app.add_flag("-L,--location", options.follow, "follow redirects");
  app.add_option("--max-redirs", options.redirects_max, "most redirects to follow")
      ->capture_default_str()
      ->check(whole_number(0, 1'000'000));
  app.add_option(
         "-H,--header", options.headers,
         "header field \"Name: value\"; repeatable. \"Name:\" omits a default field, \"Name;\" sends an "
         "empty one")
      ->allow_extra_args(false);
  app.add_option("-X,--request", options.method, "request method");
  app.add_option("-d,--data,--data-binary", options.data,
                 "request body, or @FILE, or @- for standard input; several are joined by &")
      ->allow_extra_args(false);
  app.add_option("-u,--user", options.user, "USER:PASSWORD for basic authentication");
  app.add_flag("-I,--head", options.head, "send HEAD and print the response head");
  app.add_flag("-i,--include", options.include, "print the response head before the body");
  app.add_option("-o,--output", options.output,
                 "write the body to this file; created when the response arrives");
  app.add_option("--max-filesize", options.body_bytes_max,
                 "largest body, in bytes; with --json, which collects the body, 64 MiB by default")
      ->check(whole_number(0, std::int64_t{1} << 62));
  bool v4 = false;
  bool v6 = false;
  CLI::Option* only_v4 = app.add_flag("-4,--ipv4", v4, "use IPv4 addresses only");
  app.add_flag("-6,--ipv6", v6, "use IPv6 addresses only")->excludes(only_v4);
  app.add_option("-A,--user-agent", options.agent, "value of the User-Agent header field")
      ->capture_default_str();
  app.add_option("--connect-timeout", options.connect_seconds, "time limit for connecting, in seconds")
      ->check(positive_number());
  app.add_option("--cacert", options.cacert, "trust these CA certificates (PEM) instead of the system's");
  app.add_option("--cert", options.cert, "the client's certificate (PEM); its key too, without --key");
  app.add_option("--key", options.key, "the key of --cert (PEM)")->needs("--cert");
  app.add_option("--pinnedpubkey", options.pinned,
                 "the server's public key must be one of these: sha256//BASE64[;sha256//BASE64...]");
  app.add_option(
      "-x,--proxy", options.proxy,
      "[http|https|socks5://][USER:PASSWORD@]HOST[:PORT] for all URLs, port 1080 by default; \"\" for "
      "none. Without this: http_proxy, https_proxy, all_proxy, no_proxy");
  app.add_option("--noproxy", options.noproxy, "hosts to reach without a proxy, as in no_proxy; \"*\": all");
  app.add_option("--proxy-user", options.proxy_user, "USER:PASSWORD for the proxy");
  app.add_flag("-k,--insecure", options.insecure,
               "disable certificate verification. INSECURE; for experiments only");
  app.add_option("--resolve", options.resolve, "HOST:PORT:ADDRESS to use instead of DNS")
      ->allow_extra_args(false);
  app.add_option("--unix,--unix-socket", options.unix_path,
                 "connect to this Unix socket, a path or @NAME, instead of the URL's host");
  app.add_option("--retry", options.retries, "number of retries after the first attempt")
      ->check(whole_number(0, 1'000'000));
  app.add_option("--retry-delay", options.retry_seconds, "backoff before the first retry, in seconds")
      ->check(number_from_zero());
  app.add_option("--per-try-timeout", options.try_seconds,
                 "time limit for the response head of each attempt, in seconds")
      ->check(positive_number());
  app.add_flag("--trace", options.trace, "log every attempt with its times on standard error");
  app.add_flag("--json", options.json, "print one JSON object for each URL instead of the body");
  app.add_option("--backend", options.backend, "poller: epoll or poll")
      ->check(CLI::IsMember({"epoll", "poll"}));
  if (std::optional<int> code = read_command_line(app, count, arguments, {urls})) return *code;
  if (v4) options.family = AddressFamily::v4;
  if (v6) options.family = AddressFamily::v6;
  std::signal(SIGPIPE, SIG_IGN);  // the reader of the output may leave: exit code 23
  return fetch_all(options);
}
