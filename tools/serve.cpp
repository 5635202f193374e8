// esc-serve: a small HTTP server for demos and tests, with routes for everything that can go wrong.

#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/address.h>
#include <escapement/io/signals.h>
#include <escapement/io/threads.h>
#include <escapement/io/tls.h>

#include "serve_routes.h"
#include "serve_site.h"

using namespace escapement;

namespace {

struct Options {
  std::string address;
  std::string backend;
  std::size_t threads = 1;
  std::string access_log;
  std::vector<std::string> tls_certificates;
  std::vector<std::string> tls_keys;
  std::string tls_clients;
  double grace_seconds = 10;
  double header_timeout_seconds = 10;
  double keep_alive_seconds = 75;
  double turn_max_ms = 0;
  SiteOptions site;
};

int fail(const Error& error) {
  std::fprintf(stderr, "esc-serve: %s\n", error.message().c_str());
  return 1;
}

Result<TlsServerOptions> tls_of(const Options& options) {
  TlsServerOptions tls;
  for (std::size_t i = 0; i < options.tls_certificates.size(); ++i) {
    Result<TlsIdentity> identity = TlsIdentity::read(options.tls_certificates[i], options.tls_keys[i]);
    if (!identity) return std::move(identity).error();
    tls.identities.push_back(*std::move(identity));
  }
  tls.clients_trusted_file = options.tls_clients;
  if (options.site.log) {
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

// A file to which lines are appended, each at once. Lines of several threads do not mix.
class LineFile {
 public:
  static Result<std::unique_ptr<LineFile>> open(const std::string& name) {
    std::FILE* file = name == "-" ? stdout : std::fopen(name.c_str(), "ae");
    if (file == nullptr) return Error::from_errno(errno, "open " + name);
    return std::unique_ptr<LineFile>(new LineFile(file));
  }
  LineFile(const LineFile&) = delete;
  ~LineFile() {
    if (file_ != stdout) std::fclose(file_);
  }

  void write(std::string_view line) {
    std::string text(line);
    text += '\n';
    std::fwrite(text.data(), 1, text.size(), file_);
  }

 private:
  explicit LineFile(std::FILE* file) : file_(file) { std::setvbuf(file_, nullptr, _IOLBF, 64 * KiB); }

  std::FILE* file_;
};

// Everything that runs: one site for each thread.
class Program {
 public:
  Program(Threads& threads, Signals& signals, std::optional<TlsServer> tls, const Options& options)
      : threads_(threads),
        signals_(signals),
        tls_(std::move(tls)),
        options_(options),
        left_(threads.size()) {}
  Program(const Program&) = delete;

  Result<> add_site(const SiteOptions& options, std::unique_ptr<Listener> listener) {
    Loop& loop = threads_.loop(sites_.size());
    Result<std::unique_ptr<Site>> site = Site::make(loop, options, [this] { return all_metrics(); });
    if (!site) return std::move(site).error();
    sites_.push_back(*std::move(site));
    listeners_.push_back(tls_ ? tls_->over(std::move(listener)) : std::move(listener));
    return {};
  }

  Result<> run() {
    return threads_.run([this](Loop& loop, std::size_t index) { return serve(loop, index); });
  }

  void print_report() const;

 private:
  // The first thread stays until all have served, because it hears the signals.
  Task<> serve(Loop& loop, std::size_t index) {
    Scope scope(loop.reactor());
    if (index == 0) scope.spawn(stop_on_signals());
    co_await sites_[index]->server().serve(std::move(listeners_[index]));
    threads_.loop(0).reactor().post([this] {
      if (--left_ == 0) all_served_.set();
    });
    if (index == 0) co_await all_served_.wait();
  }

  // The first SIGINT or SIGTERM begins a graceful shutdown, the second ends it.
  Task<> stop_on_signals() {
    Duration grace = std::chrono::duration<double>(options_.grace_seconds);
    for (;;) {
      const int number = co_await signals_.next();
      if (number == SIGHUP) {
        if (tls_) reload(*tls_, options_);
        continue;
      }
      shutdown(grace);
      grace = Duration();
    }
  }

  void shutdown(Duration grace) {
    for (std::size_t index = 0; index < sites_.size(); ++index) {
      http::Server& server = sites_[index]->server();
      threads_.loop(index).reactor().post([&server, grace] { server.shutdown(grace); });
    }
  }

  Task<http::MetricsSample> all_metrics() {
    std::vector<http::MetricsSample> samples = co_await gather<http::MetricsSample>(
        threads_, [this](std::size_t index) { return sites_[index]->sample(); });
    http::MetricsSample sum;
    for (const http::MetricsSample& sample : samples) sum.add(sample);
    co_return std::move(sum);
  }

  Threads& threads_;
  Signals& signals_;
  std::optional<TlsServer> tls_;  // with one thread only
  const Options& options_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::size_t left_;  // threads that serve; only touched by the first one, as is `all_served_`
  Event all_served_;
};

void Program::print_report() const {
  http::ServerStatistics counts;
  http::ShutdownReport report;
  for (const std::unique_ptr<Site>& site : sites_) {
    counts.requests += site->server().statistics().requests;
    counts.connections += site->server().statistics().connections;
    report.idle_closed += site->server().shutdown_report().idle_closed;
    report.drained += site->server().shutdown_report().drained;
    report.cancelled += site->server().shutdown_report().cancelled;
  }
  std::fprintf(
      stderr,
      "esc-serve: %llu requests on %llu connections; at the end %zu idle closed, %zu drained, %zu cut\n",
      static_cast<unsigned long long>(counts.requests), static_cast<unsigned long long>(counts.connections),
      report.idle_closed, report.drained, report.cancelled);
  if (!tls_) return;
  const TlsServerStatistics& handshakes = tls_->statistics();
  std::fprintf(stderr, "esc-serve: %llu TLS handshakes, %llu of them resumed; %llu failed\n",
               static_cast<unsigned long long>(handshakes.handshakes),
               static_cast<unsigned long long>(handshakes.resumed),
               static_cast<unsigned long long>(handshakes.failed));
}

// The address as the user wrote it, with the port that the first listener got.
std::string with_port(const std::string& address, std::uint16_t port) {
  const Result<HostAndPort> parsed = parse_host_and_port(address);
  std::string host = parsed ? parsed->host : "";
  if (host.find(':') != host.npos) host = '[' + host + ']';
  return host + ':' + std::to_string(port);
}

int run(const Options& options) {
  LoopOptions loop_options;
  loop_options.backend = options.backend;
  loop_options.tcp.reuse_port = options.threads > 1;
  Result<std::unique_ptr<Threads>> threads = Threads::make(options.threads, loop_options);
  if (!threads) return fail(threads.error());
  std::optional<TlsServer> tls;
  if (!options.tls_certificates.empty()) {
    Result<TlsServer> made = make_tls(options);
    if (!made) return fail(made.error());
    tls = *std::move(made);
  }
  FdBackend& backend = (*threads)->loop(0).backend();
  Result<std::unique_ptr<Signals>> signals =
      tls ? Signals::make(backend, {SIGINT, SIGTERM, SIGHUP}) : Signals::make(backend, {SIGINT, SIGTERM});
  if (!signals) return fail(signals.error());
  std::unique_ptr<LineFile> log;
  SiteOptions site = options.site;
  if (!options.access_log.empty()) {
    Result<std::unique_ptr<LineFile>> opened = LineFile::open(options.access_log);
    if (!opened) return fail(opened.error());
    log = *std::move(opened);
    site.access_log = [&log](std::string_view line) { log->write(line); };
  }
  Program program(**threads, **signals, tls, options);
  std::string address = options.address;
  std::string listening;
  for (std::size_t index = 0; index < options.threads; ++index) {
    Result<std::unique_ptr<Listener>> listener = (*threads)->loop(index).network().listen(address);
    if (!listener) return fail(listener.error());
    if (index == 0) listening = (*listener)->address();
    address = with_port(options.address, (*listener)->port());
    Result<> added = program.add_site(site, *std::move(listener));
    if (!added) return fail(added.error());
  }
  std::printf("listening on %s://%s\n", tls ? "https" : "http", listening.c_str());
  std::fflush(stdout);
  Result<> ended = program.run();
  if (!ended) return fail(ended.error());
  program.print_report();
  return 0;
}

void add_limits(CLI::App& app, Options& options) {
  http::ServerOptions& limits = options.site.limits;
  app.add_option("--grace", options.grace_seconds, "seconds that requests in work get at SIGINT or SIGTERM")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("--head-bytes-max", limits.head_bytes_max, "more: 431")->capture_default_str();
  app.add_option("--body-bytes-max", limits.body_bytes_max, "more: 413")->capture_default_str();
  app.add_option("--connections-max", limits.connections_max, "more wait")->capture_default_str();
  app.add_option("--header-timeout", options.header_timeout_seconds, "seconds for a request's head")
      ->capture_default_str();
  app.add_option("--keep-alive", options.keep_alive_seconds, "seconds between requests")
      ->capture_default_str();
}

void add_tls(CLI::App& app, Options& options) {
  CLI::Option* certificates =
      app.add_option("--tls-cert", options.tls_certificates,
                     "serve https with this certificate chain (PEM); more than once for more names")
          ->allow_extra_args(false);
  app.add_option("--tls-key", options.tls_keys, "its key; as many as --tls-cert; SIGHUP reads both again")
      ->allow_extra_args(false);
  app.add_option("--tls-client-ca", options.tls_clients,
                 "let in only clients with a certificate of these (PEM)")
      ->needs(certificates);
}

void add_options(CLI::App& app, Options& options) {
  SiteOptions& site = options.site;
  app.footer(serve_routes_help());
  app.set_version_flag("--version", "esc-serve 0.1.0");
  app.add_option("HOST:PORT", options.address, "where to listen; port 0: any free one")->required();
  app.add_flag("--echo", site.echo,
               "answer every well-formed request with 200 and its own body, or \"hello\"");
  app.add_option("--fixtures", site.fixtures,
                 "replay the recordings of npm's @octokit/fixtures in this folder, with faults");
  app.add_option("--root", site.root, "serve this folder's files where no route matches");
  app.add_flag("--gzip", site.gzip, "compress answers for clients that ask for it");
  app.add_flag("--metrics", site.metrics, "count, and tell it in Prometheus's format at /metrics");
  app.add_option("--backend", options.backend, "epoll or poll")->check(CLI::IsMember({"epoll", "poll"}));
  app.add_option("--threads", options.threads,
                 "threads with a reactor each, which share nothing; 0: one per core")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.add_flag("--log", site.log, "a line for each request on standard error");
  app.add_option("--access-log", options.access_log,
                 "append a line for each answer to this file; -: standard output");
  app.add_flag("--access-log-json", site.access_log_json, "as JSON, not in the combined format");
  const std::map<std::string, http::LoggedQuery> queries{{"all", http::LoggedQuery::all},
                                                         {"names", http::LoggedQuery::names},
                                                         {"none", http::LoggedQuery::none}};
  app.add_option("--access-log-query", site.access_log_query, "what it shows of queries: all, names or none")
      ->transform(CLI::CheckedTransformer(queries));
  app.add_option("--watchdog", options.turn_max_ms,
                 "tell of turns longer than so many milliseconds; 0: do not")
      ->check(CLI::NonNegativeNumber);
  add_tls(app, options);
  add_limits(app, options);
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App app("A small HTTP/1.1 server for demos and tests.", "esc-serve");
  add_options(app, options);
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
  if (!options.tls_certificates.empty() && options.threads != 1) {
    std::fprintf(stderr, "esc-serve: TLS works with one thread only so far\n");
    return 2;
  }
  options.site.limits.header_timeout = std::chrono::duration<double>(options.header_timeout_seconds);
  options.site.limits.keep_alive = std::chrono::duration<double>(options.keep_alive_seconds);
  if (options.turn_max_ms > 0) {
    options.site.turn_max = std::chrono::duration<double, std::milli>(options.turn_max_ms);
  }
  if (options.threads == 0) options.threads = std::max(1u, std::thread::hardware_concurrency());
  options.site.limits.connections_max =
      (options.site.limits.connections_max + options.threads - 1) / options.threads;
  return run(options);
}
