#include <escapement/wasm_glue/heads.h>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/h1/writer.h>

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

void append_fields(std::string& to, const http::Headers& headers, bool with_length) {
  headers.each([&to, with_length](std::string_view name, std::string_view value) {
    const bool length = with_length && http::equal_ignoring_case(name, "content-length");
    if (!length && http::is_framing_field(name)) return;
    ((to += name) += ": ");
    (to += value) += '\n';
  });
}

std::optional<std::uint64_t> stated_length(const http::Headers& headers) {
  return parse_number<std::uint64_t>(headers.get_or("content-length", {}));
}

}  // namespace escapement::wasm
