#include <escapement/io/http/h1/server_connection.h>

#include <algorithm>

#include <escapement/io/http/h1/writer.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

namespace {

using escapement::detail::catching;
using escapement::detail::PromiseBase;
using escapement::detail::suspend_until_ready;
using escapement::detail::this_task;
using escapement::detail::timeout_error;

constexpr std::size_t skip_max = 64 * KiB;  // of an unread request body, to keep the connection
// Reads in a row that brought bytes, before others have their turn.
constexpr int reads_max = 4;
// Requests in a row before the clock is looked at.
constexpr std::uint64_t requests_unlooked = 8;
// In a shutdown, for what has begun to arrive and is no request yet: a TLS handshake, a part of a record.
constexpr Duration last_chance = 1s;

Instant after(Instant now, Duration limit) {
  return limit == Duration::max() ? Instant::never() : now + std::max(limit, Duration());
}

}  // namespace

// --- from accept to close ---------------------------------------------------------------------------------

ServerConnection::ServerConnection(Server& server, Reactor& reactor, std::unique_ptr<Stream> stream,
                                   const void* owner, Semaphore::Permit slot)
    : server_(server), reactor_(reactor), owner_(owner), slot_(std::move(slot)), stream_(std::move(stream)) {
  member_.connection = this;
  server_.connections_.push_back(member_);
  ++server_.statistics_.open;
  reactor_.ready(*this);
}

ServerConnection::ServerConnection(Server& server, Reactor& reactor, std::unique_ptr<Stream> stream,
                                   Guest& guest)
    : server_(server), reactor_(reactor), guest_(&guest), stream_(std::move(stream)) {
  guest.connection_ = this;
  member_.connection = this;
  server_.connections_.push_back(member_);
  ++server_.statistics_.open;
  reactor_.ready(*this);
}

ServerConnection::Guest::~Guest() {
  if (connection_ == nullptr) return;
  connection_->guest_ = nullptr;
  connection_->close();
}

void ServerConnection::close() {
  if (at_work_ == 0) {
    delete this;
    return;
  }
  ends_ = true;
  reactor_.ready(*this);
}

ServerConnection::~ServerConnection() {
  AtWork at_work(*this);
  task_.reset();
  if (conversation_) conversation_->exchange.reset();
  switched_.reset();
  if (guest_ != nullptr) {
    guest_->connection_ = nullptr;
    reactor_.ready(guest_->task_);
  } else if (slot_) {
    server_.leave_peer(stream().peer_host());
  }
  if (conversation_) {
    // What is cut short must not look finished.
    if (conversation_->answer_begun || wire().unsent()) stream().reset_on_close();
    auto giving_back = [this] { give_back(); };
    (void)catching(giving_back);  // a parser made anew needs memory: else it goes, too
  }
  --server_.statistics_.open;
  server_.changed_.pulse();
}

void ServerConnection::run() {
  if (!ends_) {
    AtWork at_work(*this);
    auto acting = [this] { act(); };
    std::optional<Error> thrown = catching(acting);
    if (thrown && !ends_ && service_threw()) {
      auto failing = [&] { fail_request(std::move(*thrown)); };
      thrown = catching(failing);
    }
    if (thrown) cut(*thrown);  // for want of memory: the end of this connection only
  }
  if (ends_) delete this;
}

void ServerConnection::act() {
  const bool over = timed_ && !timer_.armed();
  if (!task_) {
    // What arrived in the turn in which the idle time ended is still answered.
    if (over && !stream_->readable_or_closed()) {
      ends_ = true;
      return;
    }
    if (over || server_.stopping_.is_set()) stream_->watch(reactor_, nullptr);  // no event woke it
    return enter(over);
  }
  if (task_->finished()) return conclude();
  // An answer that is there beats the end of its time, or of its client, in the same turn.
  if (waiting_ != nullptr && conversation_->exchange->handled()) return reactor_.resume_next(*waiting_);
  if (over) {
    timed_ = false;
    for (std::size_t i = 0; i < conversation_->deadlines.size(); ++i) {
      const Limit limit = static_cast<Limit>(i);
      if (conversation_->deadlines[i] <= reactor_.now() && !put_off(limit)) return out_of_time(limit);
    }
    arm_for_first();
  }
  if (conversation_->watched && !conversation_->reads_body) {
    if (gone()) {
      ++server_.statistics_.abandoned;
      return cut(Error(Errc::reset, stream().peer() + " was gone before its answer"));
    }
    stream().watch(reactor_, this);
  }
  if (waiting_ != nullptr) reactor_.resume_next(*waiting_);
}

