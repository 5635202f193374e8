// The limits in time of a server's connection that is not idle, and the loss of its client.

#include <algorithm>
#include <utility>

#include <escapement/io/http/h1/server_connection.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

using escapement::detail::catching;
using escapement::detail::timeout_error;

// The handler's time does not run while it waits for the request's body, which has its own limits; that is
// made up for here.
Instant Http1ServerConnection::extend_deadline(Limit limit, Instant deadline) const {
  if (limit != Limit::handler) return deadline;
  return after(active_->handler_began, shared_.options.handler_timeout + body_waited());
}

// Call in place of looking at a timer that has gone off: what wakes this for it has been used up.
void Http1ServerConnection::check_limits_again() {
  if (active_ && deadlines().timer_expired()) deadlines().check_again();
}

Duration Http1ServerConnection::body_waited() const {
  const bool waits = active_->deadlines.is_set(Limit::body);
  return active_->body_waited + (waits ? reactor_.now() - active_->body_wait_began : Duration());
}

void Http1ServerConnection::on_timeout(Limit limit) {
  const ServerOptions& options = shared_.options;
  const auto error = [](TimeLimit which, const char* what, Duration time) {
    return timeout_error({which, "nothing"}, time, time).context(what);
  };
  switch (limit) {
    case Limit::idle:
    case Limit::lingering: return finish();
    case Limit::head: return abort_with_status(408);
    case Limit::sending: return abort(error(TimeLimit::write, "sending", options.write_stall));
    case Limit::body:
      if (state_ == State::sending_response)
        return abort(error(TimeLimit::body, "reading the body", options.body_idle));
      return abort_with_status(408);
    case Limit::handler:
      ++shared_.statistics.failed_handlers;
      report(error(TimeLimit::handler, "handler", options.handler_timeout));
      return abort_with_status(503);
  }
}

void Http1ServerConnection::abort_with_status(int status) {
  // The task may be sending the responses to earlier requests, and a write that has begun must not be given
  // up: then that task goes on, and sends this one behind them.
  const bool sends = state_ == State::handling && wire().sending();
  if (!sends) {
    waiting_ = nullptr;
    task_.reset();
  }
  active_->exchange.reset();
  active_->watched = active_->reads_body = false;
  stream().watch(reactor_, nullptr);
  if (sends) {
    active_->reject_status = status;
    deadlines().lift(Limit::handler);
    return deadlines().check_again();  // for that of sending
  }
  deadlines().clear();
  start_task(reject(status));
}

void Http1ServerConnection::abort(const Error& why) {
  if (stream_) stream().reset_on_close();
  report(why);
  closing_ = true;
}

// May throw when memory runs out. end_wait is called all the same.
void Http1ServerConnection::begin_wait(For what) {
  const Instant now = reactor_.precise_now();
  const ServerOptions& options = shared_.options;
  if (what == For::sending) return deadlines().set(Limit::sending, after(now, options.write_stall));
  active_->reads_body = true;
  if (active_->watched) stream().watch(reactor_, nullptr);  // the read will see it
  active_->body_wait_began = now;
  Duration allowed = options.body_idle;
  if (options.body_bytes_per_second_min != 0 && options.body_idle != Duration::max()) {
    const double seconds =
        static_cast<double>(wire().body_bytes()) / static_cast<double>(options.body_bytes_per_second_min);
    const Duration in_all =
        options.body_idle + Duration(std::chrono::duration<double>(std::min(seconds, 1e9)));
    allowed = std::min(allowed, in_all - active_->body_waited);
  }
  deadlines().set(Limit::body, after(now, allowed));
}

void Http1ServerConnection::end_wait(For what) {
  if (what == For::body) {
    active_->body_waited = active_->body_waited + (reactor_.precise_now() - active_->body_wait_began);
    active_->reads_body = false;
  }
  auto ending = [&] {
    deadlines().lift(what == For::sending ? Limit::sending : Limit::body);
    if (what == For::body && active_->watched) watch_disconnect();
  };
  if (!catching(ending)) return;
  // Watching may need memory, and there was none: on_wakeup tries again, and the connection ends if that
  // fails as well.
  deadlines().check_again();
}

// While the handler works nobody reads, so nobody would notice that the client has gone; but while the
// handler reads the body, the stream belongs to that read.
void Http1ServerConnection::watch_disconnect() {
  if (active_->reads_body) {
    active_->watched = true;
    return;
  }
  active_->watched = stream().watch(reactor_, this);
  if (active_->watched && disconnected()) reactor_.ready(*this);  // the event was before
}

bool Http1ServerConnection::disconnected() const {
  return shared_.options.half_close ? stream().write_closed() : stream().read_closed();
}

void Http1ServerConnection::unwatch_disconnect() {
  if (std::exchange(active_->watched, false) && !active_->reads_body) {
    stream().watch(reactor_, nullptr);
  }
}

}  // namespace escapement::http::detail
