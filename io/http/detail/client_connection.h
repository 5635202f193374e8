// ClientConnection: a client's connection, as its pool and its calls see it, whichever version of HTTP it
// speaks. HTTP/1.1 is one implementation (h1/client_connection.h); the next one is a new file and a line in
// client_connection.cpp.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <escapement/io/http/detail/call_report.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/message.h>
#include <escapement/io/stream.h>

namespace escapement::http::detail {

struct ClientShared;

// A request that was found fit to be sent before anything was connected, when it was not known yet which
// version it would go out by.
struct OutgoingRequest {
  Request& request;
  // Its head and how its body follows, as HTTP/1.1 sends them.
  Output head;
  Framing framing = Framing::none;
};

// A response without its body.
struct ResponseHead {
  int status = 0;
  Headers headers;
  bool has_body = false;
  std::optional<std::uint64_t> length;  // of the body, where the head says it
  std::optional<Body> body;             // all of it, where that has arrived with the head
};

// One request on a connection and its response. Destroying it gives up what has not been sent and not been
// received yet.
class ClientExchange {
 public:
  virtual ~ClientExchange() = default;

  // Sends the request, whose head and body it takes, and fills in the head of the final response; sending may
  // go on after that. Called once. The arguments must outlive the task. Fails: reset when the connection
  // ended or broke, timed_out (ClientOptions), bad_message, limit_exceeded, and as the request's own body
  // does. An exchange on which it was not called leaves the connection as it was.
  virtual Task<> call(OutgoingRequest& outgoing, ResponseHead& response, CallReport& report) = 0;
  // After a failure: whether the connection ended, or broke, before a byte of the response came.
  virtual bool unanswered() const = 0;
  // After a failure: whether the connection took no byte of the request, so that the server has seen none.
  virtual bool unsent() const = 0;
  // After a failure: whether that is because the server closed in good order instead of answering.
  virtual bool closed_unanswered() const = 0;
  // After a failure: the request's body back, to send it again. Sending leaves bytes in memory as they are.
  virtual Body take_body() = 0;

  // The next bytes of the response's body; empty at its end. Fails: reset, timed_out, bad_message.
  virtual Task<std::string> read_body() = 0;
  // The fields after the body, at its end.
  virtual Headers take_trailers() = 0;
};

// An open connection. Destroying it closes it; its exchanges are gone by then.
class ClientConnection {
 public:
  virtual ~ClientConnection() = default;

  // Returns how many exchanges more may begin now, beside those under way. HTTP/1.1 has one at a time.
  virtual std::size_t room() const = 0;
  // Begins one (checked: room).
  virtual std::unique_ptr<ClientExchange> begin() = 0;

  // Without an exchange under way: for how long it may be kept for the next one. Zero or less: close it.
  virtual Duration keep_for() = 0;
  // Makes `news` ready, once, when something happens to a connection that is kept: then ask `usable`. Null
  // ends that. Returns false if that cannot be known: ask before each use.
  virtual bool watch(Reactor& reactor, Runnable* news) = 0;
  // Returns whether it can be used again after it was kept: the peer has neither closed it nor spoken
  // unasked. Does not wait.
  virtual bool usable() = 0;
};

// Over a connected stream, after its handshake: speaks what that has agreed on (Stream::agreed_protocol).
// Errc::unsupported for what nobody here speaks. `shared` must outlive it.
Result<std::unique_ptr<ClientConnection>> make_client_connection(std::unique_ptr<Stream> stream,
                                                                 ClientShared& shared);

}  // namespace escapement::http::detail