// Bytes have arrived, or may have. Where its idle time is over, that was its last chance.
void ServerConnection::enter(bool out_of_time) {
  conversation_ = server_.lend_conversation();
  wire().attach(*stream_, *this);
  const Next next = proceed();
  if (next == Next::rest && out_of_time && idle_) return leave();
  if (next == Next::rest) return rest();
  if (next == Next::cut) return leave();
  start(converse(next));
}

void ServerConnection::start(Task<> task) {
  task_.emplace(std::move(task));
  task_->start(reactor_, *this);
  if (task_->finished()) conclude();
}

void ServerConnection::conclude() {
  Result<> outcome = task_->take();
  task_.reset();
  if (outcome && std::exchange(rests_, false)) return rest();
  if (outcome && std::exchange(leaves_http_, false)) return start(hand_over());
  if (!outcome && service_threw()) return fail_request(std::move(outcome).error());
  if (!outcome) {
    tell(outcome.error());
    if (outcome.error() == Errc::reset && stream_) stream().reset_on_close();
  }
  leave();
}

// It has come to its end in good order.
void ServerConnection::leave() {
  if (server_.stopping_.is_set()) ++server_.report_.drained;
  ends_ = true;
}

bool ServerConnection::rests_for_good() {
  if (!idle_ || ends_) return false;
  if (!stream().readable_or_closed()) return true;
  reactor_.ready(*this);
  return false;
}

// Nothing is left to do: everything is given back, the stream's next event and the timer are waited for.
// Where nothing has come that could be read, such as a part of a TLS record, the idle time goes on as it was.
void ServerConnection::rest() {
  wire().detach();
  server_.take_back(std::move(conversation_));
  const bool goes_on = std::exchange(idle_, true) && timer_.armed();
  timed_ = server_.options_.idle_timeout != Duration::max();
  if (goes_on) return;
  if (timed_) {
    timer_.arm(reactor_.timers(), reactor_.now() + server_.options_.idle_timeout, *this);
  } else {
    timer_.disarm();
  }
}

// --- limits -----------------------------------------------------------------------------------------------

void ServerConnection::set_limit(Limit limit, Instant deadline) {
  conversation_->deadline(limit) = deadline;
  const bool early_enough = timer_.armed() && timer_.deadline() <= deadline;
  if (!early_enough && deadline != Instant::never()) arm(deadline);
}

// A timer that is due earlier than it has to be, as after a limit was lifted, is looked at then, and armed
// for the first of those that are left.
void ServerConnection::arm_for_first() {
  const auto& deadlines = conversation_->deadlines;
  const Instant first = *std::min_element(deadlines.begin(), deadlines.end());
  if (first != Instant::never()) arm(first);
}

void ServerConnection::arm(Instant deadline) {
  timed_ = true;
  timer_.arm(reactor_.timers(), deadline, *this);
}

// The handler's time does not run while it waits for the request's body, which has its own limits; that is
// made up for here.
bool ServerConnection::put_off(Limit limit) {
  if (limit != Limit::handler) return false;
  Instant& deadline = conversation_->deadline(Limit::handler);
  deadline = after(conversation_->handler_began, server_.options_.handler_timeout + body_waited());
  return deadline > reactor_.now();
}

Duration ServerConnection::body_waited() const {
  const bool waits = conversation_->deadline(Limit::body) != Instant::never();
  return conversation_->body_waited + (waits ? reactor_.now() - conversation_->body_wait_began : Duration());
}

// The task is destroyed where it waits.
void ServerConnection::out_of_time(Limit limit) {
  const ServerOptions& options = server_.options_;
  const auto error = [](TimeLimit which, const char* what, Duration time) {
    return timeout_error({which, "nothing"}, time, time).context(what);
  };
  switch (limit) {
    case Limit::idle:
    case Limit::lingering: return leave();
    case Limit::head: return answer_instead(408);
    case Limit::sending: return cut(error(TimeLimit::write, "sending", options.write_stall));
    case Limit::body:
      if (conversation_->answer_begun)
        return cut(error(TimeLimit::body, "reading the body", options.body_idle));
      return answer_instead(408);
    case Limit::handler:
      ++server_.statistics_.failed_handlers;
      tell(error(TimeLimit::handler, "handler", options.handler_timeout));
      return answer_instead(503);
  }
}

