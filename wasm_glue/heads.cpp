#include <escapement/wasm_glue/heads.h>

namespace escapement::wasm {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

http::Headers parse_fields(std::string_view text) {
  http::Headers headers;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
  }
  return headers;
}

void append_fields(std::string& to, const http::Headers& headers) {
  for (const http::Headers::Field& field : headers) {
    // A line end in a value would make a field of its own: such a field is dropped.
    if (field.value.find('\n') != field.value.npos) continue;
    to += field.name;
    to += ": ";
    to += field.value;
    to += '\n';
  }
}

}  // namespace escapement::wasm
