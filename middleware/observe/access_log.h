// AccessLog: a line for every request, when the last byte of its answer is on its way.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <escapement/io/http/server.h>
#include <escapement/io/http/service.h>

namespace escapement::http {

// One answered request. Texts are as the client sent them: anything may be in them.
class AccessLogEntry {
 public:
  SystemTime began;
  Duration duration;  // until the body had been sent, or was given up
  std::string peer;   // without the port; empty: not known
  std::string method;
  std::string target;
  int minor_version = 1;
  int status = 499;         // 499: the client left before there was an answer; 444: the connection was reset
  std::uint64_t bytes = 0;  // of the body
  bool whole = false;       // the body was sent to its end
  std::string referer;
  std::string user_agent;
  std::string request_id;  // X-Request-Id of the answer, or of the request
  std::string error;       // of a handler that failed: to_string(Error)
};

// `127.0.0.1 - - [24/Nov/2026:09:00:00 +0000] "GET /x HTTP/1.1" 200 5 "-" "curl/8"`: the combined format of
// Apache and nginx. Quotes, backslashes, control characters and what is not ASCII are written as \xHH, so no
// request can forge a line.
std::string combined_line(const AccessLogEntry& entry);

// The same and the rest as one JSON object: time, peer, method, target, version, status, bytes, whole,
// duration_ms, referer, user_agent, request_id, error; what is empty is left out. Bytes that are not ASCII
// are written as if they were Latin-1.
std::string json_line(const AccessLogEntry& entry);

// What of a query is written: in the target and in the referer.
enum class LoggedQuery {
  all,
  names,  // "?token=*&page=*": values are often secrets
  none,
};

// Calls `sink` with one line, without its line break, for every request; what that throws is dropped, as the
// line is. Outermost is the place for it: it sees what goes out. Credentials in headers are never written;
// `query` says what of queries is.
struct AccessLog {
  std::function<void(std::string_view)> sink;
  std::string (*format)(const AccessLogEntry&) = combined_line;
  LoggedQuery query = LoggedQuery::all;

  Task<Response> operator()(Request request, const Service& next) const;

  // Calls it for what a Server refused and no layer sees, from its `on_refused`. Neither method nor target is
  // known: the request stands as "-".
  void refused(Reactor& reactor, const Refusal& refusal) const;
};

}  // namespace escapement::http
