#include <escapement/io/http/server.h>

#include <algorithm>

#include <escapement/core/combine.h>
#include <escapement/io/http/connection.h>
#include <escapement/io/http/writer.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

constexpr std::size_t skip_max = 64 * KiB;     // of an unread request body, to keep the connection
constexpr std::size_t linger_max = 256 * KiB;  // read and thrown away after an early answer
constexpr Duration linger_time = 2s;
constexpr Duration accept_pause = 50ms;  // when descriptors or memory have run out

Task<> wait_for(Event& event) { co_await event.wait(); }

// A request that is being answered: what its body holds on to, as long as that lasts.
struct OpenRequest {
  OpenRequest(std::shared_ptr<detail::Connection> w, bool expects)
      : wire(std::move(w)), expects_continue(expects) {}

  // The client waits for leave to send the body; nothing when it has been given.
  Task<> allow_body() {
    if (!std::exchange(expects_continue, false)) co_return;
    co_await wire->send_text("HTTP/1.1 100 Continue\r\n\r\n");
  }

  std::shared_ptr<detail::Connection> wire;
  bool expects_continue;
};

class RequestBody final : public BodySource {
 public:
  RequestBody(std::weak_ptr<OpenRequest> request, std::optional<std::uint64_t> length)
      : request_(std::move(request)), length_(length) {}

  Task<std::string> read() override {
    std::shared_ptr<OpenRequest> request = request_.lock();
    if (!request) co_return Error(Errc::cancelled, "the request is over");
    co_await request->allow_body();
    std::string bytes = co_await request->wire->read_body();
    if (bytes.empty()) trailers_ = request->wire->take_trailers();
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  Headers trailers() override { return std::move(trailers_); }

 private:
  std::weak_ptr<OpenRequest> request_;
  std::optional<std::uint64_t> length_;
  Headers trailers_;
};

// The URL that a request was meant for, from its target and Host.
Result<Url> url_of(const MessageHead& head, bool encrypted) {
  if (head.target.starts_with("http://") || head.target.starts_with("https://"))
    return Url::parse(head.target);
  const std::string_view host = head.headers.get_or("host", "localhost");
  const std::string_view path = head.target == "*" ? "/" : std::string_view(head.target);
  std::string text = encrypted ? "https://" : "http://";
  text += host;
  text += path;
  return Url::parse(text);
}

Result<Request> make_request(const std::shared_ptr<OpenRequest>& open, MessageHead& head) {
  Result<Url> url = url_of(head, open->wire->stream().encrypted());
  if (!url) return std::move(url).error();
  Body body;
  if (head.has_body()) body = Body(std::make_unique<RequestBody>(open, head.content_length));
  Request request(Method(std::move(head.method)), *std::move(url), std::move(head.headers), std::move(body));
  request.target = std::move(head.target);
  return request;
}

ParserLimits limits_of(const ServerOptions& options) {
  ParserLimits limits;
  limits.head_bytes_max = options.head_bytes_max;
  limits.header_count_max = options.header_count_max;
  limits.body_bytes_max = options.body_bytes_max;
  return limits;
}

}  // namespace

// What is known about one connection while it is served.
struct Server::Conversation {
  Conversation(std::unique_ptr<Stream> stream, const ServerOptions& options)
      : wire(std::make_shared<detail::Connection>(std::move(stream), Parser::Role::request,
                                                  limits_of(options), options.stall_timeout)) {}

  std::shared_ptr<detail::Connection> wire;
  std::uint64_t requests = 0;
  bool idle = true;
};

// Owns the task of one accepted connection; deletes itself when the task has finished.
class Server::Connection final : public Runnable {
 public:
  Connection(Server& server, std::unique_ptr<Stream> stream, Semaphore::Permit slot, Reactor& reactor,
             const void* owner)
      : server_(server),
        slot_(std::move(slot)),
        reactor_(reactor),
        owner_(owner),
        conversation_(std::move(stream), server.options_),
        task_(server.converse(conversation_)) {
    member_.connection = this;
    server_.connections_.push_back(member_);
    ++server_.statistics_.connections;
    ++server_.statistics_.open;
    reactor_.ready(*this);
  }
  ~Connection() {
    task_.cancel();
    member_.unlink();
    --server_.statistics_.open;
    server_.changed_.pulse();
  }

  void run() override {
    if (!std::exchange(started_, true)) task_.start(reactor_, *this);
    if (!task_.finished()) return;
    Result<> outcome = task_.take();
    if (!outcome) server_.tell(outcome.error());
    if (server_.stopping_.is_set()) ++server_.report_.drained;
    delete this;
  }

