// Http1ServerConnection: one HTTP/1.x connection of a Server, from accept to close.
//
//   accept
//     v     bytes arrive          head complete         too late: 408, 503
//    Idle ---------------> ReadingHead ------> Handling --------------------------> Rejecting
//     ^ |                   ^   |                 |                                  ^     |
//     | |                   |   +---- is no request: 4xx ------- (from ReadingHead) -+     |
//     | |                   |                     | a response is there                    |
//     | |     more has come |                     v        it was the last one             v
//     | |                   +-------------- SendingResponse ----------------------> Lingering
//     +-|------ nothing has come -----------------+ |                                      |
//       |                                           +--- it was a 101 --> Upgraded         |
//       v                                                                    v             v
//     Closed <---------------------------------------------------------------+-------------+
//
// Closed is no value of State: the object deletes itself. From every state `abort` leads there, which resets
// the stream, and `close`, which resets it if a response has begun or output is unsent.
//
// State            | bytes arrive     | client gone      | time runs out     | handler fails   | shutdown
// -----------------+------------------+------------------+-------------------+-----------------+-----------
// Idle             | ReadingHead;     | Closed           | idle_timeout:     | -               | Closed (1)
//                  | all are handled  |                  | Closed (1)        |                 |
// ReadingHead      | are parsed;      | Closed; in mid-  | head_timeout:     | -               | goes on (2)
//                  | malformed:       | head: Rejecting, | Rejecting, 408    |                 |
//                  | Rejecting, 4xx   | 400              |                   |                 |
// Handling         | wait; a handler  | abort, handler   | handler_timeout:  | SendingResponse | goes on (2)
//                  | may read its     | is cancelled (3) | Rejecting, 503;   | with 500 (4)    |
//                  | request's body   |                  | body: the same,   |                 |
//                  |                  |                  | with 408 (7)      |                 |
// - reads the body | are given to it  | its read fails;  | the same          | the same        | goes on (2)
//                  |                  | then as above (8)|                   |                 |
// SendingResponse  | wait             | abort (5)        | write_stall,      | abort: the body | goes on (2)
//                  |                  |                  | body_idle: abort  | source failed   |
// Rejecting        | wait             | abort            | write_stall:      | -               | goes on
//                  |                  |                  | abort             |                 |
// Lingering        | are dropped, at  | Closed           | after 2 s:        | -               | goes on
//                  | most 256 KiB     |                  | Closed            |                 |
// Upgraded         | the protocol's   | the protocol's   | has no limits     | reported, then  | goes on (6)
//                  |                  |                  |                   | Closed          |
//
// (1) Bytes that arrived before are processed first. (2) The response is the last one: Lingering, Closed. (3)
// A client that ended its direction only is served if ServerOptions::half_close says so. (4) 503 if
// it took too long or found no memory (error_status), a 4xx if the request's body was malformed, abort for
// reset. (5) At once if the body is still being made; a body in memory is sent until a write fails. (6)
// Server::shutdown_begins tells it. (7) Behind the responses to earlier requests: what is being sent of those
// goes on first, with its own limit, while the handler is gone already. (8) With reset for a connection that
// broke: a handler that fails with that wants no response. With bad_message for a client that ended its
// direction in mid-body: the response to a handler that fails is a 400. One that goes on is cancelled as soon
// as it waits for something else, as (3) says. When the grace period is over the server calls `close`, in
// every state.
//
// An idle connection is this object and its timer. When bytes arrive it borrows an ActiveState from the
// server's pool. `process_input` answers what needs no waiting: a request whose handler does not wait is
// read, answered and sent within one call from the reactor. A task, `run_slow_path`, does all else. While it
// is active its limits share one timer (deadlines.h). When one runs out the task is destroyed where it waits,
// and with it the handler; a response that says so is sent by a new task.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <escapement/core/detail/compact_text.h>
#include <escapement/io/http/detail/server_connection.h>
#include <escapement/io/http/h1/active_state.h>
#include <escapement/io/http/h1/connection.h>
#include <escapement/io/http/h1/exchange.h>
#include <escapement/io/http/h1/server_request.h>
#include <escapement/io/http/interim.h>
#include <escapement/timers/entry.h>

