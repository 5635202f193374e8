#include <escapement/io/web_socket.h>

#include <escapement/core/detail/utf8.h>

namespace escapement {

bool is_utf8(std::string_view text) {
  detail::Utf8Checker checker;
  return checker.take(text) && checker.complete();
}

std::string WebSocket::sendable_reason(std::string reason) {
  constexpr std::size_t reason_bytes_max = 123;
  if (reason.size() > reason_bytes_max) reason.resize(reason_bytes_max);
  while (!reason.empty() && !is_utf8(reason)) reason.pop_back();
  return reason;
}

}  // namespace escapement
