#include <escapement/io/http/detail/client_connection.h>

#include <utility>

#include <escapement/io/http/h1/client_connection.h>

namespace escapement::http::detail {

// The one place that chooses, by stream->agreed_protocol(). There is only HTTP/1.1 so far: a server that
// agreed on nothing speaks it, too.
std::unique_ptr<ClientConnection> make_client_connection(std::unique_ptr<Stream> stream,
                                                         const ClientOptions& options) {
  return std::make_unique<Http1ClientConnection>(std::move(stream), options);
}

}  // namespace escapement::http::detail
