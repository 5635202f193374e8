// Heads as text lines, as they cross the ABI.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::wasm {

// Takes the first line off `text`.
std::string_view take_line(std::string_view& text);

// The field lines of `text`.
http::Headers parse_fields(std::string_view text);

// Without framing, which is the host's; Content-Length stays `with_length`, for a host to take up. The
// message was checked (io/http/h1/writer.h).
void append_fields(std::string& to, const http::Headers& headers, bool with_length);

// The Content-Length of a message that was received; nullopt where there is none that is one.
std::optional<std::uint64_t> stated_length(const http::Headers& headers);

}  // namespace escapement::wasm
