// Http1ClientConnection: a client's connection that speaks HTTP/1.1. One exchange at a time; kept for the
// next one when the request went out whole, the response was read to its end, and both sides want to keep it.

#pragma once

#include <memory>

#include <escapement/io/http/detail/client_connection.h>
#include <escapement/io/http/detail/client_shared.h>
#include <escapement/io/http/h1/connection.h>
#include <escapement/timers/entry.h>

namespace escapement::http::detail {

// While it is idle it is this object and its stream. An exchange borrows a parser and buffers for it.
class Http1ClientConnection final : public ClientConnection {
 public:
  // `shared` must outlive it.
  Http1ClientConnection(std::unique_ptr<Stream> stream, ClientShared& shared);
  ~Http1ClientConnection() override;

  std::size_t room() const override { return state_ ? 0 : 1; }
  std::unique_ptr<ClientExchange> begin() override;
  Duration keep_for() override { return keep_for_; }
  bool watch(Reactor& reactor, Runnable* news) override;
  bool usable() override;

 private:
  class Exchange;

  ClientShared& shared_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Http1Connection> state_;  // only while an exchange is under way
  Duration keep_for_;      // as the last response lets us; zero from when a request goes out to its good end
  TimerEntry head_limit_;  // of the exchange; here, as a timer that is moved later costs next to nothing
};

}  // namespace escapement::http::detail
