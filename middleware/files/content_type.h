// Content-Type by a file's name.

#pragma once

#include <string_view>

namespace escapement::http {

// "text/html; charset=utf-8" for "index.html"; without case. "application/octet-stream" for what is not
// known. Text is taken to be UTF-8.
std::string_view content_type_of(std::string_view file_name);

// Whether compressing such content is worth it: text, JSON, XML, JavaScript, SVG, WebAssembly and the like.
// Parameters do not matter.
bool is_compressible(std::string_view content_type);

}  // namespace escapement::http
