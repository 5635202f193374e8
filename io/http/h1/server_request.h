// The parts of a Request that a server makes of a head: its URL, and a body that is read from the connection
// as the handler asks for it.

#pragma once

#include <memory>
#include <optional>

#include <escapement/core/task.h>
#include <escapement/io/http/h1/output.h>
#include <escapement/io/http/h1/parser.h>
#include <escapement/io/http/message.h>
#include <escapement/io/http/service.h>

namespace escapement::http::detail {

class OpenBody;

// Where an OpenBody gets its bytes: the connection.
class RequestBodyReader {
 public:
  // Sends 100 (Continue) if the client waits for it. Returns the next bytes of the body, empty at the end.
  virtual Task<std::string> read_request_body(OpenBody& open) = 0;
  virtual Headers take_request_trailers() = 0;

 protected:
  ~RequestBodyReader() = default;
};

// A request body that is still on the wire, while its request is in flight. The handler's Body may live
// longer, and so may a task that reads it: after `end` it fails with cancelled.
class OpenBody {
 public:
  OpenBody(RequestBodyReader& reader, bool expects_continue)
      : from_(&reader), expects_continue_(expects_continue) {}
  OpenBody(const OpenBody&) = delete;

  // Call when the request is over. Cancels a read that is in progress.
  void end();
  bool ended() const { return from_ == nullptr; }
  // True while the client waits for a 100 (Continue) before it sends the body.
  bool expects_continue() const { return expects_continue_; }
  // Writes the 100 at the end of `out`.
  void allow(Output& out) {
    expects_continue_ = false;
    out += "HTTP/1.1 100 Continue\r\n\r\n";
  }

  // Returns the fields after the body, once it was read to its end.
  Headers take_trailers() { return std::move(trailers_); }

  static Task<std::string> read(std::shared_ptr<OpenBody> open);

 private:
  RequestBodyReader* from_;
  bool expects_continue_;
  Headers trailers_;
  // Owned here and not by the task that reads, so that `end` can end it.
  std::optional<escapement::detail::ChildTask<std::string>> reading_;
  escapement::detail::PromiseBase* reader_ = nullptr;
};

// Returns the URL that the request with this head is for. `path` says whether its target is a path. `origin`
// is the origin of the last request on this connection, and becomes that of this one. Errc::invalid_argument
// when target and Host make no URL.
ESC_INLINE Result<Url> url_of(const MessageHead& head, bool path, bool encrypted, Url::Origin& origin) {
  if (!path && head.target != "*") return Url::parse(head.target);
  const std::string_view host = head.host.empty() ? std::string_view("localhost") : head.host;
  if (!origin.is(encrypted, host)) origin = Url::Origin(encrypted, host);
  return Url::of_request(origin, path ? head.target : std::string_view("/"));
}

// Returns whether the request belongs on another connection (RFC 9110 section 7.4): its target names the
// other scheme, or a host that is neither the one asked for in TLS nor named in the certificate. Do not ask
// for a path over a stream that is not encrypted, which never is misdirected.
bool is_misdirected(const MessageHead& head, const Url& url, const Stream& stream);

// Returns the body of a request, which is on the wire; of `length`, if that is known.
Body body_of(std::shared_ptr<OpenBody> open, std::optional<std::uint64_t> length);

// The request of a head that has arrived.
class ArrivedRequest final : public RequestMaker {
 public:
  // They must outlive it. Head and URL are moved from when the request is made.
  ArrivedRequest(MessageHead& head, Url& url, const RequestContext& context)
      : head_(head), url_(url), context_(context) {}
  ArrivedRequest(const ArrivedRequest&) = delete;

  Request make() override {
    if (kept_) return *std::move(kept_);
    return made();
  }
  Request& kept() override {
    if (!kept_) kept_.emplace(made());
    return *kept_;
  }

 private:
  ESC_INLINE Request made() {
    Request request(std::move(head_.method), std::move(url_), std::move(head_.headers));
    request.target = head_.target;
    request.minor_version = head_.minor_version;
    request.context = context_;
    return request;
  }

  MessageHead& head_;
  Url& url_;
  const RequestContext& context_;
  std::optional<Request> kept_;
};

}  // namespace escapement::http::detail