void ServerConnection::answer_instead(int status) {
  task_.reset();
  conversation_->exchange.reset();
  waiting_ = nullptr;
  conversation_->watched = conversation_->reads_body = false;
  stream().watch(reactor_, nullptr);
  conversation_->deadlines.fill(Instant::never());
  start(refuse(status));
}

void ServerConnection::cut(const Error& why) {
  if (stream_) stream().reset_on_close();
  tell(why);
  ends_ = true;
}

// What it throws for want of memory is no wait: end_wait is called all the same.
void ServerConnection::begin_wait(For what) {
  const Instant now = reactor_.precise_now();
  const ServerOptions& options = server_.options_;
  if (what == For::sending) return set_limit(Limit::sending, after(now, options.write_stall));
  conversation_->reads_body = true;
  if (conversation_->watched) stream().watch(reactor_, nullptr);  // the read will see it
  conversation_->body_wait_began = now;
  Duration allowed = options.body_idle;
  if (options.body_bytes_per_second_min != 0 && options.body_idle != Duration::max()) {
    const double seconds =
        static_cast<double>(wire().body_bytes()) / static_cast<double>(options.body_bytes_per_second_min);
    const Duration in_all =
        options.body_idle + Duration(std::chrono::duration<double>(std::min(seconds, 1e9)));
    allowed = std::min(allowed, in_all - conversation_->body_waited);
  }
  set_limit(Limit::body, after(now, allowed));
}

void ServerConnection::end_wait(For what) {
  if (what == For::body) {
    conversation_->body_waited =
        conversation_->body_waited + (reactor_.precise_now() - conversation_->body_wait_began);
    conversation_->reads_body = false;
  }
  auto ending = [&] {
    lift_limit(what == For::sending ? Limit::sending : Limit::body);
    if (what == For::body && conversation_->watched) watch_for_loss();
  };
  if (!catching(ending)) return;
  // Without the memory that watching may need: `act` tries again, and ends the connection where that fails,
  // too.
  timer_.disarm();
  timed_ = true;
  reactor_.ready(*this);
}

// While the handler works nobody reads, so nobody would see that the peer is gone; but while it reads the
// body the stream is the read's to watch.
void ServerConnection::watch_for_loss() {
  if (conversation_->reads_body) {
    conversation_->watched = true;
    return;
  }
  conversation_->watched = stream().watch(reactor_, this);
  if (conversation_->watched && gone()) reactor_.ready(*this);  // the event was before
}

bool ServerConnection::gone() const {
  return server_.options_.half_close ? stream().write_closed() : stream().read_closed();
}

void ServerConnection::stop_watching() {
  if (std::exchange(conversation_->watched, false) && !conversation_->reads_body) {
    stream().watch(reactor_, nullptr);
  }
}

// --- the conversation: what needs no waiting --------------------------------------------------------------

// Answers what has arrived, in order. The answers of one read go out in one write.
ServerConnection::Next ServerConnection::proceed() {
  int reads = 0;
  while (!ends_) {
    Next next = Next::go_on;
    switch (wire().parse()) {
      case Parser::Event::bare_head:
      case Parser::Event::head:
        next = take_request();
        if (next == Next::go_on && requests_ % requests_unlooked == 0 && turn_is_long(reactor_)) {
          return Next::turn;
        }
        break;
      case Parser::Event::need_more:
        next = take_bytes();
        if (next == Next::go_on && ++reads == reads_max) next = Next::turn;
        break;
      case Parser::Event::failed: return Next::refusal;
      case Parser::Event::body:
      case Parser::Event::complete: break;
    }
    if (next != Next::go_on) return next;
  }
  return Next::cut;
}

// Everything was parsed.
ServerConnection::Next ServerConnection::take_bytes() {
  if (!wire().flush_now()) return Next::flush;
  const bool stopping = server_.stopping_.is_set();
  Connection::Arrived arrived = wire().receive_now();
  // What came before a shutdown is answered, also where nothing has told of it yet.
  if (stopping && arrived == Connection::Arrived::nothing && wire().between_messages()) {
    if (!stream().readable_or_closed()) return Next::cut;
    arrived = wire().receive_now();
  }
  if (arrived == Connection::Arrived::bytes) {
    idle_ = false;
    return Next::go_on;
  }
  if (!wire().between_messages()) return Next::bytes;
  // The usual end: nothing was begun, and nobody has to know how it came.
  if (arrived == Connection::Arrived::ask && stream().read_closed()) return Next::cut;
  const bool rests = arrived == Connection::Arrived::nothing && !stopping && stream().watch(reactor_, this);
  return rests ? Next::rest : Next::bytes;
}

