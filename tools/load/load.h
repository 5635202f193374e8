// Load: sends requests at a rate, or as fast as responses come, and measures.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <escapement/io/http/client.h>

#include "tools/load/histogram.h"

namespace escapement {

struct LoadOptions {
  std::string url;
  double rate = 0;  // requests a second; 0: each connection sends when its last response is there
  std::size_t connections = 16;
  double seconds = 10;
  double warm_up_seconds = 1;
  double timeout_seconds = 10;
  std::string method;
  std::vector<std::string> headers;
  std::string data;
  std::string cacert;
  bool insecure = false;
  bool json = false;
  std::string picture;  // a file; empty: none
  std::string backend;
};

// The measurements.
struct LoadResult {
  Histogram latency;  // with a rate from the instant at which a request was due, else from when it was sent
  Histogram service;  // from when it was sent
  std::map<int, std::uint64_t> statuses;
  std::map<std::string, std::uint64_t> failures;  // by kind
  std::string first_failure;
  std::uint64_t body_bytes = 0;
  std::uint64_t connections_made = 0;
  double seconds = 0;  // that were measured
};

// Sends copies of `request`, whose body must be in memory, through a warm-up and the time that is measured.
//
// With a rate, request n is due at n / rate, whatever happened to those before it, and its latency counts
// from then: a stall of the server is seen by every request that was due meanwhile, and not by one alone
// (Tene's "coordinated omission"). If all connections are busy, a due request waits for one, and that counts
// too. Requests of the measured time are all waited for.
Task<LoadResult> run_load(const http::Client& client, const http::Request& request,
                          const LoadOptions& options);

}  // namespace escapement
