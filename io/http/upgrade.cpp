#include <escapement/io/http/upgrade.h>

namespace escapement::http {

bool offers_upgrade(const Request& request, std::string_view protocol) {
  if (request.minor_version == 0) return false;
  const std::optional<std::string> connection = request.headers.joined("connection");
  const std::optional<std::string> upgrade = request.headers.joined("upgrade");
  return connection && list_contains(*connection, "upgrade") && upgrade && list_contains(*upgrade, protocol);
}

Response upgrade_to(const Request& request, std::string_view protocol, Protocol run) {
  Headers headers{{"Upgrade", protocol}};
  if (!offers_upgrade(request, protocol)) {
    return Response(426, std::move(headers), "this needs the protocol " + std::string(protocol) + "\n");
  }
  Response response(101, std::move(headers), Body());
  response.upgrade = std::make_unique<Protocol>(std::move(run));
  return response;
}

}  // namespace escapement::http
