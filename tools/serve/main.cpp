// esc-serve: a small HTTP server for demos and tests, with routes for everything that can go wrong.

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include <escapement/core/scope.h>
#include <escapement/core/task_tree.h>
#include <escapement/io/native/activation.h>
#include <escapement/io/native/loop_group.h>
#include <escapement/io/native/signals.h>
#include <escapement/io/tls/tls.h>

#include "tools/command_line.h"
#include "tools/last_words.h"
#include "tools/serve/line_file.h"
#include "tools/serve/listeners.h"
#include "tools/serve/routes.h"
#include "tools/serve/site.h"

using namespace escapement;

namespace {

struct Options {
  ListenOptions listen;
  std::string unix_mode = "600";
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
  bool playground = false;
  SiteOptions site;
};

// Returns the folder of the playground, as the preset `wasm` builds it: below the current folder, or beside
// the build folder of this program.
std::optional<std::string> find_playground(const char* program) {
  const std::filesystem::path built = "wasm/tools/playground/playground";
  for (const std::filesystem::path& folder :
       {"build" / built, std::filesystem::path(program).parent_path() / "../.." / built}) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / "index.html", ignored)) return folder.string();
  }
  return std::nullopt;
}

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

// Makes one TlsServer for each thread, or none. Each issues its own session tickets: a client that comes back
// to another thread makes a full handshake.
Result<std::vector<TlsServer>> make_tls(const Options& options) {
  std::vector<TlsServer> servers;
  if (options.tls_certificates.empty()) return servers;
  Result<TlsServerOptions> tls = tls_of(options);
  if (!tls) return std::move(tls).error();
  while (servers.size() < options.threads) {
    Result<TlsServer> made = TlsServer::make(*tls);
    if (!made) return std::move(made).error();
    servers.push_back(*std::move(made));
  }
  return servers;
}

// The whole program: one site for each thread.
class Program {
 public:
  Program(LoopGroup& threads, Signals& signals, std::vector<TlsServer> tls, const Options& options)
      : threads_(threads),
        signals_(signals),
        tls_(std::move(tls)),
        options_(options),
        left_(threads.size()) {}
  Program(const Program&) = delete;

  Result<> add_site(const SiteOptions& options, std::unique_ptr<Listener> listener) {
    const std::size_t index = sites_.size();
    Loop& loop = threads_.loop(index);
    Result<std::unique_ptr<Site>> site = Site::make(
        loop, options, [this] { return all_metrics(); }, [this](bool json) { return all_tasks(json); });
    if (!site) return std::move(site).error();
    sites_.push_back(*std::move(site));
    listeners_.push_back(tls_.empty() ? std::move(listener) : tls_[index].wrap(std::move(listener)));
    return {};
  }

  Result<> run() {
    return threads_.run([this](Loop& loop, std::size_t index) { return serve(loop, index); });
  }

  void print_report() const;

 private:
  // Serves on one thread. The first thread stays until all have finished, because it receives the signals.
  Task<> serve(Loop& loop, std::size_t index) {
    Scope scope(loop.reactor());
    if (index == 0) scope.spawn(or_end(stop_on_signals()));
    co_await sites_[index]->server().serve(std::move(listeners_[index]));
    threads_.loop(0).reactor().post([this] {
      if (--left_ == 0) all_served_.set();
    });
    if (index == 0) co_await all_served_.wait();
  }

  // Ends the server if its signal handling fails: nobody could stop it any more.
  static Task<> or_end(Task<> hears_signals) {
    Result<> ended = co_await std::move(hears_signals).result();
    if (!ended) detail::end_now(ended.error().message().c_str(), 1);
  }

  // Begins a graceful shutdown at the first SIGINT or SIGTERM, and ends it at the second.
  Task<> stop_on_signals() {
    Duration grace = std::chrono::duration<double>(options_.grace_seconds);
    for (;;) {
      const int number = co_await signals_.next();
      if (number == SIGHUP) {
        co_await reload();
        continue;
      }
      if (number == SIGUSR1) {
        std::string tasks = co_await all_tasks(false);
        std::fputs(tasks.c_str(), stderr);
        continue;
      }
      shutdown(grace);
      grace = Duration();
    }
  }