namespace escapement::http::detail {

class Http1ServerConnection final : public ServerConnection,
                                    public Runnable,
                                    private Waits,
                                    private RequestContext::Connection,
                                    private RequestBodyReader {
 public:
  // Deletes itself when the connection has ended.
  Http1ServerConnection(ServerShared& shared, Reactor& reactor, std::unique_ptr<Stream> stream,
                        Admission&& admission);
  ~Http1ServerConnection();

  // Called by the reactor when bytes came, a task or the handler has finished, a limit may have run out, or
  // the client has disconnected.
  void run() override;

  void close() override;
  bool is_idle() override;
  void visit_tasks(escapement::detail::TaskVisitor& visitor) const override;

 private:
  enum class State : std::uint8_t {
    idle,              // between two requests, or before the first: no byte of the next one has arrived
    reading_head,      // bytes of a request, or more, have arrived
    handling,          // the handler works on the request
    sending_response,  // bytes of the response may have been sent: no other response can be given
    rejecting,         // a response of the server's own is sent, which is the last
    lingering,         // all was sent; bytes are read and dropped, so that the response is not lost
    upgraded,          // another protocol has the stream
  };

  // The next step, once everything that needs no waiting was done.
  enum class Next {
    go_on,                 // nothing to wait for
    idle,                  // nothing is left to do; the stream is watched
    need_bytes,            // wait for them
    yield,                 // let others run
    await_handler,         // it works on the request
    send_body,             // the response's body takes time to send
    upgrade,               // the response hands the connection to another protocol
    flush,                 // much output has gathered
    close_after_response,  // that was the last one
    reject,                // what has arrived is no request
    abort,                 // nothing more is to be sent
  };

  // The end of a task, other than by an error.
  enum class TaskEnd { idle, upgrade, close };

  // Exists while this connection is at work on the stack, which may run code of others: handlers, what their
  // frames hold, observers. It is not deleted as long.
  class Busy {
   public:
    explicit Busy(Http1ServerConnection& connection) : connection_(connection) {
      ++connection.busy_;
      ++connection.shared_.busy;
    }
    Busy(const Busy&) = delete;
    ~Busy() {
      --connection_.busy_;
      --connection_.shared_.busy;
    }

   private:
    Http1ServerConnection& connection_;
  };

  // --- Woken by the reactor
  ESC_INLINE void on_wakeup();
  ESC_INLINE void on_readable(bool idle_timeout_over);
  void on_task_done();
  void on_timeout(Limit limit);

  // --- Ends
  void finish();
  void abort(const Error& why);
  void abort_with_status(int status);
  void go_idle();
  void release_state();
  bool service_threw() const;
  void fail_request(Error error);
  template <class What>
  void report(const What& what) {
    Busy busy(*this);
    shared_.report(what);
  }

  // --- Without waiting
  Next process_input();
  ESC_INLINE Next receive_now();
  bool agreed_on_http1();
  ESC_INLINE Next on_head();
  ESC_INLINE int begin_exchange(Exchange& exchange);
  ESC_NOINLINE void call_service_watched(Exchange& exchange, RequestMaker& request);
  ESC_INLINE void call_service(Exchange& exchange, RequestMaker& request);
  Next on_handled();
  ESC_INLINE Next respond(Exchange& exchange);
  ESC_NOINLINE Next respond_to_failure(Exchange& exchange);
  ESC_INLINE Next send_response(Exchange& exchange, Response& response);
  ESC_INLINE Next on_response_sent();
  ESC_NOINLINE Next send_slowly(Exchange& exchange, Response& response);
  ESC_NOINLINE Next send_refused(Exchange& exchange, Response& response, const Error& why);
  Result<> write_upgrade_head(const Exchange& exchange, const Response& response, const Error& refused);
  Response failure_response(const Error& error);

  // --- Tasks
  void start_task(Task<TaskEnd> task);
  // Calls one of the functions above from a task.
  template <Next (Http1ServerConnection::*function)()>
  Next step();
  Task<TaskEnd> run_slow_path(Next next);
  void begin_handler_wait();
  Task<bool> await_bytes();
  Task<bool> send_body();
  Task<TaskEnd> reject(int status);
  Task<> send_rejection(int status);
  Task<> linger();
  Task<TaskEnd> run_upgrade();
  std::unique_ptr<Stream> release_stream();
  void flush_soon();

  // --- Called by the wire, the request and its body
  void begin_wait(For what) override;
  void end_wait(For what) override;
  std::string_view peer() override;
  Result<> inform(int status, const Headers& fields) override;
  void note_handler_code(const void* code) override { handler_code_ = code; }
  Task<std::string> read_request_body(OpenBody& open) override;
  Headers take_request_trailers() override { return wire().take_trailers(); }

  // --- Limits, and the loss of the client
  Instant extend_deadline(Limit limit, Instant deadline) const;
  void check_limits_again();
  Duration body_waited() const;
  void watch_disconnect();
  void unwatch_disconnect();
  bool disconnected() const;

  void enter(State state) { state_ = state; }
  Http1Connection& wire() { return active_->wire; }
  Deadlines<Limit, 6>& deadlines() { return active_->deadlines; }
  Stream& stream() const { return *stream_; }

  TimerEntry idle_timer_;
  std::unique_ptr<Stream> stream_;       // null once upgraded
  std::unique_ptr<ActiveState> active_;  // null while idle, and once upgraded
  std::optional<escapement::detail::ChildTask<TaskEnd>> task_;
  escapement::detail::PromiseBase* waiting_ = nullptr;  // the task, while it waits for the handler
  CompactText peer_;                                    // the stream's, once somebody asked
  std::uint64_t requests_ = 0;
  const void* handler_code_ = nullptr;          // that the request's router noted, for a watchdog
  std::unique_ptr<Response> upgrade_response_;  // the one by which it left HTTP
  std::uint16_t busy_ = 0;                      // see Busy
  State state_ = State::idle;
  bool closing_ = false;     // to be deleted when it is not busy
  bool idle_timed_ = false;  // the idle timer was armed, and its end not looked at
};

}  // namespace escapement::http::detail
