// Exchange: one request that was read and is being answered.
//
// It lives in the connection's ActiveState from the end of the request's head to the end of the response. The
// order in which its parts go is its whole point: a response, and then the handler, may hold on to the
// request's body; the body ends after both, even if a Body of it is still held. The request's context ends
// last: what the others run when they go may still ask it for the peer.

#pragma once

#include <memory>
#include <optional>

#include <escapement/core/detail/compact_text.h>
#include <escapement/core/task.h>
#include <escapement/io/http/detail/request_link.h>
#include <escapement/io/http/h1/server_request.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

struct Exchange {
  Exchange() {}  // not defaulted: that would clear all of it first
  Exchange(const Exchange&) = delete;
  ESC_INLINE ~Exchange() {
    response.reset();
    handler.reset();
    end_body();
    if (link != nullptr) link->end();
  }

  // Ends the request's body: from now on reading it fails with cancelled, and the bytes that follow are not
  // for the handler.
  void end_body() {
    if (body && !body->ended()) body->end();
  }
  // True when the handler has returned a response or failed.
  bool handled() const { return handler->finished(); }
  // True between the reading of the head and the start of the handler; also when the service threw before it
  // returned a task.
  bool not_started() const { return !handler && !response; }
  // The response that is sent: the server's own, or else the handler's.
  Response& chosen_response() { return response ? *response : handler->value(); }
  // Moves the response out of the handler's frame and destroys the handler: what else the frame holds goes
  // before a body that takes time to send, or a protocol that takes over.
  void keep_response(Response& chosen) {
    if (!response) response.emplace(std::move(chosen));
    handler.reset();
  }

  ResponseOptions writing;
  CompactText target;              // the request target, where the parser's copy does not last
  RequestLink* link = nullptr;     // set where the request has a context
  std::shared_ptr<OpenBody> body;  // null: the request has none
  std::optional<escapement::detail::ChildTask<Response>> handler;
  std::optional<Response> response;  // set when it is not the handler's, or when its body takes time to send
  Framing framing = Framing::none;
  int interim_responses = 0;  // that the handler has sent
};

}  // namespace escapement::http::detail
