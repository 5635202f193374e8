#include "tools/serve/site.h"

#include <cstdio>

#include <escapement/io/native/code_location.h>
#include <escapement/middleware/files/static_files.h>
#include <escapement/middleware/server/compress.h>

#include "tools/serve/fixture_service.h"
#include "tools/serve/routes.h"

namespace escapement {

namespace {

http::Service logged(http::Service service) {
  return [service](http::Request request) -> Task<http::Response> {
    const std::string what = std::string(request.method.text()) + ' ' + std::string(request.target);
    Result<http::Response> outcome = co_await service(std::move(request)).result();
    std::fprintf(stderr, "%s %s\n", what.c_str(),
                 outcome ? std::to_string(outcome->status).c_str() : to_string(outcome.error()).c_str());
    co_return std::move(outcome);
  };
}

http::Service metrics_page(Site::AllMetrics all_metrics) {
  return [all_metrics](http::Request) -> Task<http::Response> {
    http::MetricsSample sample = co_await all_metrics();
    co_return http::metrics_response(sample);
  };
}

http::Service tasks_page(Site::AllTasks all_tasks) {
  return [all_tasks](http::Request request) -> Task<http::Response> {
    const bool json = request.headers.get_or("accept", "").find("json") != std::string_view::npos;
    std::string text = co_await all_tasks(json);
    http::Response response(200, std::move(text));
    response.headers.set("Content-Type", json ? "application/json" : "text/plain; charset=utf-8");
    co_return std::move(response);
  };
}

Result<http::Service> routes_for(const SiteOptions& options, Site::AllMetrics all_metrics,
                                 Site::AllTasks all_tasks) {
  std::vector<http::Route> more;
  if (options.tasks) more.emplace_back("GET", "/tasks", tasks_page(std::move(all_tasks)));
  if (options.metrics) more.emplace_back("GET", "/metrics", metrics_page(std::move(all_metrics)));
  if (options.root.empty()) return serve_routes(std::move(more), serve_no_route);
  Result<http::StaticFiles> files = http::StaticFiles::make(options.root);
  if (!files) return std::move(files).error();
  return serve_routes(std::move(more), *std::move(files));
}

Result<http::Service> service_for(const SiteOptions& options, Site::AllMetrics all_metrics,
                                  Site::AllTasks all_tasks) {
  if (!options.fixtures.empty()) {
    Result<std::vector<demo::Recording>> recordings = demo::load_recordings(options.fixtures);
    if (!recordings) return std::move(recordings).error();
    return demo::fixture_service(*std::move(recordings));
  }
  if (options.echo) return http::Service(serve_echo);
  return routes_for(options, std::move(all_metrics), std::move(all_tasks));
}

}  // namespace

Site::Site(Loop& loop, Duration turn_max)
    : loop_(loop), turns_(turn_max, [](const Turn& turn) {
        std::fprintf(stderr, "esc-serve: %s, at %s\n", describe(turn).c_str(),
                     code_location(turn.longest_code).c_str());
      }) {}

http::AccessLog Site::access_log_of(const SiteOptions& options) {
  http::AccessLog log{options.access_log};
  if (options.access_log_json) log.format = http::json_line;
  log.query = options.access_log_query;
  return log;
}

Result<std::unique_ptr<Site>> Site::make(Loop& loop, const SiteOptions& options, AllMetrics all_metrics,
                                         AllTasks all_tasks) {
  std::unique_ptr<Site> site(new Site(loop, options.turn_max));
  Result<http::Service> made = service_for(options, std::move(all_metrics), std::move(all_tasks));
  if (!made) return std::move(made).error();
  http::Service service = *std::move(made);
  if (options.gzip) service = http::layered(http::Compress{}, service);
  if (options.metrics) service = http::layered(site->metrics_, service);
  if (options.access_log) {
    service = http::layered(access_log_of(options), service);
  }
  if (options.log) service = logged(service);
  site->server_ = std::make_unique<http::Server>(service, options.limits);
  if (options.metrics) site->count_server();
  site->hear_server(options);
  const bool watched = options.metrics || options.turn_max != Duration::max();
  if (watched) loop.reactor().watch_turns(&site->turns_);
  return site;
}

// Logs and counts requests that the server refuses before any layer sees them.
void Site::hear_server(const SiteOptions& options) {
  const http::AccessLog log = access_log_of(options);
  server_->on_refused = [this, log, counts = options.metrics](const http::Refusal& refusal) {
    if (counts) metrics_.refused(refusal);
    if (log.sink) log.refused(loop_.reactor(), refusal);
  };
  if (!options.log) return;
  server_->on_failure = [](const Error& error) { std::fprintf(stderr, "%s\n", to_string(error).c_str()); };
}

void Site::count_server() {
  using Kind = http::MetricsSample::Kind;
  const http::ServerStatistics& counts = server_->statistics();
  const auto add = [&](const char* name, const char* help, Kind kind, auto http::ServerStatistics::* field) {
    metrics_.add(name, help, kind, [&counts, field] { return static_cast<double>(counts.*field); });
  };
  add("http_connections_total", "Connections accepted.", Kind::counter, &http::ServerStatistics::connections);
  add("http_connections_open", "Connections open now.", Kind::gauge, &http::ServerStatistics::open);
  add("http_refused_total", "Requests that the server itself refused.", Kind::counter,
      &http::ServerStatistics::refused);
  add("http_failed_handlers_total", "Requests whose handler failed.", Kind::counter,
      &http::ServerStatistics::failed_handlers);
  turns_.add_to(metrics_, loop_.timers());
}

}  // namespace escapement
