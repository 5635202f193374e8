// Http1ClientConnection::Exchange: one request on a client's HTTP/1.1 connection, and its response.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <escapement/core/event.h>
#include <escapement/io/http/h1/client_connection.h>

namespace escapement::http::detail {

// A request that the transport takes at once, which nearly every one is, is sent without a task of its own.
// Otherwise sending goes on while the response is read: a response may come early, and may depend on what is
// still being sent.
class Http1ClientConnection::Exchange final : public ClientExchange, private Runnable {
 public:
  // Takes the state only once there is memory for the exchange: without, the connection stays as it was.
  Exchange(Http1ClientConnection& owner, std::unique_ptr<Http1Connection>&& state)
      : owner_(owner), writes_before_(state->writes()) {
    owner_.state_ = std::move(state);
  }
  Exchange(const Exchange&) = delete;
  ~Exchange() override;
  static void* operator new(std::size_t size) { return escapement::detail::allocate_block(size); }
  static void operator delete(void* exchange, std::size_t size) {
    escapement::detail::free_block(exchange, size);
  }

  Task<> call(OutgoingRequest& outgoing, ResponseHead& response, CallReport& report) override;
  bool unanswered() const override { return !heard_bytes_; }
  bool unsent() const override { return wire().writes() == writes_before_; }
  bool closed_unanswered() const override { return closed_unanswered_ && !sending_failed_; }
  Body take_body() override {
    sending_.reset();
    return std::move(body_);
  }
  Task<std::string> read_body() override { return wire().read_body(); }
  Headers take_trailers() override { return wire().take_trailers(); }

 private:
  enum class Found {
    head,      // of the final response: wire().head()
    response,  // all of a plain one; its body is in whole_body_
    nothing,   // wait for bytes
    ask,       // only receive() can say
    failed,    // wire().parse_error()
  };
  class Waiting;

  Http1Connection& wire() const { return *owner_.state_; }
  void send(OutgoingRequest& outgoing, Reactor& reactor);
  Found look_for_head(Reactor& reactor);
  // Takes what receive() has found out. Returns why there will be no response; nothing: there are bytes.
  std::optional<Error> take_received();
  std::optional<Error> late(Reactor& reactor);
  void take_response(Found found, ResponseHead& response);
  Error failure(Error error);

  // Sending has finished.
  void run() override {
    if (task_ != nullptr) return task_->reactor().resume_next(*task_);
    take_sending();
  }
  bool take_sending();

  Http1ClientConnection& owner_;
  const std::uint64_t writes_before_;
  Body body_;
  Event may_continue_;
  std::optional<escapement::detail::ChildTask<void>> sending_;
  std::optional<escapement::detail::ChildTask<bool>> receiving_;
  std::optional<Error> sending_failed_;
  escapement::detail::PromiseBase* task_ = nullptr;  // that waits for the head
  std::string_view whole_body_;
  Instant limited_since_ = Instant::never();  // when the limit on the head began to run; never(): not yet
  Duration idle_for_;                         // zero: the connection is not kept
  bool called_ = false;
  bool sent_whole_ = false;
  bool heard_bytes_ = false;
  bool closed_unanswered_ = false;
};

}  // namespace escapement::http::detail
