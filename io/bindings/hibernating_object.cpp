#include <escapement/io/bindings/hibernating_object.h>

namespace escapement {

Task<std::optional<WebSocketMessage>> DurableWebSocket::receive() {
  co_return Error(Errc::unsupported, "a Durable Object is told the messages of its WebSockets");
}

Result<> DurableWebSocket::check_attachment(std::string_view text) {
  if (text.size() <= attachment_bytes_max) return {};
  return Error(Errc::limit_exceeded, "a WebSocket's attachment of " + std::to_string(text.size()) + " bytes");
}

Result<> DurableWebSockets::check_auto_response(std::string_view request, std::string_view response) {
  for (const std::string_view text : {request, response}) {
    if (text.size() <= auto_response_bytes_max) continue;
    return Error(Errc::limit_exceeded,
                 "a WebSocket's automatic response of " + std::to_string(text.size()) + " bytes");
  }
  return {};
}

Result<> WebSocketAcceptance::check() const {
  if (tags.size() > tags_max) {
    return Error(Errc::limit_exceeded, "a WebSocket with " + std::to_string(tags.size()) + " tags");
  }
  for (const std::string& tag : tags) {
    if (tag.empty()) return Error(Errc::invalid_argument, "a WebSocket's tag is empty");
    if (tag.size() <= tag_bytes_max) continue;
    return Error(Errc::limit_exceeded, "a WebSocket's tag of " + std::to_string(tag.size()) + " bytes");
  }
  if (attachment.size() <= DurableWebSocket::attachment_bytes_max) return {};
  return Error(Errc::limit_exceeded,
               "a WebSocket's attachment of " + std::to_string(attachment.size()) + " bytes");
}

Task<std::optional<WebSocketAcceptance>> HibernatingObject::accept(const http::Request&) {
  co_return WebSocketAcceptance();
}

Task<> HibernatingObject::web_socket_closed(DurableWebSocket&, int, std::string) { co_return; }

Task<> HibernatingObject::web_socket_broken(DurableWebSocket&) { co_return; }

}  // namespace escapement
