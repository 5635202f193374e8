// Trace: tells a sink when a request began and how it ended.

#pragma once

#include <functional>
#include <string>

#include <escapement/io/http/service.h>

namespace escapement::http {

// One thing that happened to a request at the place where the Trace layer stands.
struct TraceEvent {
  enum class Kind {
    started,    // the request passed
    answered,   // `status` came back
    failed,     // `error` came back
    cancelled,  // it was destroyed unfinished: an outer limit passed, or the caller lost interest
  };
  Kind kind;
  Instant at;        // now
  Instant began;     // when it passed
  std::string what;  // "GET http://host/path": no userinfo, no header values
  int status = 0;
  const Error* error = nullptr;  // valid during the call of the sink
};

// Calls `sink` at the beginning and the end of every request that passes. Outside a Retry it sees whole
// calls, inside it each attempt. It holds nothing that is secret: no userinfo, header values or bodies.
// `sink` must not destroy the task that the request belongs to (checked: service.h). What it throws fails the
// request, or is dropped where that was cancelled.
struct Trace {
  std::function<void(const TraceEvent&)> sink;

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
