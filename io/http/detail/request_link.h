// RequestLink: a server connection's end of the contexts of its requests.

#pragma once

#include <memory>

#include <escapement/core/detail/check.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// For one request after the other. Each gets a record of its own, so that a context that outlives its request
// does not reach the next one. The record of a request whose contexts have all gone, which is the rule, is
// used again.
class RequestLink {
 public:
  RequestLink() = default;
  RequestLink(const RequestLink&) = delete;

  // Returns the context of a request that begins, once the one before was ended; valid until `end`, as long
  // as which `connection` must live.
  ESC_INLINE const RequestContext& begin(RequestContext::Connection& connection) {
    if (context_.record_ == nullptr) context_ = RequestContext(connection);
    context_.record_->connection = &connection;
    return context_;
  }
  // Ends the request: contexts of it that are still held refer to nobody from now on.
  ESC_INLINE void end() {
    if (context_.record_->owners > 1) leave();
  }

 private:
  void leave();

  RequestContext context_;  // its record's connection means nothing between two requests
};

}  // namespace escapement::http::detail
