// The response of every bench server of ours, byte for byte where it writes heads itself.

#pragma once

#include <string_view>

namespace bench {

inline constexpr std::string_view answer_type = "text/plain";
inline constexpr std::string_view answer_body = "Hello, World!";
inline constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 13\r\n\r\nHello, World!";

}  // namespace bench
