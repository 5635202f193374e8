// WatchedNetwork: a Network that notes in the story of the running task when it connected, and to whom.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/http/client.h>
#include <escapement/io/stream.h>

namespace escapement {

class WatchedNetwork final : public Network {
 public:
  // Connects by `inner`, which must outlive this.
  explicit WatchedNetwork(Network& inner) : inner_(inner) {}

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port) override;
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override {
    return inner_.listen(address);
  }

 private:
  Network& inner_;
};

// Returns `encrypt` with a note in the story of when it was done, or that it failed. Null stays null.
http::Encrypt watched(http::Encrypt encrypt);

}  // namespace escapement
