// Http1ClientConnection: a client's connection that speaks HTTP/1.1. One exchange at a time; kept for the
// next one when the request went out whole, the response was read to its end, and both sides want to keep it.

#pragma once

#include <memory>

#include <escapement/io/http/client.h>
#include <escapement/io/http/detail/client_connection.h>
#include <escapement/io/http/h1/connection.h>

namespace escapement::http::detail {

class Http1ClientConnection final : public ClientConnection {
 public:
  // `options` must outlive it.
  Http1ClientConnection(std::unique_ptr<Stream> stream, const ClientOptions& options);

  bool has_room() const override { return !busy_; }
  std::unique_ptr<ClientExchange> begin() override;
  Duration keep_for() override;
  bool reuse() override;

 private:
  class Exchange;

  const ClientOptions& options_;
  Http1Connection connection_;
  Duration keep_for_;  // as the last response lets us; zero from the beginning of an exchange to its good end
  bool busy_ = false;
};

}  // namespace escapement::http::detail
