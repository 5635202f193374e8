// AccessLog: logs a line for every request, when the last byte of its response is on its way.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <escapement/io/http/server.h>
#include <escapement/io/http/service.h>

namespace escapement::http {

// One request and its response. Texts are as the client sent them and may hold anything.
class AccessLogEntry {
 public:
  SystemTime began;         // when the request reached the layer
  Duration duration;        // until the body had been sent or dropped
  std::string peer;         // without the port; empty: unknown
  std::string method;       // as sent
  std::string target;       // path and query, as LoggedQuery allows
  int minor_version = 1;    // of HTTP/1
  int status = 499;         // 499: the client left before a response; 444: the connection was reset
  std::uint64_t bytes = 0;  // of the response body
  bool whole = false;       // the body was sent to its end
  std::string referer;      // as LoggedQuery allows; empty: none
  std::string user_agent;   // empty: none
  std::string request_id;   // X-Request-Id of the response, else of the request
  std::string error;        // if the handler failed: to_string(Error)
};

// Formats the entry in the combined format of Apache and nginx: `127.0.0.1 - - [24/Nov/2026:09:00:00 +0000]
// "GET /x HTTP/1.1" 200 5 "-" "curl/8"`. Quotes, backslashes, control characters and non-ASCII bytes are
// written as \xHH, so no request can forge a line.
std::string combined_line(const AccessLogEntry& entry);

// Formats the entry as one JSON object: time, peer, method, target, version, status, bytes, whole,
// duration_ms, referer, user_agent, request_id, error; empty values are left out. Non-ASCII bytes are written
// as if they were Latin-1.
std::string json_line(const AccessLogEntry& entry);

// The part of a query that is logged, in the target and in the referer.
enum class LoggedQuery {
  all,    // "?token=secret&page=2"
  names,  // "?token=*&page=*": values are often secrets
  none,   // nothing behind the path
};

// Calls `sink` with one line, without its line break, for every request. Exceptions of `sink` are dropped,
// and the line with them. Put this layer outermost: it then sees the response that goes out. Credentials in
// header fields are never logged; `query` controls how much of queries is.
struct AccessLog {
  std::function<void(std::string_view)> sink;  // called with each line
  // combined_line, json_line or a function like them
  std::string (*format)(const AccessLogEntry&) = combined_line;
  LoggedQuery query = LoggedQuery::all;  // how much of queries is logged

  Task<Response> operator()(Request request, const Service& next) const;

  // Logs a request that a Server refused before any layer saw it; call it from the server's `on_refused`.
  // Method and target are unknown: the request is logged as "-".
  void refused(Reactor& reactor, const Refusal& refusal) const;
};

}  // namespace escapement::http