// A head has arrived.
ServerConnection::Next ServerConnection::take_request() {
  lift_limit(Limit::head);
  Exchange& exchange = conversation_->exchange.emplace();
  conversation_->refusal = begin(exchange);
  if (conversation_->refusal != 0) return Next::refusal;
  return exchange.handled() ? answer() : Next::handler;
}

// Gives the request whose head has arrived to the service. Else the status that says why it makes none.
int ServerConnection::begin(Exchange& exchange) {
  MessageHead& head = wire().head();
  exchange.writing.minor_version = head.minor_version;
  exchange.writing.answers_head = head.method == Method::head();
  exchange.writing.keep_alive = head.keep_alive && ++requests_ < server_.options_.requests_per_connection_max;
  if (head.asks_keep_alive) exchange.writing.kept_lines = server_.kept_lines_;
  const bool encrypted = stream().encrypted();
  const bool path = head.target.starts_with('/');
  Result<Url> url = url_of(head, path, encrypted, conversation_->origin);
  if (!url) return head.target.size() > Url::length_max ? 414 : 400;
  if ((encrypted || !path) && is_misdirected(head, *url, stream())) return 421;
  Request request(std::move(head.method), *std::move(url), std::move(head.headers));
  request.target = head.target;
  request.minor_version = head.minor_version;
  request.server_side = this;
  // What has arrived is not touched while a request of nothing but a head is in work; else reading goes on.
  if (!wire().message_complete()) {
    exchange.target = head.target;
    request.target = exchange.target;
    if (head.has_body()) {
      exchange.body = std::make_shared<OpenBody>(*this, head.expect_continue);
      request.body = body_of(exchange.body, head.content_length);
    } else {
      wire().skip_buffered_body(0);
    }
  }
  ++server_.statistics_.requests;
  if (reactor_.turns_watched()) {
    call_watched(exchange, std::move(request));
  } else {
    call(exchange, std::move(request));
  }
  return 0;
}

void ServerConnection::call(Exchange& exchange, Request&& request) {
  exchange.handling.emplace(server_.service_(std::move(request)));
  exchange.handling->start(reactor_, *this);
}

// Who answers at once leaves nothing that a watcher of turns could name.
void ServerConnection::call_watched(Exchange& exchange, Request&& request) {
  handler_code = nullptr;
  const Instant began = reactor_.precise_now();
  call(exchange, std::move(request));
  const void* code = handler_code != nullptr ? handler_code : server_.service_.handler_code();
  reactor_.note_part(code, reactor_.precise_now() - began);
}

// The handler has finished: its answer is put together.
ServerConnection::Next ServerConnection::answer() {
  Exchange& exchange = *conversation_->exchange;
  if (exchange.handling->failed()) {
    const Error error = exchange.handling->take().error();
    if (error == Errc::reset && wire().parse_error_status() == 0) {
      stream().reset_on_close();
      return Next::cut;
    }
    exchange.response.emplace(failure_response(error));
  }
  Response& response = exchange.response ? *exchange.response : exchange.handling->value();
  return respond(exchange, response);
}

// What else the handler's frame holds goes before a body that takes time, or what takes over.
ServerConnection::Next ServerConnection::keep_response(Exchange& exchange, Response& response) {
  if (!exchange.response) exchange.response.emplace(std::move(response));
  exchange.handling.reset();
  return exchange.response->status == 101 ? Next::protocol : Next::body;
}

// Puts the answer together. Where that is not all, respond_slowly sends its body, or it leaves HTTP.
ServerConnection::Next ServerConnection::respond(Exchange& exchange, Response& response) {
  ResponseOptions& writing = exchange.writing;
  // An unread request body: what has arrived is thrown away, more than that ends the connection. A response
  // that streams may be made of it; then it is looked at afterwards, and leave for it given before the head.
  const bool waits_for_leave = exchange.body && exchange.body->expects_continue();
  if (response.body.replayable()) {
    exchange.end_body();
    const bool whole = wire().message_complete() || (!waits_for_leave && wire().skip_buffered_body(skip_max));
    writing.keep_alive = writing.keep_alive && whole;
  } else if (waits_for_leave) {
    exchange.body->allow(wire().out());
  }
  if (server_.stopping_.is_set()) writing.keep_alive = false;
  writing.date_line = server_.date_line(reactor_);
  Result<Framing> framing = write_response_head(wire().out(), response, writing);
  if (!framing) return respond_otherwise(exchange, response, framing.error());
  exchange.framing = *framing;
  conversation_->answer_begun = true;
  return wire().put_body(response.body, *framing) ? answered() : keep_response(exchange, response);
}

