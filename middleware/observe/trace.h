// Trace: reports the start and the outcome of every request to a sink.

#pragma once

#include <functional>
#include <string>

#include <escapement/io/http/service.h>

namespace escapement::http {

// An event in the life of a request, seen from the place of the Trace layer.
struct TraceEvent {
  // The kind of an event.
  enum class Kind {
    started,    // the request passed
    answered,   // `status` came back
    failed,     // `error` came back
    cancelled,  // it was destroyed unfinished: an outer limit expired, or the caller dropped it
  };
  Kind kind;                     // which of the four
  Instant at;                    // the time of this event
  Instant began;                 // the time of `started`
  std::string what;              // "GET http://host/path": no userinfo, no header values
  int status = 0;                // of the response, if `answered`
  const Error* error = nullptr;  // valid only while the sink is called
};

// Calls `sink` at the start and the end of every request. Outside a Retry it sees whole calls, inside it each
// attempt. Holds no secrets: no userinfo, header values or bodies. `sink` must not destroy the task that the
// request belongs to (checked: service.h). An exception of `sink` fails the request, or is dropped if the
// request was cancelled.
struct Trace {
  std::function<void(const TraceEvent&)> sink;  // called with each event

  Task<Response> operator()(Request request, const Service& next) const;
};

}  // namespace escapement::http
