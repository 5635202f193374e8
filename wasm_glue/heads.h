// Heads as text lines, as they cross the ABI.

#pragma once

#include <string>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::wasm {

// Takes the first line off `text`.
std::string_view take_line(std::string_view& text);

// The field lines of `text`.
http::Headers parse_fields(std::string_view text);

void append_fields(std::string& to, const http::Headers& headers);

}  // namespace escapement::wasm
