// Content-Type from a file's name.

#pragma once

#include <string_view>

namespace escapement::http {

// Returns "text/html; charset=utf-8" for "index.html", ignoring case, and "application/octet-stream" for
// unknown extensions. Text is assumed to be UTF-8.
std::string_view content_type_of(std::string_view file_name);

// Returns whether such content is worth compressing: text, JSON, XML, JavaScript, SVG, WebAssembly and the
// like. Parameters do not matter.
bool is_compressible(std::string_view content_type);

}  // namespace escapement::http
