#include <escapement/io/http/web_socket/handshake.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/base64.h>
#include <escapement/io/http/upgrade.h>
#include <escapement/io/http/web_socket/sha1.h>

namespace escapement::http::detail {

namespace {

constexpr std::string_view version = "13";

bool is_base64_digit(char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '/'; }

// Returns whether a page of `origin` may connect to where the request went. By default that must be its own
// host; the scheme does not count, because a proxy in front may have taken the encryption off.
bool may_connect(std::string_view origin, const Request& request, const std::vector<std::string>& origins) {
  if (!origins.empty()) {
    return std::ranges::any_of(
        origins, [&](const std::string& one) { return one == "*" || equal_ignoring_case(one, origin); });
  }
  const std::size_t scheme_end = origin.find("://");
  return scheme_end != origin.npos &&
         equal_ignoring_case(origin.substr(scheme_end + 3), request.url.authority());
}

// Returns whether the list holds the subprotocol: unlike other tokens, its case matters.
bool offers(std::string_view list, std::string_view protocol) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (without_white_space(list.substr(0, end)) == protocol) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

Response refuse(int status, std::string text) { return Response(status, Headers(), std::move(text) + "\n"); }

}  // namespace

std::string web_socket_accept(std::string_view key) {
  return base64(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

bool is_web_socket_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") && std::ranges::all_of(key.substr(0, 22), is_base64_digit);
}

std::optional<Response> web_socket_refusal(const Request& request, const std::vector<std::string>& origins) {
  if (!offers_upgrade(request, "websocket")) return upgrade_to(request, "websocket", nullptr);
  if (request.method != Method::get()) return refuse(400, "a WebSocket begins with a GET");
  if (request.headers.joined("sec-websocket-version") != version) {
    Response response(426, Headers{{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", version}},
                      "this speaks version 13 of the protocol\n");
    return response;
  }
  const std::optional<std::string> key = request.headers.joined("sec-websocket-key");
  if (!key || !is_web_socket_key(*key)) return refuse(400, "Sec-WebSocket-Key is not 16 bytes in base64");
  const std::optional<std::string> origin = request.headers.joined("origin");
  if (origin && !may_connect(*origin, request, origins))
    return refuse(403, "pages of this origin may not connect");
  return std::nullopt;
}

std::string_view agreed_protocol(const Request& request, const std::vector<std::string>& spoken) {
  const std::optional<std::string> offered = request.headers.joined("sec-websocket-protocol");
  if (!offered) return {};
  for (const std::string& protocol : spoken) {
    if (offers(*offered, protocol)) return protocol;
  }
  return {};
}

Result<std::string> web_socket_answer(int status, const Headers& headers, std::string_view key,
                                      const std::vector<std::string>& offered) {
  if (status != 101) {
    return Error(status == 401 || status == 403 ? Errc::permission_denied : Errc::bad_message,
                 "the server answered with status " + std::to_string(status) + " instead of a WebSocket");
  }
  if (!equal_ignoring_case(headers.joined("upgrade").value_or(""), "websocket") ||
      !list_contains(headers.joined("connection").value_or(""), "upgrade"))
    return Error(Errc::bad_message, "the server switched to a protocol other than websocket");
  if (headers.joined("sec-websocket-accept") != web_socket_accept(key))
    return Error(Errc::bad_message, "the server's Sec-WebSocket-Accept does not belong to the key");
  std::string protocol = headers.joined("sec-websocket-protocol").value_or("");
  if (!protocol.empty() && std::ranges::find(offered, protocol) == offered.end())
    return Error(Errc::bad_message, "the server chose a subprotocol that was not offered");
  return protocol;
}

}  // namespace escapement::http::detail
