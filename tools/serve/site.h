// The site of esc-serve on one thread: its routes and the layers around them.

#pragma once

#include <functional>
#include <memory>
#include <string>

#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/middleware/observe/access_log.h>
#include <escapement/middleware/observe/loop_stats.h>
#include <escapement/middleware/observe/metrics.h>

namespace escapement {

struct SiteOptions {
  std::string fixtures;  // folder of recordings; empty: the routes
  bool echo = false;
  bool log = false;
  bool gzip = false;
  bool metrics = false;
  bool tasks = false;
  std::string root;  // folder of static files; empty: none
  std::function<void(std::string_view)> access_log =
      {};  // receives lines, from several threads at once; empty: none
  bool access_log_json = false;
  http::LoggedQuery access_log_query = http::LoggedQuery::all;
  Duration turn_max = Duration::max();  // longer turns are reported on standard error
  http::ServerOptions limits;
};

// The site of one thread. `all_metrics` collects the counts of all threads.
class Site {
 public:
  using AllMetrics = std::function<Task<http::MetricsSample>()>;

  // Yields the task trees of all threads, as text or as JSON.
  using AllTasks = std::function<Task<std::string>(bool json)>;

  // Makes the site for the thread of `loop`, which must outlive it. Errors: folders that cannot be read.
  static Result<std::unique_ptr<Site>> make(Loop& loop, const SiteOptions& options, AllMetrics all_metrics,
                                            AllTasks all_tasks);
  Site(const Site&) = delete;
  ~Site() { loop_.reactor().watch_turns(nullptr); }

  http::Server& server() { return *server_; }
  // Call it on the thread that serves the site.
  http::MetricsSample sample() const { return metrics_.sample(); }

 private:
  Site(Loop& loop, Duration turn_max);
  static http::AccessLog access_log_of(const SiteOptions& options);
  void hear_server(const SiteOptions& options);
  void count_server();

  Loop& loop_;
  LoopStats turns_;
  http::Metrics metrics_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace escapement
