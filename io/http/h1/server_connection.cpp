#include <escapement/io/http/h1/server_connection.h>

#include <algorithm>

#include <escapement/io/http/detail/http_version.h>
#include <escapement/io/http/h1/writer.h>

namespace escapement::http::detail {

namespace {

using escapement::detail::catching;
using escapement::detail::PromiseBase;
using escapement::detail::suspend_until_ready;
using escapement::detail::this_task;

constexpr std::size_t skip_max = 64 * KiB;  // of an unread request body, to keep the connection
// Reads in a row that brought bytes, before others have their turn.
constexpr int reads_max = 4;
// Requests in a row before the clock is looked at.
constexpr std::uint64_t requests_unlooked = 8;
// In a shutdown, for what has begun to arrive and is no request yet: a TLS handshake, a part of a record.
constexpr Duration last_chance = 1s;

}  // namespace

// --- from accept to close ---------------------------------------------------------------------------------

Http1ServerConnection::Http1ServerConnection(ServerShared& shared, Reactor& reactor,
                                             std::unique_ptr<Stream> stream, Admission&& admission)
    : ServerConnection(shared, reactor, std::move(admission)), stream_(std::move(stream)) {
  reactor_.ready(*this);
}

void Http1ServerConnection::close() {
  if (busy_ == 0) {
    delete this;
    return;
  }
  closing_ = true;
  reactor_.ready(*this);
}

Http1ServerConnection::~Http1ServerConnection() {
  Busy busy(*this);
  waiting_ = nullptr;
  task_.reset();
  if (active_) active_->exchange.reset();
  upgrade_response_.reset();
  if (active_) {
    // A response that is cut short must not look complete.
    if (state_ == State::sending_response || wire().unsent()) stream().reset_on_close();
    auto releasing = [this] { release_state(); };
    (void)catching(releasing);  // a parser made anew needs memory: without it the ActiveState is destroyed
  }
  leave_server(stream_.get());
}

void Http1ServerConnection::run() {
  if (!closing_) {
    Busy busy(*this);
    auto acting = [this] { on_wakeup(); };
    std::optional<Error> thrown = catching(acting);
    if (thrown && !closing_ && service_threw()) {
      auto failing = [&] { fail_request(std::move(*thrown)); };
      thrown = catching(failing);
    }
    if (thrown) abort(*thrown);  // memory ran out: only this connection ends
  }
  if (closing_) delete this;
}

void Http1ServerConnection::on_wakeup() {
  if (!task_) {
    const bool idle_timeout_over = idle_timed_ && !idle_timer_.armed();
    // Bytes that arrived in the turn in which the idle timeout expired are still processed.
    if (idle_timeout_over && !stream_->readable_or_closed()) {
      closing_ = true;
      return;
    }
    if (idle_timeout_over || shared_.shutting_down()) stream_->watch(reactor_, nullptr);  // no event woke it
    return on_readable(idle_timeout_over);
  }
  if (task_->finished()) return on_task_done();
  // A response that is there beats the end of its time, or of its client, in the same turn. If another limit
  // has run out, that one is looked at next.
  if (waiting_ != nullptr && active_->exchange->handled()) {
    check_limits_again();
    return reactor_.resume_next(*waiting_);
  }
  if (active_ && deadlines().timer_expired()) {
    auto extend = [this](Limit limit, Instant deadline) { return extend_deadline(limit, deadline); };
    const std::optional<Limit> expired = deadlines().take_expired(extend);
    if (expired) return on_timeout(*expired);
  }
  if (active_ && active_->watched && !active_->reads_body) {
    if (disconnected()) {
      ++shared_.statistics.abandoned;
      return abort(Error(Errc::reset, stream().peer() + " disconnected before its response"));
    }
    stream().watch(reactor_, this);
  }
  if (waiting_ != nullptr) reactor_.resume_next(*waiting_);
}

// Bytes have arrived, or may have. If its idle timeout has expired, that was its last chance.
void Http1ServerConnection::on_readable(bool idle_timeout_over) {
  active_ = shared_.active_states->acquire();
  wire().attach(*stream_, *this);
  deadlines().attach(reactor_, *this);
  const Next next = process_input();
  if (next == Next::idle && idle_timeout_over && state_ == State::idle) return finish();
  if (next == Next::idle) return go_idle();
  if (next == Next::abort) return finish();
  idle_timer_.disarm();
  start_task(run_slow_path(next));
}

void Http1ServerConnection::start_task(Task<TaskEnd> task) {
  task_.emplace(std::move(task));
  task_->start(reactor_, *this);
  if (task_->finished()) on_task_done();
}

void Http1ServerConnection::on_task_done() {
  Result<TaskEnd> end = task_->take();
  task_.reset();
  if (end && *end == TaskEnd::idle) return go_idle();
  check_limits_again();
  if (end && *end == TaskEnd::upgrade) return start_task(run_upgrade());
  if (!end && service_threw()) return fail_request(std::move(end).error());
  if (!end) {
    report(end.error());
    if (end.error() == Errc::reset && stream_) stream().reset_on_close();
  }
  finish();
}

// Ends the connection in good order.
void Http1ServerConnection::finish() {
  if (shared_.shutting_down()) ++shared_.shutdown_report.drained;
  closing_ = true;
}

void Http1ServerConnection::visit_tasks(escapement::detail::TaskVisitor& visitor) const {
  if (task_) task_->visit(visitor);
  if (active_ != nullptr && active_->exchange && active_->exchange->handler)
    active_->exchange->handler->visit(visitor);
}

bool Http1ServerConnection::is_idle() {
  if (state_ != State::idle || closing_) return false;
  if (!stream().readable_or_closed()) return true;
  reactor_.ready(*this);
  return false;
}

// Gives everything back, and waits for the stream's next event and the idle timer. If nothing has come that
// could be read, such as a part of a TLS record, the idle time goes on as it was.
void Http1ServerConnection::go_idle() {
  wire().detach();
  shared_.active_states->release(std::move(active_));
  const bool goes_on = state_ == State::idle && idle_timer_.armed();
  enter(State::idle);
  idle_timed_ = shared_.options.idle_timeout != Duration::max();
  if (idle_timed_ && !goes_on) {
    idle_timer_.arm(reactor_.timers(), reactor_.now() + shared_.options.idle_timeout, *this);
  }
}

void Http1ServerConnection::release_state() {
  wire().detach();
  active_->clear();
  shared_.active_states->release(std::move(active_));
}

// --- without waiting --------------------------------------------------------------------------------------

// Answers what has arrived, in order. The responses to one read go out in one write.
Http1ServerConnection::Next Http1ServerConnection::process_input() {
  int reads = 0;
  while (!closing_) {
    Next next = Next::go_on;
    switch (wire().parse()) {
      case Parser::Event::bare_head:
      case Parser::Event::head:
        next = on_head();
        if (next == Next::go_on && requests_ % requests_unlooked == 0 && turn_is_long(reactor_)) {
          return Next::yield;
        }
        break;
      case Parser::Event::need_more:
        next = receive_now();
        if (next == Next::go_on && ++reads == reads_max) next = Next::yield;
        break;
      case Parser::Event::failed: return Next::reject;
      case Parser::Event::body:
      case Parser::Event::complete: break;
    }
    if (next != Next::go_on) return next;
  }
  return Next::abort;
}

// Call when everything was parsed.
Http1ServerConnection::Next Http1ServerConnection::receive_now() {
  if (!wire().flush_now()) return Next::flush;
  const bool stopping = shared_.shutting_down();
  Http1Connection::Arrived arrived = wire().receive_now();
  // A request that came before a shutdown is answered, even if no event has come for it yet.
  if (stopping && arrived == Http1Connection::Arrived::nothing && wire().between_messages()) {
    if (!stream().readable_or_closed()) return Next::abort;
    arrived = wire().receive_now();
  }
  if (arrived == Http1Connection::Arrived::bytes) {
    if (requests_ == 0 && !agreed_on_http1()) return Next::abort;
    enter(State::reading_head);
    return Next::go_on;
  }
  if (!wire().between_messages()) return Next::need_bytes;
  // The usual end: nothing was begun, and there is nothing to report.
  if (arrived == Http1Connection::Arrived::ask && stream().read_closed()) return Next::abort;
  const bool waits = arrived == Http1Connection::Arrived::nothing && !stopping;
  return waits && stream().watch(reactor_, this) ? Next::idle : Next::need_bytes;
}

// Call when the first bytes have arrived: a handshake is over by then. False: they are of a protocol that is
// not spoken here, and so is all that could be sent.
bool Http1ServerConnection::agreed_on_http1() {
  const std::string_view agreed = stream().agreed_protocol();
  if (is_http1(agreed)) return true;
  stream().reset_on_close();
  report(Error(Errc::unsupported, "TLS with " + stream().peer() + " has agreed on \"" + std::string(agreed) +
                                      "\", which this server does not speak"));
  return false;
}

Http1ServerConnection::Next Http1ServerConnection::on_head() {
  deadlines().lift(Limit::head);
  Exchange& exchange = active_->exchange.emplace();
  active_->reject_status = begin_exchange(exchange);
  if (active_->reject_status != 0) {
    active_->exchange.reset();  // there is no request: a failure from here on is not the service's
    return Next::reject;
  }
  enter(State::handling);
  return exchange.handled() ? respond(exchange) : Next::await_handler;
}

// Makes a request of the head that has arrived, gives it to the service and returns 0; or the status that
// says why the head makes no request.
int Http1ServerConnection::begin_exchange(Exchange& exchange) {
  MessageHead& head = wire().head();
  exchange.writing.minor_version = head.minor_version;
  exchange.writing.answers_head = head.method == Method::head();
  exchange.writing.keep_alive = head.keep_alive && ++requests_ < shared_.options.requests_per_connection_max;
  if (head.asks_keep_alive) exchange.writing.kept_lines = shared_.keep_alive_lines;
  const bool encrypted = stream().encrypted();
  const bool path = head.target.starts_with('/');
  Result<Url> url = url_of(head, path, encrypted, active_->origin);
  if (!url) return head.target.size() > Url::length_max ? 414 : 400;
  if ((encrypted || !path) && is_misdirected(head, *url, stream())) return 421;
  ArrivedRequest request(head, *url, active_->link.begin(*this));
  exchange.link = &active_->link;
  // The bytes of a head alone stay where they are while its request is in flight; reading a body moves them.
  if (!wire().message_complete()) {
    Request& made = request.kept();
    exchange.target = made.target;
    made.target = exchange.target;
    if (head.has_body()) {
      RequestBodyReader& reader = *this;
      exchange.body = std::make_shared<OpenBody>(reader, head.expect_continue);
      made.body = body_of(exchange.body, head.content_length);
    } else {
      wire().skip_buffered_body(0);
    }
  }
  ++shared_.statistics.requests;
  if (reactor_.turns_watched()) {
    call_service_watched(exchange, request);
  } else {
    call_service(exchange, request);
  }
  return 0;
}

void Http1ServerConnection::call_service(Exchange& exchange, RequestMaker& request) {
  exchange.handler.emplace(shared_.service(request));
  exchange.handler->start(reactor_, *this);
}

// A handler that answers at once leaves nothing behind that a watcher of turns could name, so its time is
// noted here.
void Http1ServerConnection::call_service_watched(Exchange& exchange, RequestMaker& request) {
  handler_code_ = nullptr;
  const Instant began = reactor_.precise_now();
  call_service(exchange, request);
  const void* code = handler_code_ != nullptr ? handler_code_ : shared_.service.handler_code();
  reactor_.note_part(code, reactor_.precise_now() - began);
}

Http1ServerConnection::Next Http1ServerConnection::on_handled() { return respond(*active_->exchange); }

// Puts the response of a handler that has finished together.
Http1ServerConnection::Next Http1ServerConnection::respond(Exchange& exchange) {
  if (exchange.handler->failed()) return respond_to_failure(exchange);
  return send_response(exchange, exchange.chosen_response());
}

Http1ServerConnection::Next Http1ServerConnection::respond_to_failure(Exchange& exchange) {
  const Error error = exchange.handler->take().error();
  if (error == Errc::reset && wire().parse_error_status() == 0) {
    stream().reset_on_close();
    return Next::abort;
  }
  return send_response(exchange, exchange.response.emplace(failure_response(error)));
}

Http1ServerConnection::Next Http1ServerConnection::send_slowly(Exchange& exchange, Response& response) {
  exchange.keep_response(response);
  return exchange.response->status == 101 ? Next::upgrade : Next::send_body;
}

// Writes the response as far as it is in memory. For the rest of it there is send_body, or run_upgrade.
Http1ServerConnection::Next Http1ServerConnection::send_response(Exchange& exchange, Response& response) {
  ResponseOptions& writing = exchange.writing;
  // The part of an unread request body that has arrived is dropped; if there is more, the connection ends. A
  // response that streams may be made of that body: then it is dropped afterwards, and a client that waits
  // for a 100 gets it before the head.
  const bool expects_continue = exchange.body && exchange.body->expects_continue();
  if (response.body.replayable() && !response.upgrade) {
    exchange.end_body();
    const bool whole =
        wire().message_complete() || (!expects_continue && wire().skip_buffered_body(skip_max));
    writing.keep_alive = writing.keep_alive && whole;
  } else if (expects_continue) {
    exchange.body->allow(wire().out());
  }
  if (shared_.shutting_down()) writing.keep_alive = false;
  writing.date_line = shared_.date_line(reactor_);
  Result<Framing> framing = write_response_head(wire().out(), response, writing);
  if (!framing) return send_refused(exchange, response, framing.error());
  exchange.framing = *framing;
  enter(State::sending_response);
  return wire().put_body(response.body, *framing) ? on_response_sent() : send_slowly(exchange, response);
}

// Call when all of the response is in the output.
Http1ServerConnection::Next Http1ServerConnection::on_response_sent() {
  Exchange& exchange = *active_->exchange;
  exchange.end_body();
  if (active_->watched) unwatch_disconnect();
  const bool whole = wire().message_complete() || wire().skip_buffered_body(skip_max);
  const bool another = exchange.writing.keep_alive && whole;
  active_->exchange.reset();
  if (!another) return Next::close_after_response;
  enter(State::reading_head);
  active_->body_waited = Duration();
  return wire().out().size() >= Http1Connection::coalesce_max ? Next::flush : Next::go_on;
}

// --- the task ---------------------------------------------------------------------------------------------

template <Http1ServerConnection::Next (Http1ServerConnection::*function)()>
Http1ServerConnection::Next Http1ServerConnection::step() {
  Busy busy(*this);
  return (this->*function)();
}

Task<Http1ServerConnection::TaskEnd> Http1ServerConnection::run_slow_path(Next next) {
  PromiseBase& self = co_await this_task;
  for (;; next = step<&Http1ServerConnection::process_input>()) {
    if (next == Next::await_handler) {
      begin_handler_wait();
      // The exchange goes when its limit expires while the responses before this one are sent.
      while (active_->exchange && !active_->exchange->handled()) {
        if (!wire().flush_now()) {  // the responses before this one, or the handler's 1xx
          co_await wire().flush();
          continue;
        }
        waiting_ = &self;
        co_await suspend_until_ready;
        waiting_ = nullptr;
      }
      deadlines().lift(Limit::handler);
      next = active_->exchange ? step<&Http1ServerConnection::on_handled>() : Next::reject;
    }
    if (next == Next::send_body) {
      const bool sent = co_await send_body();
      next = sent ? step<&Http1ServerConnection::on_response_sent>() : Next::abort;
    }
    switch (next) {
      case Next::idle: co_return TaskEnd::idle;
      case Next::need_bytes: {
        const bool more = co_await await_bytes();
        if (!more) co_return TaskEnd::close;
        break;
      }
      case Next::yield: co_await yield(); break;
      case Next::flush:
        co_await wire().flush();
        if (turn_is_long(reactor_)) co_await yield();
        break;
      case Next::close_after_response: {
        co_await wire().flush();
        co_await linger();
        co_return TaskEnd::close;
      }
      case Next::reject: {
        const int status = active_->reject_status;
        const TaskEnd end = co_await reject(status != 0 ? status : wire().parse_error_status());
        co_return end;
      }
      case Next::upgrade: co_return TaskEnd::upgrade;
      case Next::abort: co_return TaskEnd::close;
      case Next::go_on:
      case Next::await_handler:
      case Next::send_body: break;
    }
  }
}

void Http1ServerConnection::begin_handler_wait() {
  active_->handler_began = reactor_.precise_now();
  deadlines().set(Limit::handler, after(active_->handler_began, shared_.options.handler_timeout));
  watch_disconnect();
}

// Waits for bytes when there is nothing to parse. Returns false when the connection is to be closed.
Task<bool> Http1ServerConnection::await_bytes() {
  const bool between = wire().between_messages();
  const bool stopping = shared_.shutting_down();
  if (between && stopping && !stream().readable_or_closed()) co_return false;
  enter(between ? State::idle : State::reading_head);
  const ServerOptions& options = shared_.options;
  if (between) {
    const Duration wait = stopping ? std::min(options.idle_timeout, last_chance) : options.idle_timeout;
    deadlines().set(Limit::idle, after(reactor_.now(), wait));
  } else if (!deadlines().is_set(Limit::head)) {
    deadlines().set(Limit::head, after(reactor_.now(), options.head_timeout));
  }
  Result<bool> more = co_await wire().receive().result();
  enter(State::reading_head);
  deadlines().lift(Limit::idle);
  if (!more) co_return false;  // gone; nothing was begun
  if (*more) co_return requests_ != 0 || agreed_on_http1();
  if (wire().finish() == Parser::Event::failed) {
    [[maybe_unused]] const TaskEnd end = co_await reject(400);
  }
  co_return false;
}

// Returns false when nothing more is to be sent.
Task<bool> Http1ServerConnection::send_body() {
  Exchange& exchange = *active_->exchange;
  // A body in memory costs nobody any more work: it is sent even if the client seems to have gone.
  Body& body = exchange.response->body;
  if (body.replayable()) {
    unwatch_disconnect();
  } else {
    watch_disconnect();
  }
  Result<> sent = co_await wire().send_body(body, exchange.framing).result();
  if (sent) co_return true;
  report(sent.error());
  co_return false;
}

// Sends the output that a handler's task has written, though that task does not wait for it: it may be
// cancelled, and a write that has begun must not be. The connection's own task, which waits for the handler,
// sends the rest.
void Http1ServerConnection::flush_soon() {
  if (!wire().flush_now() && waiting_ != nullptr) reactor_.ready(*waiting_);
}

Task<std::string> Http1ServerConnection::read_request_body(OpenBody& open) {
  if (open.expects_continue()) {
    open.allow(wire().out());
    flush_soon();
  }
  if (turn_is_long(reactor_)) co_await yield();
  co_return co_await wire().read_body();
}

}  // namespace escapement::http::detail
