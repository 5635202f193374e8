// esc-fetch: fetches URLs, in curl's spelling.

#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "fetch_job.h"

using namespace escapement;

int main(int count, char** arguments) {
  FetchOptions options;
  CLI::App app("Fetches URLs, in curl's spelling. The body goes to standard output.", "esc-fetch");
  app.set_version_flag("--version", "esc-fetch 0.1.0");
  app.footer(fetch_exit_codes_help());
  app.add_option("URL", options.urls, "http:// and https:// URLs, fetched one after the other")->required();
  app.add_flag("-s,--silent", options.silent, "no messages about failures");
  app.add_option("-m,--max-time", options.max_seconds, "seconds for all of it, body included")
      ->check(CLI::PositiveNumber);
  app.add_flag("-L,--location", options.follow, "follow redirects");
  app.add_option("--max-redirs", options.redirects_max, "at most so many")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("-H,--header", options.headers, "\"Name: value\", more than once for more")
      ->allow_extra_args(false);
  app.add_option("-X,--request", options.method, "the method");
  app.add_option("-d,--data,--data-binary", options.data, "the body, or @FILE, or @- for standard input");
  app.add_option("-u,--user", options.user, "USER:PASSWORD for basic authentication");
  app.add_flag("-I,--head", options.head, "HEAD; prints the head");
  app.add_flag("-i,--include", options.include, "print the head before the body");
  app.add_option("-o,--output", options.output, "write the body there");
  app.add_option("-A,--user-agent", options.agent, "the User-Agent field")->capture_default_str();
  app.add_option("--connect-timeout", options.connect_seconds, "seconds to connect")
      ->check(CLI::PositiveNumber);
  app.add_option("--cacert", options.cacert, "certificates to trust (PEM), instead of the system's");
  app.add_flag("-k,--insecure", options.insecure,
               "DANGEROUS: believe any certificate; protects from nobody, for experiments only");
  app.add_option("--resolve", options.resolve, "HOST:PORT:ADDRESS, instead of asking DNS")
      ->allow_extra_args(false);
  app.add_option("--retry", options.retries, "attempts after the first")->check(CLI::NonNegativeNumber);
  app.add_option("--retry-delay", options.retry_seconds, "seconds of backoff before the first of them")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--per-try-timeout", options.try_seconds, "seconds for the head of one attempt")
      ->check(CLI::PositiveNumber);
  app.add_flag("--trace", options.trace, "what happened when, on standard error");
  app.add_flag("--json", options.json, "one JSON object for each URL instead of the body");
  app.add_option("--backend", options.backend, "epoll or poll")->check(CLI::IsMember({"epoll", "poll"}));
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fprintf(stderr, "esc-fetch: %s (try --help)\n", error.what());
    return 2;
  }
  return fetch_all(options);
}
