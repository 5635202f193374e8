// Opening a client's connection: name, addresses and, for https, the handshake.

#pragma once

#include <memory>

#include <escapement/io/http/detail/client_connection.h>
#include <escapement/io/http/url.h>

namespace escapement::http::detail {

class Pool;
class Connecting;

// Opens a connection to the origin of `url`. Where descriptors or memory have run out, the pool's idle ones
// are closed for it, oldest first. Tells `progress` what it waits for. Both must outlive the task. Fails with
// nothing sent: as Network::connect and ClientOptions::encrypt do; timed_out (TimeLimit::resolve, connect,
// handshake); unsupported for https without `encrypt`.
Task<std::unique_ptr<ClientConnection>> open_connection(Pool& pool, Url url, Connecting& progress);

}  // namespace escapement::http::detail
