// The server's side of a request, for tests of what looks at where a request comes from.

#pragma once

#include <string>
#include <utility>

#include <escapement/io/http/message.h>

namespace escapement::test {

// Must outlive the requests that it is given to.
class FromPeer final : public http::RequestContext::Connection {
 public:
  explicit FromPeer(std::string peer) : peer_(std::move(peer)) {}
  std::string_view peer() override { return peer_; }
  Result<> inform(int, const http::Headers&) override { return {}; }
  void note_handler_code(const void*) override {}

 private:
  std::string peer_;
};

}  // namespace escapement::test
