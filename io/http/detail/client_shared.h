// ClientShared: the part of a Client that its connections work with.

#pragma once

#include <memory>

#include <escapement/io/http/client.h>

namespace escapement::http::detail {

class Http1States;

// A client's pool owns one, and each of its connections refers to it.
struct ClientShared {
  explicit ClientShared(ClientOptions o);
  ClientShared(const ClientShared&) = delete;
  ~ClientShared();

  const ClientOptions options;
  // Parsers and buffers that an HTTP/1.1 connection borrows while it is not idle.
  std::unique_ptr<Http1States> http1_states;
};

}  // namespace escapement::http::detail
