// A crawler with limits: pages, calls at once, time and bytes for each page, time in all.

#pragma once

#include <string>
#include <vector>

#include <escapement/core/task.h>
#include <escapement/io/stream.h>

struct CrawlResult {
  std::vector<std::string> pages;     // URLs, as they came in
  std::vector<std::string> failures;  // "URL: why"
};

// Follows the links of `start` on its own origin: at most 200 pages, 8 at once.
escapement::Task<CrawlResult> crawl(escapement::Network& network, std::string start);
