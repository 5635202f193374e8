// Tracer: records requests, their attempts and the phases of these as spans, and carries the trace on.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/middleware/observe/span.h>

namespace escapement::http {

// The settings of a Tracer.
class TracerOptions {
 public:
  Span::Kind kind = Span::Kind::client;  // server: in front of handlers
  // The share of the traces begun here that is recorded, from 0 to 1 (checked). One that was begun elsewhere
  // is recorded if its traceparent says so.
  double sampled = 1;
  bool trusts_peer = true;  // false: a traceparent that a request brings is replaced by a new trace
  std::vector<std::string> recorded_headers = {};  // fields of requests whose values are recorded
  // Fields of them whose values are "REDACTED" nevertheless.
  std::vector<std::string> secret_headers = {"Authorization", "Cookie", "Proxy-Authorization", "X-Api-Key"};
  // Query parameters whose values are "REDACTED". Names compare without case.
  std::vector<std::string> secret_parameters = {"access_token",     "api_key",
                                                "apikey",           "auth",
                                                "client_secret",    "code",
                                                "id_token",         "key",
                                                "password",         "refresh_token",
                                                "secret",           "sig",
                                                "signature",        "token",
                                                "X-Amz-Credential", "X-Amz-Security-Token",
                                                "X-Amz-Signature",  "X-Goog-Credential",
                                                "X-Goog-Signature"};
};

// Records a span for each request that passes, from its arrival here to the end of its response's body, and
// sets traceparent, so that a service behind it carries on the trace. tracestate passes as it is, or is
// removed where a new trace begins.
//
//     const Tracer tracer(std::make_shared<SpanTree>(print));
//     const Service api = layered(tracer, Retry{}, tracer, client);
//
// Outside of a Retry a span is a request, inside of it an attempt ("attempt 2"), whose parent is the request:
// each Tracer takes the traceparent that it finds for its parent. The innermost one also records the phases,
// as far as the client reports them (CallObserver): queue, dns, connect, tls, write, wait, read. With Hedge
// around it each attempt has its own; around Hedge they are those of the attempt that reported last.
//
// In front of a server's handlers, a handler passes the trace on by `continue_trace`.
//
// Spans hold no user information, no bodies, and no field values but `recorded_headers`. Ids come from
// Reactor::random. A request that is not sampled costs its traceparent. A program that has no Tracer has
// nothing of it. Copies share the sink. Sources: W3C Trace Context; OpenTelemetry's semantic conventions for
// HTTP.
class Tracer {
 public:
  explicit Tracer(std::shared_ptr<SpanSink> sink, TracerOptions options = TracerOptions());

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  class State;
  class Recorder;

  std::shared_ptr<const State> state_;
};

// Lets `outgoing` carry on the trace of `incoming`: copies traceparent and tracestate.
void continue_trace(const Request& incoming, Request& outgoing);

}  // namespace escapement::http
