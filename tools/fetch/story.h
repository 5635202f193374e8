// The story of one URL: what happened, for its exit code, -w, --trace, --explain and --report.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <escapement/core/error.h>
#include <escapement/core/task_local.h>
#include <escapement/core/time.h>
#include <escapement/io/http/message.h>
#include <escapement/io/http/progress.h>

namespace escapement {

// One request that was sent, or that could not be.
struct Attempt {
  std::string what;  // "GET http://host/path"
  Instant began = Instant::never();
  Instant ended = Instant::never();  // the response's head, or the failure
  Instant connect_began = Instant::never();
  Instant connected = Instant::never();  // the transport; never(): a kept connection, or none
  Instant encrypted = Instant::never();  // the TLS handshake ended; never(): there was none
  std::string peer;                      // "10.0.0.1:443", of a new connection
  std::string outcome;                   // "200", "cancelled", or what failed
  Duration pause;                        // before the next one
};

struct Story {
  std::string url;           // as given
  std::string file;          // that the body goes to; empty: standard output
  bool remote_name = false;  // the file's name is the URL's; with -J the response's
  std::size_t number = 0;
  Instant began = Instant::never();
  Instant body_began = Instant::never();
  Instant ended = Instant::never();
  std::vector<Attempt> attempts;
  int retries = 0;
  int redirects = 0;
  std::string method;         // of the last attempt
  std::string effective_url;  // of the last attempt, without credentials
  std::string scheme;
  std::string redirect_url;  // where the last response wanted to go
  std::string heads;         // of the redirects on the way, for -i
  int status = 0;
  http::Headers headers;
  std::uint64_t head_bytes = 0;
  std::uint64_t bytes = 0;           // of the body, as they arrived
  std::uint64_t uploaded = 0;        // of the request's body
  std::uint64_t resumed_at = 0;      // the file had so many bytes before
  std::optional<std::uint64_t> all;  // the bytes that the body will have
  std::string body;                  // kept only for --report
  bool begun = false;                // the URL was good
  bool written = true;               // all output was written
  bool within_limit = true;          // of the body
  bool refused = false;              // by -f
  bool range_ignored = false;        // -C, and the server began anew
  bool undecodable = false;          // --compressed, and the body is malformed
  bool body_broken = false;          // the body did not arrive
  bool wrote = false;                // something of the body, or for -i the head
  bool idempotent = false;           // the request
  bool read_failed = false;          // a file to send
  bool foreign_scheme = false;
  bool socks = false;  // a proxy of SOCKS5
  std::string referer;
  std::shared_ptr<http::CallProgress> progress = std::make_shared<http::CallProgress>();
  // Facts about the last attempt.
  bool handshake_failed = false;
  bool redirected = false;        // to a valid URL
  bool bad_target = false;        // -L, and the redirect's target is no http URL
  std::optional<Duration> pause;  // after which another attempt follows

  // Forgets the attempt that has ended, for another one.
  void begin_again() {
    ++retries;
    if (!attempts.empty()) attempts.back().pause = *pause;
    redirects = 0;
    redirected = false;
    heads.clear();
    status = 0;
    headers = http::Headers();
    bytes = 0;
    all.reset();
    body.clear();
    body_began = Instant::never();
    refused = range_ignored = undecodable = body_broken = wrote = false;
    written = within_limit = true;
  }
};

// The story that the running task belongs to.
inline const TaskLocal<std::shared_ptr<Story>> this_story;

}  // namespace escapement