  // Reloads the certificates after SIGHUP. If they are invalid, the old ones stay in use.
  Task<> reload() {
    Result<TlsServerOptions> fresh = tls_of(options_);
    std::string problem = fresh ? std::string() : fresh.error().message();
    if (fresh) {
      // Runs on each thread. A variable, not part of the co_await: g++ 12 destroys such temporaries twice.
      const std::function<std::string(std::size_t)> load = [this, tls = *fresh](std::size_t index) {
        Result<> done = tls_[index].reload(tls);
        return done ? std::string() : done.error().message();
      };
      std::vector<std::string> problems = co_await gather<std::string>(threads_, load);
      for (const std::string& each : problems) {
        if (problem.empty()) problem = each;
      }
    }
    std::fprintf(stderr, "esc-serve: %s\n",
                 problem.empty() ? "certificates reloaded" : ("certificates kept: " + problem).c_str());
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

  // The task trees of all threads, which each thread looks at itself.
  Task<std::string> all_tasks(bool json) {
    const std::function<std::string(std::size_t)> look = [this, json](std::size_t index) {
      const std::vector<TaskNode> tree = task_tree(threads_.loop(index).reactor());
      return json ? to_json(tree) : to_text(tree);
    };
    std::vector<std::string> trees = co_await gather<std::string>(threads_, look);
    std::string all = json ? "[" : "";
    for (std::size_t index = 0; index < trees.size(); ++index) {
      if (json) {
        all.append(index == 0 ? "" : ",").append(trees[index]);
      } else {
        all.append("thread ").append(std::to_string(index)).append("\n").append(trees[index]);
      }
    }
    if (json) all += "]\n";
    co_return std::move(all);
  }

  LoopGroup& threads_;
  Signals& signals_;
  std::vector<TlsServer> tls_;  // each used only by its thread
  const Options& options_;
  std::vector<std::unique_ptr<Site>> sites_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::size_t left_;  // threads still serving; touched only by the first one, like `all_served_`
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
      "esc-serve: %llu requests on %llu connections; at shutdown %zu idle closed, %zu drained, %zu aborted\n",
      static_cast<unsigned long long>(counts.requests), static_cast<unsigned long long>(counts.connections),
      report.idle_closed, report.drained, report.cancelled);
  if (tls_.empty()) return;
  TlsServerStatistics handshakes;
  for (const TlsServer& tls : tls_) {
    handshakes.handshakes += tls.statistics().handshakes;
    handshakes.resumed += tls.statistics().resumed;
    handshakes.failed += tls.statistics().failed;
  }
  std::fprintf(stderr, "esc-serve: %llu TLS handshakes, %llu of them resumed; %llu failed\n",
               static_cast<unsigned long long>(handshakes.handshakes),
               static_cast<unsigned long long>(handshakes.resumed),
               static_cast<unsigned long long>(handshakes.failed));
}

int run(const Options& options) {
  LoopOptions loop_options;
  loop_options.backend = options.backend;
  loop_options.tcp.reuse_port = options.threads > 1;
  Result<std::unique_ptr<LoopGroup>> threads = LoopGroup::make(options.threads, loop_options);
  if (!threads) return fail(threads.error());
  Result<std::vector<TlsServer>> tls = make_tls(options);
  if (!tls) return fail(tls.error());
  const bool https = !tls->empty();
  FdBackend& backend = (*threads)->loop(0).backend();
  Result<std::unique_ptr<Signals>> signals = https
                                                 ? Signals::make(backend, {SIGINT, SIGTERM, SIGUSR1, SIGHUP})
                                                 : Signals::make(backend, {SIGINT, SIGTERM, SIGUSR1});
  if (!signals) return fail(signals.error());
  std::unique_ptr<LineFile> log;
  SiteOptions site = options.site;
  if (!options.access_log.empty()) {
    Result<std::unique_ptr<LineFile>> opened = LineFile::open(options.access_log);
    if (!opened) return fail(opened.error());
    log = *std::move(opened);
    site.access_log = [&log](std::string_view line) { log->write(line); };
  }
  Program program(**threads, **signals, *std::move(tls), options);
  Result<Listeners> listeners = listen(**threads, options.listen, options.site.log);
  if (!listeners) return fail(listeners.error());
  for (std::unique_ptr<Listener>& listener : listeners->each) {
    Result<> added = program.add_site(site, std::move(listener));
    if (!added) return fail(added.error());
  }
  std::printf("listening on %s://%s\n", https ? "https" : "http", listeners->address.c_str());
  std::fflush(stdout);
  Result<bool> told = notify_supervisor("READY=1");
  if (!told) std::fprintf(stderr, "esc-serve: %s\n", told.error().message().c_str());
  Result<> ended = program.run();
  if (!ended) return fail(ended.error());
  program.print_report();
  return 0;
}

