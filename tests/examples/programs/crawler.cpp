// crawler URL
#include "crawler.h"

#include <cstdio>
#include <deque>
#include <set>

#include <escapement/core/join_set.h>
#include <escapement/io/http/client.h>
#include <escapement/io/native/loop.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

struct Page {
  Page(http::Url at, Result<std::string> content) : url(std::move(at)), text(std::move(content)) {}
  http::Url url;
  Result<std::string> text;
};

Task<std::string> get_text(http::Service api, http::Url url) {
  http::Response response = co_await api(http::Request("GET", std::move(url)));
  if (response.status != 200) co_await Error(Errc::bad_message, "status " + std::to_string(response.status));
  co_return co_await response.body.text(256 * KiB);
}

Task<Page> get_page(http::Service api, http::Url url) {
  Result<std::string> text = co_await with_timeout(5s, get_text(api, url)).result();
  co_return Page(std::move(url), std::move(text));
}

// The targets of href="...", which is what a crawler of ten lines sees of HTML.
std::vector<std::string> links_of(const std::string& text) {
  std::vector<std::string> links;
  constexpr std::string_view mark = "href=\"";
  for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at)) {
    at += mark.size();
    links.push_back(text.substr(at, text.find('"', at) - at));
  }
  return links;
}

Task<CrawlResult> crawl_all(Network& network, http::Url start) {
  constexpr std::size_t pages_max = 200;
  constexpr std::size_t at_once = 8;
  const std::string origin = start.origin();
  const http::Service api =
      http::layered(http::Retry{.attempts = 2}, http::Timeout{2s}, http::Redirect{}, http::Client(network));
  CrawlResult result;
  std::set<std::string> seen{start.without_credentials()};
  std::deque<http::Url> waiting{std::move(start)};
  JoinSet<Page> running(co_await this_reactor);
  for (;;) {
    while (!waiting.empty() && running.running() < at_once) {
      running.spawn(get_page(api, std::move(waiting.front())));
      waiting.pop_front();
    }
    std::optional<Result<Page>> page = co_await running.next();
    if (!page) co_return std::move(result);
    const http::Url& url = (*page)->url;
    if (!(*page)->text) {
      result.failures.push_back(url.text() + ": " + to_string((*page)->text.error()));
      continue;
    }
    result.pages.push_back(url.text());
    for (const std::string& link : links_of(*(*page)->text)) {
      Result<http::Url> target = url.resolve(link);
      const bool wanted = target && target->origin() == origin && seen.size() < pages_max &&
                          seen.insert(target->without_credentials()).second;
      if (wanted) waiting.push_back(*std::move(target));
    }
  }
}

}  // namespace

Task<CrawlResult> crawl(Network& network, std::string start) {
  http::Url url = co_await http::Url::parse(start);
  co_return co_await with_timeout(60s, crawl_all(network, std::move(url)));
}

int main(int count, char** arguments) {
  Loop loop;
  Result<CrawlResult> result = loop.run(crawl(loop.network(), count == 2 ? arguments[1] : ""));
  if (!result) return std::fprintf(stderr, "crawler: %s\n", to_string(result.error()).c_str()), 1;
  for (const std::string& page : result->pages) std::puts(page.c_str());
  for (const std::string& failure : result->failures) std::fprintf(stderr, "%s\n", failure.c_str());
  return result->failures.empty() ? 0 : 1;
}
