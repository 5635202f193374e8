#include <escapement/io/http/detail/client_connection.h>

#include <string>
#include <utility>

#include <escapement/io/http/detail/http_version.h>
#include <escapement/io/http/h1/client_connection.h>

namespace escapement::http::detail {

// The one place that chooses. There is only HTTP/1.1 so far.
Result<std::unique_ptr<ClientConnection>> make_client_connection(std::unique_ptr<Stream> stream,
                                                                 ClientShared& shared) {
  const std::string_view agreed = stream->agreed_protocol();
  if (!is_http1(agreed)) {
    return Error(Errc::unsupported,
                 "TLS has agreed on \"" + std::string(agreed) + "\", which this client does not speak")
        .nothing_sent();
  }
  std::unique_ptr<ClientConnection> made = std::make_unique<Http1ClientConnection>(std::move(stream), shared);
  return made;
}

}  // namespace escapement::http::detail