std::string octal_problem(std::string& text) {
  const auto value = parse_number<unsigned>(text, 8);
  return value && *value <= 0777 ? std::string() : '"' + text + "\" is not a mode from 0 to 777, in octal";
}

void add_limits(CLI::App& app, Options& options) {
  http::ServerOptions& limits = options.site.limits;
  app.add_option("--grace", options.grace_seconds,
                 "grace period for in-flight requests after SIGINT or SIGTERM, in seconds")
      ->capture_default_str()
      ->check(number_from_zero());
  constexpr std::int64_t many = 1'000'000'000'000;
  app.add_option("--head-bytes-max", limits.head_bytes_max, "largest request head, in bytes; larger: 431")
      ->capture_default_str()
      ->check(whole_number(1, many));
  app.add_option("--body-bytes-max", limits.body_bytes_max, "largest request body, in bytes; larger: 413")
      ->capture_default_str()
      ->check(whole_number(0, many));
  app.add_option("--connections-max", limits.connections_max,
                 "most open connections; further ones wait to be accepted")
      ->capture_default_str()
      ->check(whole_number(1, many));
  app.add_option("--connections-per-peer-max", limits.connections_per_peer_max,
                 "most connections from one address, on each thread; further ones are reset. Raise it behind "
                 "a proxy")
      ->capture_default_str()
      ->check(whole_number(1, many));
  app.add_option("--header-timeout", options.header_timeout_seconds,
                 "time limit for receiving a request head, in seconds")
      ->capture_default_str()
      ->check(positive_number());
  app.add_option("--keep-alive", options.keep_alive_seconds, "idle timeout between requests, in seconds")
      ->capture_default_str()
      ->check(positive_number());
}

void add_tls(CLI::App& app, Options& options) {
  CLI::Option* certificates =
      app.add_option("--tls-cert", options.tls_certificates,
                     "serve https with this certificate chain (PEM); repeat for further names")
          ->allow_extra_args(false);
  app.add_option("--tls-key", options.tls_keys,
                 "private key of each --tls-cert (PEM), in the same order; SIGHUP reloads both")
      ->allow_extra_args(false);
  app.add_option("--tls-client-ca", options.tls_clients,
                 "require client certificates signed by this CA (PEM)")
      ->needs(certificates);
}

// Adds what says where to listen: one of three. Returns these.
std::vector<const CLI::Option*> add_places(CLI::App& app, Options& options) {
  CLI::Option* address =
      app.add_option("HOST:PORT", options.listen.address, "address to listen on; port 0: any free port");
  CLI::Option* path = app.add_option("--unix", options.listen.unix_path,
                                     "listen on a Unix socket: a path, or @NAME for an abstract name")
                          ->excludes(address);
  app.add_option("--unix-mode", options.unix_mode, "permissions of the Unix socket, in octal")
      ->capture_default_str()
      ->check(CLI::Validator(octal_problem, ""))
      ->needs(path);
  CLI::Option* passed =
      app.add_flag("--systemd", options.listen.activated, "serve the socket that systemd passed (LISTEN_FDS)")
          ->excludes(address)
          ->excludes(path);
  app.add_option("--proxy-protocol", options.listen.proxies,
                 "expect a PROXY header (version 1 or 2) of these peers, and refuse others: addresses, "
                 "networks such as 10.0.0.0/8, or unix; repeatable")
      ->allow_extra_args(false);
  return {address, path, passed};
}