  bool idle() const { return conversation_.idle; }
  const void* owner() const { return owner_; }

 private:
  Server& server_;
  Semaphore::Permit slot_;
  Reactor& reactor_;
  const void* owner_;
  Member member_;
  Conversation conversation_;
  escapement::detail::Started<void> task_;
  bool started_ = false;
};

Server::Server(Service service, ServerOptions options)
    : service_(std::move(service)),
      options_(options),
      slots_(std::max<std::size_t>(1, options.connections_max)) {}

Server::~Server() { close_all(nullptr); }

Task<> Server::listen(Network& network, std::string address) {
  std::unique_ptr<Listener> listener = co_await network.listen(address);
  co_await serve(std::move(listener));
}

Task<> Server::serve(std::unique_ptr<Listener> listener) {
  // Cancelled or done: the connections that were accepted here go with it.
  class Owner {
   public:
    explicit Owner(Server& server) : server_(server) {}
    Owner(const Owner&) = delete;
    ~Owner() { server_.close_all(this); }

   private:
    Server& server_;
  };
  Owner owner(*this);
  co_await race(accept_all(*listener, &owner), wait_for(stopping_));
  listener.reset();
  close_idle();
  co_await drain();
}

Task<> Server::accept_all(Listener& listener, const void* owner) {
  Reactor& reactor = co_await this_reactor;
  for (;;) {
    Semaphore::Permit slot = co_await slots_.acquire();
    Result<std::unique_ptr<Stream>> stream = co_await listener.accept().result();
    if (stream) {
      new Connection(*this, *std::move(stream), std::move(slot), reactor, owner);
      continue;
    }
    if (stream.error().code() != Errc::overloaded) co_await Error(std::move(stream).error());
    tell(stream.error());
    co_await sleep(accept_pause);
  }
}

void Server::shutdown(Duration grace) {
  grace_ = std::min(grace_, grace);
  stopping_.set();
  changed_.pulse();
}

// Waits for the connections in work, as long as the grace lasts; a second shutdown() may shorten it.
Task<> Server::drain() {
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.now();
  while (!connections_.empty()) {
    const Duration left = began + grace_ - reactor.now();
    if (left <= Duration()) break;
    Result<> changed = co_await with_timeout(left, wait_for(changed_)).result();
    if (!changed) break;
  }
  report_.cancelled += statistics_.open;
}

void Server::close_idle() {
  std::vector<Connection*> idle;
  for (Member& member : connections_) {
    if (member.connection->idle()) idle.push_back(member.connection);
  }
  report_.idle_closed += idle.size();
  for (Connection* connection : idle) delete connection;
}

// Those of one serve() call; null: all.
void Server::close_all(const void* owner) {
  std::vector<Connection*> closing;
  for (Member& member : connections_) {
    if (owner == nullptr || member.connection->owner() == owner) closing.push_back(member.connection);
  }
  for (Connection* connection : closing) delete connection;
}

void Server::tell(const Error& error) {
  if (on_failure) on_failure(error);
}

Task<> Server::serve_connection(std::unique_ptr<Stream> stream) {
  Conversation conversation(std::move(stream), options_);
  co_await converse(conversation);
}

Task<> Server::converse(Conversation& conversation) {
  for (;;) {
    const bool again = co_await next_request(conversation);
    if (!again) co_return;
  }
}

// One request and its answer. False when the connection is to be closed.
Task<bool> Server::next_request(Conversation& conversation) {
  detail::Connection& wire = *conversation.wire;
  conversation.idle = true;
  if (stopping_.is_set()) co_return false;
  Result<bool> arrived = co_await with_timeout(options_.keep_alive, wire.wait_for_message()).result();
  conversation.idle = false;
  if (!arrived || !*arrived) co_return false;  // too long idle, or gone between requests: nothing is lost
  Result<MessageHead> head = co_await with_timeout(options_.header_timeout, wire.read_head()).result();
  if (!head) {
    const int status = head.error() == Errc::timed_out ? 408 : wire.parse_error_status();
    if (status != 0) co_await refuse(conversation, status);
    co_return false;
  }
  co_return co_await answer(conversation, *std::move(head));
}

