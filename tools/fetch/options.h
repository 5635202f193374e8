// The settings of esc-fetch, as its command line gives them.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <escapement/io/native/resolve.h>

namespace escapement {

// One option that adds to the request's body, in the order of the command line.
struct DataPiece {
  enum class Kind {
    text,       // -d: a file is sent without CR, LF and NUL
    binary,     // --data-binary: a file is sent as it is
    raw,        // --data-raw: '@' means nothing
    encoded,    // --data-urlencode
    json,       // --json: as binary, joined without '&'
    form,       // -F
    form_text,  // --form-string
  };
  Kind kind;
  std::string value;
};

// Where the body of one URL goes: -o NAME, or -O.
struct OutputChoice {
  std::string name;     // of -o
  bool remote = false;  // -O
};

struct FetchOptions {
  std::vector<std::string> urls;
  bool no_glob = false;  // -g
  bool silent = false;
  bool show_errors = false;
  bool fail = false;
  bool fail_with_body = false;
  bool verbose = false;
  bool no_progress = false;
  std::optional<double> max_seconds;
  bool follow = false;
  int redirects_max = 50;  // -1: no limit
  std::vector<std::string> headers;
  std::string method;
  std::vector<DataPiece> data;
  bool data_in_query = false;        // -G
  std::vector<std::string> uploads;  // -T, one for each URL
  std::vector<std::string> url_queries;
  std::string user;
  bool digest = false;
  std::string bearer;
  std::vector<std::string> cookies;       // -b NAME=VALUE
  std::vector<std::string> cookie_files;  // -b FILE
  std::string cookie_jar;                 // -c
  bool junk_session_cookies = false;      // -j
  std::string referer;
  std::string range;
  std::string continue_at;  // an offset, or "-"
  bool compressed = false;
  bool head = false;
  bool include = false;
  std::vector<OutputChoice> outputs;  // -o and -O in the order of the command line, one for each URL
  bool all_remote_names = false;
  bool remote_header_name = false;  // -J
  bool create_folders = false;
  bool remove_on_error = false;
  std::string head_file;  // -D
  std::string output_folder;
  std::string write_out;
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
  std::optional<double> retry_seconds;  // not set: doubles from a second
  bool retry_all_errors = false;
  std::optional<double> retry_max_seconds;
  std::optional<double> try_seconds;
  std::optional<std::uint64_t> rate_max;   // bytes a second
  std::optional<std::uint64_t> slow_rate;  // -Y
  std::optional<double> slow_seconds;      // -y
  bool parallel = false;
  int parallel_max = 50;
  bool trace = false;
  bool explain = false;
  bool report = false;
  std::optional<std::uint64_t> body_bytes_max;
  AddressFamily family = AddressFamily::any;
  std::string backend;
};

constexpr double default_connect_seconds = 300;  // curl's
constexpr int fetch_out_of_memory = 27;          // curl's exit code

}  // namespace escapement
