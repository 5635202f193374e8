// The work of esc-fetch, after its command line has been parsed.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <escapement/io/native/resolve.h>

namespace escapement {

struct FetchOptions {
  std::vector<std::string> urls;
  bool silent = false;
  std::optional<double> max_seconds;
  bool follow = false;
  int redirects_max = 50;
  std::vector<std::string> headers;
  std::string method;
  std::vector<std::string> data;  // each a piece of the body, or @FILE; joined by &
  std::string user;
  bool head = false;
  bool include = false;
  std::string output;
  std::string agent = "esc-fetch/0.1.0";
  std::optional<double> connect_seconds;
  std::string cacert;
  std::string cert;  // the client's own certificate, and its key if `key` is empty
  std::string key;
  std::string pinned;                  // "sha256//...;sha256//..."
  std::optional<std::string> proxy;    // empty: none; not set: those of the environment
  std::optional<std::string> noproxy;  // replaces no_proxy
  std::string proxy_user;              // USER:PASSWORD
  bool insecure = false;
  std::vector<std::string> resolve;
  std::string unix_path;  // the socket behind every host; empty: they have addresses
  int retries = 0;
  double retry_seconds = 1;
  std::optional<double> try_seconds;
  bool trace = false;
  bool json = false;
  std::optional<std::uint64_t> body_bytes_max;
  AddressFamily family = AddressFamily::any;
  std::string backend;
};

constexpr int fetch_out_of_memory = 27;  // curl's exit code

// Fetches every URL. Returns the exit code of the last failure, or 0 if every response was complete.
int fetch_all(const FetchOptions& options);

std::string fetch_exit_codes_help();

}  // namespace escapement
