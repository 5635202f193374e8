// esc-serve: a small HTTP server for demos and tests, with routes for everything that can go wrong.

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/loop.h>
#include <escapement/io/signals.h>
#include <escapement/io/tls.h>

#include "fixture_service.h"
#include "serve_routes.h"

using namespace escapement;

namespace {

struct Options {
  std::string address;
  std::string backend;
  std::string fixtures;
  std::vector<std::string> tls_certificates;
  std::vector<std::string> tls_keys;
  std::string tls_clients;
  bool echo = false;
  bool log = false;
  double grace_seconds = 10;
  http::ServerOptions limits;
};

http::Service logged(http::Service service) {
  return [service](http::Request request) -> Task<http::Response> {
    const std::string what = request.method.text() + ' ' + request.target;
    Result<http::Response> outcome = co_await service(std::move(request)).result();
    std::fprintf(stderr, "%s %s\n", what.c_str(),
                 outcome ? std::to_string(outcome->status).c_str() : to_string(outcome.error()).c_str());
    co_return std::move(outcome);
  };
}

Result<TlsServerOptions> tls_of(const Options& options) {
  TlsServerOptions tls;
  for (std::size_t i = 0; i < options.tls_certificates.size(); ++i) {
    Result<TlsIdentity> identity = TlsIdentity::read(options.tls_certificates[i], options.tls_keys[i]);
    if (!identity) return std::move(identity).error();
    tls.identities.push_back(*std::move(identity));
  }
  tls.clients_trusted_file = options.tls_clients;
  if (options.log) {
    tls.on_failure = [](const Error& error) { std::fprintf(stderr, "%s\n", to_string(error).c_str()); };
  }
  return tls;
}

Result<TlsServer> make_tls(const Options& options) {
  Result<TlsServerOptions> tls = tls_of(options);
  if (!tls) return std::move(tls).error();
  return TlsServer::make(*std::move(tls));
}

// SIGHUP: the certificates are read again. What is wrong with them leaves the old ones in use.
void reload(TlsServer& tls, const Options& options) {
  Result<TlsServerOptions> fresh = tls_of(options);
  Result<> done;
  if (fresh) done = tls.reload(*std::move(fresh));
  if (!fresh) done = fresh.error();
  std::fprintf(stderr, "esc-serve: %s\n",
               done ? "certificates reloaded" : ("certificates kept: " + done.error().message()).c_str());
}

// The first SIGINT or SIGTERM begins a graceful shutdown, the second ends it.
Task<> stop_on(Signals& signals, http::Server& server, std::optional<TlsServer> tls, const Options& options) {
  Duration grace = std::chrono::duration<double>(options.grace_seconds);
  for (;;) {
    const int number = co_await signals.next();
    if (number == SIGHUP) {
      if (tls) reload(*tls, options);
      continue;
    }
    server.shutdown(grace);
    grace = Duration();
  }
}

Task<> serve(http::Server& server, std::unique_ptr<Listener> listener, std::optional<TlsServer> tls,
             Signals& signals, const Options& options) {
  Reactor& reactor = co_await this_reactor;
  Scope scope(reactor);
  scope.spawn(stop_on(signals, server, tls, options));
  if (tls) listener = tls->over(std::move(listener));
  co_await server.serve(std::move(listener));
}

Result<http::Service> service_for(const Options& options) {
  if (!options.fixtures.empty()) {
    Result<std::vector<demo::Recording>> recordings = demo::load_recordings(options.fixtures);
    if (!recordings) return std::move(recordings).error();
    return demo::fixture_service(*std::move(recordings));
  }
  if (options.echo) return http::Service(serve_echo);
  return serve_routes();
}

int fail(const Error& error) {
  std::fprintf(stderr, "esc-serve: %s\n", error.message().c_str());
  return 1;
}

int run(const Options& options) {
  Result<http::Service> service = service_for(options);
  if (!service) return fail(service.error());
  LoopOptions loop_options;
  loop_options.backend = options.backend;
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(loop_options));
  if (!loop) return fail(loop.error());
  std::optional<TlsServer> tls;
  if (!options.tls_certificates.empty()) {
    Result<TlsServer> made = make_tls(options);
    if (!made) return fail(made.error());
    tls = *std::move(made);
  }
  FdBackend& backend = (*loop)->backend();
  Result<std::unique_ptr<Signals>> signals =
      tls ? Signals::make(backend, {SIGINT, SIGTERM, SIGHUP}) : Signals::make(backend, {SIGINT, SIGTERM});
  if (!signals) return fail(signals.error());
  http::Server server(options.log ? logged(*service) : *service, options.limits);
  Result<std::unique_ptr<Listener>> listener = (*loop)->network().listen(options.address);
  if (!listener) return fail(listener.error());
  std::printf("listening on %s://%s\n", tls ? "https" : "http", (*listener)->address().c_str());
  std::fflush(stdout);
  Result<> ended = (*loop)->run(serve(server, *std::move(listener), tls, **signals, options));
  if (!ended) return fail(ended.error());
  const http::ServerStatistics& counts = server.statistics();
  const http::ShutdownReport& report = server.shutdown_report();
  std::fprintf(
      stderr,
      "esc-serve: %llu requests on %llu connections; at the end %zu idle closed, %zu drained, %zu cut\n",
      static_cast<unsigned long long>(counts.requests), static_cast<unsigned long long>(counts.connections),
      report.idle_closed, report.drained, report.cancelled);
  if (tls) {
    const TlsServerStatistics& handshakes = tls->statistics();
    std::fprintf(stderr, "esc-serve: %llu TLS handshakes, %llu of them resumed; %llu failed\n",
                 static_cast<unsigned long long>(handshakes.handshakes),
                 static_cast<unsigned long long>(handshakes.resumed),
                 static_cast<unsigned long long>(handshakes.failed));
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App app("A small HTTP/1.1 server for demos and tests.", "esc-serve");
  app.footer(serve_routes_help());
  app.set_version_flag("--version", "esc-serve 0.1.0");
  app.add_option("HOST:PORT", options.address, "where to listen; port 0: any free one")->required();
  app.add_flag("--echo", options.echo,
               "answer every well-formed request with 200 and its own body, or \"hello\"");
  app.add_option("--fixtures", options.fixtures,
                 "replay the recordings of npm's @octokit/fixtures in this folder, with faults");
  CLI::Option* certificates =
      app.add_option("--tls-cert", options.tls_certificates,
                     "serve https with this certificate chain (PEM); more than once for more names")
          ->allow_extra_args(false);
  app.add_option("--tls-key", options.tls_keys, "its key; as many as --tls-cert; SIGHUP reads both again")
      ->allow_extra_args(false);
  app.add_option("--tls-client-ca", options.tls_clients,
                 "let in only clients with a certificate of these (PEM)")
      ->needs(certificates);
  app.add_option("--backend", options.backend, "epoll or poll")->check(CLI::IsMember({"epoll", "poll"}));
  app.add_flag("--log", options.log, "a line for each request on standard error");
  app.add_option("--grace", options.grace_seconds, "seconds that requests in work get at SIGINT or SIGTERM")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--head-bytes-max", options.limits.head_bytes_max, "more: 431")->capture_default_str();
  app.add_option("--body-bytes-max", options.limits.body_bytes_max, "more: 413")->capture_default_str();
  app.add_option("--connections-max", options.limits.connections_max, "more wait")->capture_default_str();
  double header_timeout = 10;
  double keep_alive = 75;
  app.add_option("--header-timeout", header_timeout, "seconds for a request's head")->capture_default_str();
  app.add_option("--keep-alive", keep_alive, "seconds between requests")->capture_default_str();
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    const bool help = error.get_exit_code() == 0;
    if (help) return app.exit(error);
    std::fprintf(stderr, "esc-serve: %s (try --help)\n", error.what());
    return 2;
  }
  if (options.tls_certificates.size() != options.tls_keys.size()) {
    std::fprintf(stderr, "esc-serve: each --tls-cert needs its --tls-key, in the same order\n");
    return 2;
  }
  options.limits.header_timeout = std::chrono::duration<double>(header_timeout);
  options.limits.keep_alive = std::chrono::duration<double>(keep_alive);
  return run(options);
}
