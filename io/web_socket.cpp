#include <escapement/io/web_socket.h>

#include <escapement/core/detail/utf8.h>

namespace escapement {

bool is_utf8(std::string_view text) {
  detail::Utf8Checker checker;
  return checker.take(text) && checker.complete();
}

SharedWebSocketMessage::SharedWebSocketMessage(WebSocketMessage message)
    : content_(std::make_shared<Content>(std::move(message))) {}

std::shared_ptr<const std::string> SharedWebSocketMessage::frame(
    std::string (*make)(const WebSocketMessage&)) const {
  if (!content_->frame && !content_->not_utf8) {
    content_->not_utf8 = message().is_text && !is_utf8(message().data);
    if (!content_->not_utf8) content_->frame = std::make_shared<const std::string>(make(message()));
  }
  return content_->frame;
}

Task<> WebSocket::send_shared(SharedWebSocketMessage message) {
  WebSocketMessage copy = message.message();
  co_await send(std::move(copy));
}

std::string WebSocket::sendable_reason(std::string reason) {
  constexpr std::size_t reason_bytes_max = 123;
  if (reason.size() > reason_bytes_max) reason.resize(reason_bytes_max);
  while (!reason.empty() && !is_utf8(reason)) reason.pop_back();
  return reason;
}

}  // namespace escapement