// Adds all options and returns those of which one is required.
std::vector<const CLI::Option*> add_options(CLI::App& app, Options& options) {
  SiteOptions& site = options.site;
  app.footer(serve_routes_help());
  app.set_version_flag("--version", "esc-serve 0.1.0");
  std::vector<const CLI::Option*> where = add_places(app, options);
  CLI::Option* root =
      app.add_option("--root", site.root, "serve the files of this folder where no route matches");
  CLI::Option* metrics =
      app.add_flag("--metrics", site.metrics, "serve metrics in Prometheus's format at /metrics");
  CLI::Option* playground =
      app.add_flag(
             "--playground", options.playground,
             "serve the playground: timers and a retry policy in the browser (docs/tutorials/browser.md)")
          ->excludes(root);
  app.add_flag(
      "--tasks", site.tasks,
      "serve the tree of tasks at /tasks, as JSON if the request accepts that; SIGUSR1 prints it, too");
  CLI::Option* echo =
      app.add_flag("--echo", site.echo,
                   "respond to every well-formed request with 200 and its own body, or \"hello\"; no routes")
          ->excludes(root)
          ->excludes(playground)
          ->excludes(metrics);
  app.add_option("--fixtures", site.fixtures,
                 "replay the recordings of npm's @octokit/fixtures in this folder, with faults; no routes")
      ->excludes(root)
      ->excludes(metrics)
      ->excludes(playground)
      ->excludes(echo);
  app.add_flag("--gzip", site.gzip, "compress responses for clients that accept gzip");
  app.add_option("--backend", options.backend, "poller: epoll or poll")
      ->check(CLI::IsMember({"epoll", "poll"}));
  app.add_option("--threads", options.threads,
                 "number of threads, each with its own reactor, sharing nothing; 0: one per core")
      ->capture_default_str()
      ->check(whole_number(0, 1024));
  app.add_flag("--log", site.log, "log a line for each request on standard error");
  app.add_option("--access-log", options.access_log,
                 "append a line for each response to this file; -: standard output");
  app.add_flag("--access-log-json", site.access_log_json,
               "write the access log as JSON instead of the combined format");
  const std::map<std::string, http::LoggedQuery> queries{{"all", http::LoggedQuery::all},
                                                         {"names", http::LoggedQuery::names},
                                                         {"none", http::LoggedQuery::none}};
  app.add_option("--access-log-query", site.access_log_query,
                 "how much of queries the access log shows: all, names or none")
      ->transform(CLI::CheckedTransformer(queries));
  app.add_option("--watchdog", options.turn_max_ms, "log reactor turns longer than MS milliseconds (0: off)")
      ->check(number_from_zero());
  add_tls(app, options);
  add_limits(app, options);
  return where;
}

}  // namespace

// Runs before the constructors of global objects, which allocate as well.
[[gnu::constructor(101)]] static void prepare() { escapement::end_with_a_sentence("esc-serve", 1); }

int main(int count, char** arguments) {
  Options options;
  CLI::App app("A small HTTP/1.1 server for demos and tests.", "esc-serve");
  const std::vector<const CLI::Option*> where = add_options(app, options);
  if (std::optional<int> code = read_command_line(app, count, arguments, where)) return *code;
  options.listen.unix_mode = static_cast<mode_t>(std::stoul(options.unix_mode, nullptr, 8));
  std::signal(SIGPIPE, SIG_IGN);  // for standard output and error; a log's reader may leave
  if (options.playground) {
    const std::optional<std::string> folder = find_playground(arguments[0]);
    if (!folder) {
      std::fprintf(
          stderr,
          "esc-serve: --playground: it is not built: cmake --preset wasm && cmake --build --preset wasm "
          "--target playground\n");
      return 2;
    }
    options.site.root = *folder;
  }
  if (options.tls_certificates.size() != options.tls_keys.size()) {
    std::fprintf(stderr, "esc-serve: each --tls-cert needs its --tls-key, in the same order\n");
    return 2;
  }
  options.site.limits.head_timeout = std::chrono::duration<double>(options.header_timeout_seconds);
  options.site.limits.idle_timeout = std::chrono::duration<double>(options.keep_alive_seconds);
  if (options.turn_max_ms > 0) {
    options.site.turn_max = std::chrono::duration<double, std::milli>(options.turn_max_ms);
  }
  if (options.threads == 0) options.threads = std::max(1u, std::thread::hardware_concurrency());
  options.site.limits.connections_max =
      (options.site.limits.connections_max + options.threads - 1) / options.threads;
  return run(options);
}
