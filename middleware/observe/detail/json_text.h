// Texts in JSON.

#pragma once

#include <string>
#include <string_view>

namespace escapement::http::detail {

// Returns `text` as a JSON string, with its quotes. UTF-8 stays as it is; in a text that is not UTF-8, bytes
// outside of ASCII are written as if they were Latin-1.
std::string json_text(std::string_view text);

}  // namespace escapement::http::detail