Task<bool> Server::answer(Conversation& conversation, MessageHead head) {
  detail::Connection& wire = *conversation.wire;
  Reactor& reactor = co_await this_reactor;
  const bool has_body = head.has_body();
  ResponseOptions writing;
  writing.minor_version = head.minor_version;
  writing.answers_head = head.method == "HEAD";
  writing.keep_alive = head.keep_alive && ++conversation.requests < options_.requests_per_connection_max;
  // What the body holds lasts as long as this: the next request's bytes are not for it.
  const auto open = std::make_shared<OpenRequest>(conversation.wire, head.expect_continue && has_body);
  Result<Request> request = make_request(open, head);
  if (!request) {
    co_await refuse(conversation, 400);
    co_return false;
  }
  if (!has_body) wire.skip_buffered_body(0);
  ++statistics_.requests;
  Result<Response> outcome =
      co_await with_timeout(options_.handler_timeout, service_(*std::move(request))).result();
  if (!outcome) {
    if (outcome.error() == Errc::reset && wire.parse_error_status() == 0) {
      wire.stream().reset_on_close();
      co_return false;
    }
    outcome = failure_response(conversation, outcome.error());
  }
  Response response = *std::move(outcome);

  // An unread request body: what has arrived is thrown away, more than that ends the connection. A response
  // that streams may be made of it; then it is looked at afterwards.
  if (response.body.replayable()) {
    const bool whole =
        wire.message_complete() || (!open->expects_continue && wire.skip_buffered_body(skip_max));
    writing.keep_alive = writing.keep_alive && whole;
  } else {
    co_await open->allow_body();  // it would be too late after the head
  }
  const bool asked_to_close = list_contains(response.headers.get_or("connection", ""), "close");
  writing.keep_alive = writing.keep_alive && !stopping_.is_set() && !asked_to_close;
  const std::string now = std::string(date(reactor));
  writing.date = now;
  std::string text;
  Result<Framing> framing = write_response_head(text, response, writing);
  if (!framing) {
    tell(framing.error());
    ++statistics_.failed_handlers;
    response = Response(500);
    writing.keep_alive = false;
    framing = write_response_head(text, response, writing);
  }
  if (*framing == Framing::until_close) writing.keep_alive = false;
  Result<> sent = co_await wire.send(std::move(text), response.body, *framing).result();
  if (!sent) {
    tell(sent.error());
    if (sent.error() == Errc::reset) wire.stream().reset_on_close();
    co_return false;
  }
  const bool whole = wire.message_complete() || wire.skip_buffered_body(skip_max);
  if (writing.keep_alive && whole) co_return true;
  co_await linger(conversation);
  co_return false;
}

// What a failed handler is answered with: what the request's own body got wrong, too late, or our fault.
Response Server::failure_response(Conversation& conversation, const Error& error) {
  const int parse_status = conversation.wire->parse_error_status();
  if (parse_status != 0) {
    ++statistics_.refused;
    return Response(parse_status, std::string(reason_phrase(parse_status)) + "\n");
  }
  ++statistics_.failed_handlers;
  tell(error);
  const int status = error == Errc::timed_out ? 503 : 500;
  return Response(status, std::string(reason_phrase(status)) + "\n");
}

// The server's own answer to what it does not pass on, and the end of the connection.
Task<> Server::refuse(Conversation& conversation, int status) {
  ++statistics_.refused;
  Reactor& reactor = co_await this_reactor;
  Response response(status, Headers{{"Content-Type", "text/plain"}},
                    std::string(reason_phrase(status)) + "\n");
  ResponseOptions writing;
  writing.keep_alive = false;
  const std::string now = std::string(date(reactor));
  writing.date = now;
  std::string text;
  const Framing framing = co_await write_response_head(text, response, writing);
  co_await conversation.wire->send(std::move(text), response.body, framing);
  co_await linger(conversation);
}

// Closing with unread bytes would reset the connection and may destroy the answer on its way (RFC 9112
// section 9.6): tell the peer that no more comes, and read on for a while.
Task<> Server::linger(Conversation& conversation) {
  Stream& stream = conversation.wire->stream();
  Result<> half_closed = co_await stream.shutdown_write().result();
  if (!half_closed) co_return;
  auto discard = [](Stream& from) -> Task<> {
    std::vector<std::byte> scratch(16 * KiB);
    for (std::size_t total = 0; total < linger_max;) {
      const std::size_t count = co_await from.read(scratch);
      if (count == 0) co_return;
      total += count;
    }
  };
  Result<> ignored = co_await with_timeout(linger_time, discard(stream)).result();
  (void)ignored;
}

std::string_view Server::date(Reactor& reactor) {
  const SystemTime now = reactor.backend().system_now();
  const std::int64_t second = now.unix_milliseconds() / 1000;
  if (second != date_second_) {
    date_ = now.http_date();
    date_second_ = second;
  }
  return date_;
}

}  // namespace escapement::http
