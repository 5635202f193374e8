// Heads as text lines, as they cross the ABI.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::wasm {

// Removes the first line of `text` and returns it.
std::string_view take_line(std::string_view& text);

// The field lines of `text`.
http::Headers parse_fields(std::string_view text);

// Writes field lines without framing, which is the host's. Content-Length stays `with_length`, for the host
// to use. The message was checked before (io/http/h1/writer.h).
void append_fields(std::string& to, const http::Headers& headers, bool with_length);

// The Content-Length of a received message; nullopt without a valid one.
std::optional<std::uint64_t> stated_length(const http::Headers& headers);

}  // namespace escapement::wasm
