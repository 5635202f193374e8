// NetworkByHost: a Network in which some hosts are reached in a way of their own.
//
//     UnixNetwork docker(loop.backend(), "/run/docker.sock");
//     NetworkByHost network(loop.network());
//     network.add("docker", docker);
//     http::Client client(network);             // http://docker/version goes to the socket, all else to TCP

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/io/stream.h>

namespace escapement {

// Every network must outlive this and the tasks that it returns.
class NetworkByHost final : public Network {
 public:
  // Connects to all hosts that are not added by `fallback`, and listens by it.
  explicit NetworkByHost(Network& fallback) : fallback_(fallback) {}

  // Connects to `host`, at any port, by `network`. Names are compared ignoring case, as text: "a.test" and
  // "a.test." are two hosts. A host that was added before gets the new network, for new connections.
  void add(std::string_view host, Network& network);

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_within(Duration limit, std::string host, std::uint16_t port) override;
  Result<std::unique_ptr<Listener>> listen(std::string_view address) override;

 private:
  Network& of(std::string_view host) const;

  Network& fallback_;
  std::map<std::string, Network*> networks_;  // by the name in lower case
};

}  // namespace escapement
