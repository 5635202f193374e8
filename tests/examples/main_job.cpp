#include "main_job.h"

#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/observe/trace.h>

namespace escapement::demo {

namespace {

// A layer defined by the program: makes the whole body part of the attempt, so that a broken one is retried.
struct WholeBody {
  std::size_t max;

  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    http::Response response = co_await next(std::move(request));
    std::string body = co_await response.body.text(max);
    co_return http::Response(response.status, std::move(response.headers), std::move(body));
  }
};

// Records events, line by line.
class Report {
 public:
  explicit Report(Reactor& reactor) : reactor_(reactor), began_(reactor.precise_now()) {}

  void line(const std::string& what) {
    const std::int64_t microseconds = (reactor_.precise_now() - began_).count() / 1000;
    const std::string digits = std::to_string(1000 + microseconds % 1000);
    text += std::to_string(microseconds / 1000) + '.' + digits.substr(1) + '\t' + what + '\n';
  }

  std::string text;

 private:
  Reactor& reactor_;
  Instant began_;
};

// Returns the URL of the next page from the Link field, or empty on the last page.
std::string next_page(const http::Headers& headers) {
  const std::string link(headers.get_or("link", ""));
  const std::size_t rel = link.find("; rel=\"next\"");
  if (rel == link.npos) return {};
  const std::size_t open = link.rfind('<', rel);
  return link.substr(open + 1, rel - open - 2);
}

}  // namespace

Task<std::string> main_job(http::Service transport, std::string base) {
  Reactor& reactor = co_await this_reactor;
  Report report(reactor);
  Random random(20261124);  // the same waits on every host
  std::string name;
  http::Retry retry;
  retry.attempts = 4;
  retry.backoff = 200ms;
  retry.random = &random;
  retry.observer = [&](const http::RetryNotice& notice) {
    report.line("  wait " + std::to_string(notice.delay.count() / 1000) + " us before attempt " +
                std::to_string(notice.attempts_made + 1));
  };
  http::Trace trace{[&](const http::TraceEvent& event) {
    if (event.kind == http::TraceEvent::Kind::started) report.line("  attempt");
    if (event.kind == http::TraceEvent::Kind::answered)
      report.line("  answer " + std::to_string(event.status));
    if (event.kind == http::TraceEvent::Kind::failed)
      report.line("  failed: " + std::string(escapement::name(event.error->code())));
  }};
  http::Service api = http::layered(http::Timeout{60s}, retry, trace, http::Timeout{1s}, WholeBody{1 * MiB},
                                    http::Redirect{}, transport);

  std::string fetched;
  std::string pages = base + "/repos/octokit-fixture-org/paginate-issues/issues?per_page=3";
  const std::string singles[] = {"/repos/octokit-fixture-org/hello-world",
                                 "/repos/octokit-fixture-org/rename-repository",
                                 "/repos/octokit-fixture-org/branch-protection/branches/main/protection"};
  for (const std::string& path : singles) {
    report.line("GET " + path);
    http::Url url = co_await http::Url::parse(base + path);
    http::Response response = co_await api(http::Request("GET", std::move(url)));
    report.line("done " + std::to_string(response.status) + ", " +
                std::to_string(response.body.bytes().size()) + " bytes");
    fetched += response.body.bytes();
  }
  for (int page = 1; !pages.empty(); ++page) {
    report.line("GET page " + std::to_string(page) + " of the issues");
    http::Url url = co_await http::Url::parse(pages);
    http::Response response = co_await api(http::Request("GET", std::move(url)));
    report.line("done " + std::to_string(response.status) + ", " +
                std::to_string(response.body.bytes().size()) + " bytes");
    pages = next_page(response.headers);
    fetched += response.body.bytes();
  }
  co_return report.text + '\n' + fetched;
}

}  // namespace escapement::demo
