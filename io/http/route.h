// ClientRoute: the way of a client's connections to the servers, where that is not the straight one. Proxies
// are one (proxy.h).

#pragma once

#include <memory>

#include <escapement/io/http/message.h>
#include <escapement/io/stream.h>

namespace escapement::http {

struct ClientOptions;
struct RequestOptions;

// Shared by the connections of a client, and never changed.
class ClientRoute {
 public:
  virtual ~ClientRoute() = default;

  // Connects to the server of `url` within `limit`, before the server's own handshake. `network` and
  // `options` outlive the task, and this does. Fails with nothing sent, as Network::connect_within does, and
  // in ways of its own.
  virtual Task<std::unique_ptr<Stream>> connect(Network& network, const ClientOptions& options, Url url,
                                                Duration limit) const = 0;

  // Prepares a request for this way: what its head has to have (h1/writer.h), and what it must not. Fails for
  // a request that cannot go it.
  virtual Result<> prepare(Request& request, RequestOptions& head) const = 0;
};

}  // namespace escapement::http
