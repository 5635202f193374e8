// What a server's handler is given: a Request, whose body is read from the connection as it is asked for.

#pragma once

#include <memory>
#include <optional>

#include <escapement/core/task.h>
#include <escapement/io/http/h1/output.h>
#include <escapement/io/http/h1/parser.h>
#include <escapement/io/http/message.h>

namespace escapement::http::detail {

class ServerConnection;

// A request body that is still on the wire, as long as its request is being answered. The handler's Body may
// live longer, and so may a task that reads it: from `end` on it fails with cancelled.
class OpenBody {
 public:
  OpenBody(ServerConnection& connection, bool expects_continue)
      : connection_(&connection), expects_continue_(expects_continue) {}
  OpenBody(const OpenBody&) = delete;

  // The request is over. What is being read is given up.
  void end();
  bool ended() const { return connection_ == nullptr; }
  // The client waits for leave to send the body, and was not given it.
  bool expects_continue() const { return expects_continue_; }
  // Gives it, at the end of `out`.
  void allow(Output& out) {
    expects_continue_ = false;
    out += "HTTP/1.1 100 Continue\r\n\r\n";
  }

  // Fields after the body, once it was read to its end.
  Headers take_trailers() { return std::move(trailers_); }

  static Task<std::string> read(std::shared_ptr<OpenBody> open);

 private:
  ServerConnection* connection_;
  bool expects_continue_;
  Headers trailers_;
  // The operation is owned here and not by whoever reads, so that `end` can end it.
  std::optional<escapement::detail::ChildTask<std::string>> reading_;
  escapement::detail::PromiseBase* reader_ = nullptr;
};

// The URL that the request with this head was meant for; `path`: whether its target is one. `origin` is what
// the last one on this connection was sent to, and becomes what this one is. Errc::invalid_argument when its
// target and Host make no URL.
ESC_INLINE Result<Url> url_of(const MessageHead& head, bool path, bool encrypted, Url::Origin& origin) {
  if (!path && head.target != "*") return Url::parse(head.target);
  const std::string_view host = head.host.empty() ? std::string_view("localhost") : head.host;
  if (!origin.is(encrypted, host)) origin = Url::Origin(encrypted, host);
  return Url::of_request(origin, path ? head.target : std::string_view("/"));
}

// Whether the connection is not the place for a request (RFC 9110 section 7.4): its target names the other
// scheme, or another host than the one that was asked for in TLS and is not named in the certificate. Not for
// a path over a stream that is not encrypted, which never is.
bool is_misdirected(const MessageHead& head, const Url& url, const Stream& stream);

// The body of a request: on the wire, of `length` where that is known.
Body body_of(std::shared_ptr<OpenBody> open, std::optional<std::uint64_t> length);

}  // namespace escapement::http::detail