// The answer is on its way.
ServerConnection::Next ServerConnection::answered() {
  Exchange& exchange = *conversation_->exchange;
  exchange.end_body();
  if (conversation_->watched) stop_watching();
  const bool whole = wire().message_complete() || wire().skip_buffered_body(skip_max);
  const bool another = exchange.writing.keep_alive && whole;
  conversation_->exchange.reset();
  if (!another) return Next::farewell;
  conversation_->answer_begun = false;
  conversation_->body_waited = Duration();
  return wire().out().size() >= Connection::coalesce_max ? Next::flush : Next::go_on;
}

// --- the conversation: what does --------------------------------------------------------------------------

// One of the functions above, called by the task.
template <ServerConnection::Next (ServerConnection::*function)()>
ServerConnection::Next ServerConnection::step() {
  AtWork at_work(*this);
  return (this->*function)();
}

Task<> ServerConnection::converse(Next next) {
  PromiseBase& self = co_await this_task;
  for (;; next = step<&ServerConnection::proceed>()) {
    if (next == Next::handler) {
      handler_waits();
      while (!conversation_->exchange->handled()) {
        if (!wire().flush_now()) {  // the answers before this one, or what the handler tells
          co_await wire().flush();
          continue;
        }
        waiting_ = &self;
        co_await suspend_until_ready;
        waiting_ = nullptr;
      }
      lift_limit(Limit::handler);
      next = step<&ServerConnection::answer>();
    }
    if (next == Next::body) {
      const bool sent = co_await respond_slowly();
      next = sent ? step<&ServerConnection::answered>() : Next::cut;
    }
    switch (next) {
      case Next::rest: rests_ = true; co_return;
      case Next::bytes: {
        const bool more = co_await more_bytes();
        if (!more) co_return;
        break;
      }
      case Next::turn: co_await yield(); break;
      case Next::flush:
        co_await wire().flush();
        if (turn_is_long(reactor_)) co_await yield();
        break;
      case Next::farewell: {
        co_await wire().flush();
        co_await linger();
        co_return;
      }
      case Next::refusal: {
        const int status = wire().parse_error_status();
        co_await refuse(status != 0 ? status : conversation_->refusal);
        co_return;
      }
      case Next::protocol: leaves_http_ = true; co_return;
      case Next::cut: co_return;
      case Next::go_on:
      case Next::handler:
      case Next::body: break;
    }
  }
}

void ServerConnection::handler_waits() {
  conversation_->handler_began = reactor_.precise_now();
  set_limit(Limit::handler, after(conversation_->handler_began, server_.options_.handler_timeout));
  watch_for_loss();
}

// When there is nothing to parse and something has to be waited for. False: the connection is to be closed.
Task<bool> ServerConnection::more_bytes() {
  const bool between = wire().between_messages();
  const bool stopping = server_.stopping_.is_set();
  if (between && stopping && !stream().readable_or_closed()) co_return false;
  idle_ = between;
  const ServerOptions& options = server_.options_;
  if (between) {
    const Duration wait = stopping ? std::min(options.idle_timeout, last_chance) : options.idle_timeout;
    set_limit(Limit::idle, after(reactor_.now(), wait));
  } else if (conversation_->deadline(Limit::head) == Instant::never()) {
    set_limit(Limit::head, after(reactor_.now(), options.head_timeout));
  }
  Result<bool> more = co_await wire().receive().result();
  idle_ = false;
  lift_limit(Limit::idle);
  if (!more) co_return false;  // gone; nothing was begun
  if (*more) co_return true;
  if (wire().finish() == Parser::Event::failed) co_await refuse(400);
  co_return false;
}

// False: nothing more is to be sent.
Task<bool> ServerConnection::respond_slowly() {
  Exchange& exchange = *conversation_->exchange;
  // Of a body in memory nobody works any more: sending it comes to its end by itself.
  Body& body = exchange.response->body;
  if (body.replayable()) {
    stop_watching();
  } else {
    watch_for_loss();
  }
  Result<> sent = co_await wire().send_body(body, exchange.framing).result();
  if (sent) co_return true;
  tell(sent.error());
  co_return false;
}

}  // namespace escapement::http::detail
