// ServerConnection: one connection of a Server, from accept to close.
//
// While it is idle it is this object: it waits for the stream's next event and for its timer, and nothing
// else exists. When bytes arrive it is lent a Conversation (parser, buffers, limits), and `proceed` answers
// what has arrived as far as nothing has to be waited for: a request whose handler needs not wait is read,
// answered and sent within one call from the reactor. For the rest there is a task, `converse`. When nothing
// is left to do all is given back.
//
// All its limits in time share one timer entry, armed for the earliest of them. When one is over, the task is
// destroyed where it waits, and with it the handler; what the peer is told, if anything, is a new task.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <escapement/core/detail/compact_text.h>
#include <escapement/core/event.h>
#include <escapement/io/http/h1/connection.h>
#include <escapement/io/http/h1/server_request.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/io/http/interim.h>
#include <escapement/io/http/server.h>
#include <escapement/timers/entry.h>

namespace escapement::http::detail {

// What can run out, each with its own limit in ServerOptions.
enum class Limit { idle, head, handler, body, sending, lingering };

// A request that was read and is being answered.
struct Exchange {
  Exchange() {}  // not defaulted: that would clear all of it first
  Exchange(const Exchange&) = delete;
  // Those who may hold on to the request's body go first.
  ESC_INLINE ~Exchange() {
    response.reset();
    handling.reset();
    end_body();
  }
  // What the handler's body holds on to lasts no longer: the bytes that follow are not for it.
  void end_body() {
    if (body && !body->ended()) body->end();
  }
  bool handled() const { return handling->finished(); }

  ResponseOptions writing;
  CompactText target;  // where the request's does not lie in what has arrived
  std::shared_ptr<OpenBody> body;
  std::optional<escapement::detail::ChildTask<Response>> handling;
  std::optional<Response> response;  // where it is not the handler's, or its body takes time to send
  Framing framing = Framing::none;
  int informed = 0;  // informational answers of the handler's
};

// What a connection needs while it is not idle.
struct Conversation {
  explicit Conversation(const ParserLimits& limits) : wire(Parser::Role::request, limits) { clear(); }
  // Wherever it has come to: as it is at rest, when it has no exchange and no limit. The wire is cleared by
  // its detach().
  void clear() {
    deadlines.fill(Instant::never());
    watched = reads_body = answer_begun = false;
    body_waited = Duration();
  }

  Instant& deadline(Limit limit) { return deadlines[static_cast<std::size_t>(limit)]; }

  Connection wire;
  std::optional<Exchange> exchange;
  Url::Origin origin;                // of the last request
  std::array<Instant, 6> deadlines;  // by Limit
  bool watched = false;              // for the loss of the peer, while a handler works
  bool reads_body = false;           // waits for its bytes
  int refusal = 0;                   // the status, where no request was made of a head
  bool answer_begun = false;         // bytes of it may have been sent: no other answer can be given
  Instant handler_began;
  Instant body_wait_began;
  Duration body_waited;  // so far, for this request's body
};

class ServerConnection final : public Runnable, private Waits, private ServerSide {
 public:
  // Whoever waits for a connection that was given to the server by hand: woken when it is gone; destroying it
  // closes the connection.
  class Guest {
   public:
    explicit Guest(escapement::detail::PromiseBase& task) : task_(task) {}
    Guest(const Guest&) = delete;
    ~Guest();
    bool served() const { return connection_ != nullptr; }

   private:
    friend class ServerConnection;
    escapement::detail::PromiseBase& task_;
    ServerConnection* connection_ = nullptr;
  };

  // Deletes itself when the connection has ended. `owner` is only kept.
  ServerConnection(Server& server, Reactor& reactor, std::unique_ptr<Stream> stream, const void* owner,
                   Semaphore::Permit slot);
  ServerConnection(Server& server, Reactor& reactor, std::unique_ptr<Stream> stream, Guest& guest);
  ServerConnection(const ServerConnection&) = delete;
  ~ServerConnection();

  // Something happened: bytes came, the task has finished, the handler has, a limit is over, the peer is
  // gone.
  void run() override;

  // Ends it now; where it is at work further up the stack, when that is done (server.h says who may ask for
  // it there).
  void close();
  // For a shutdown: whether nothing is in work, and nothing has arrived to be. Where something may have, it
  // is looked into in a turn of its own.
  bool rests_for_good();
  const void* owner() const { return owner_; }

  // For the request's body. Gives leave to send it, where the client waits for that; then its next bytes,
  // empty at the end.
  Task<std::string> read_request_body(OpenBody& open);
  Headers take_trailers() { return wire().take_trailers(); }

 private:
  // While this is at work on the stack, which may run code of others: handlers, what their frames hold, who
  // is told of failures.
  class AtWork {
   public:
    explicit AtWork(ServerConnection& connection) : connection_(connection) {
      ++connection.at_work_;
      ++connection.server_.at_work_;
    }
    AtWork(const AtWork&) = delete;
    ~AtWork() {
      --connection_.at_work_;
      --connection_.server_.at_work_;
    }

   private:
    ServerConnection& connection_;
  };

  // What a conversation has come to.
  enum class Next {
    go_on,     // nothing to wait for
    rest,      // nothing is left to do; the stream is watched
    bytes,     // it waits for bytes
    turn,      // others have theirs
    handler,   // works on the request
    body,      // of the answer: it takes time to send
    protocol,  // the answer leaves HTTP: another one takes over
    flush,     // what was answered is much
    farewell,  // that was the last answer
    refusal,   // what arrived is no request
    cut,       // nothing more is to be sent
  };

  ESC_INLINE void act();
  template <class Told>
  void tell(const Told& what) {
    AtWork at_work(*this);
    server_.tell(what);
  }
  bool service_threw() const;
  void fail_request(Error error);
  ESC_INLINE void enter(bool out_of_time);
  void start(Task<> task);
  void conclude();
  void leave();
  void give_back() {
    wire().detach();
    conversation_->clear();
    server_.take_back(std::move(conversation_));
  }
  void rest();
  bool put_off(Limit limit);
  Duration body_waited() const;
  void out_of_time(Limit limit);
  void answer_instead(int status);
  void cut(const Error& why);

  Next proceed();
  ESC_INLINE Next take_bytes();
  ESC_INLINE Next take_request();
  ESC_INLINE int begin(Exchange& exchange);
  ESC_NOINLINE void call_watched(Exchange& exchange, Request&& request);
  ESC_INLINE void call(Exchange& exchange, Request&& request);
  Next answer();
  ESC_INLINE Next respond(Exchange& exchange, Response& response);
  ESC_INLINE Next answered();
  ESC_NOINLINE Next keep_response(Exchange& exchange, Response& response);
  template <Next (ServerConnection::*function)()>
  Next step();
  Task<> converse(Next next);
  void handler_waits();
  void flush_soon();
  Task<bool> more_bytes();
  Task<bool> respond_slowly();
  Response failure_response(const Error& error);
  Next respond_otherwise(Exchange& exchange, Response& response, const Error& refused);
  std::string_view peer() override;
  Result<> inform(int status, const Headers& fields) override;
  Result<> write_switch(const Exchange& exchange, const Response& response, const Error& refused);
  Task<> hand_over();
  std::unique_ptr<Stream> part_with_stream();
  Task<> refuse(int status);
  Task<> linger();

  void begin_wait(For what) override;
  void end_wait(For what) override;
  void set_limit(Limit limit, Instant deadline);
  void lift_limit(Limit limit) { conversation_->deadline(limit) = Instant::never(); }
  void arm_for_first();
  void arm(Instant deadline);
  void watch_for_loss();
  bool gone() const;
  void stop_watching();

  Connection& wire() { return conversation_->wire; }
  Stream& stream() const { return *stream_; }

  Server& server_;
  Reactor& reactor_;
  const void* owner_ = nullptr;
  Guest* guest_ = nullptr;
  std::optional<Semaphore::Permit> slot_;
  Server::Member member_;
  TimerEntry timer_;
  std::unique_ptr<Stream> stream_;              // null: handed over
  std::unique_ptr<Conversation> conversation_;  // while not idle
  std::optional<escapement::detail::ChildTask<void>> task_;
  escapement::detail::PromiseBase* waiting_ = nullptr;  // for the handler
  CompactText peer_;                                    // the stream's, once somebody asked
  std::uint64_t requests_ = 0;
  std::optional<Response> switched_;  // the answer by which it left HTTP
  std::uint16_t at_work_ = 0;         // AtWork
  bool ends_ = false;                 // is to be deleted when it is not at work
  bool idle_ = true;
  bool timed_ = false;        // the timer was armed and has not been seen to be due
  bool rests_ = false;        // converse has come to Next::rest
  bool leaves_http_ = false;  // or to Next::protocol
};

}  // namespace escapement::http::detail
