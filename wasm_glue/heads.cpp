#include <escapement/wasm_glue/heads.h>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/wasm_glue/abi.h>

namespace escapement::wasm {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
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

void HostFields::forget_owner() {
  if (owners_ != nullptr) *owners_ = nullptr;
  owners_ = nullptr;
}

void HostFields::keep() { kept_ = all(); }

std::optional<std::string> HostFields::ask(std::string_view name) const {
  std::string text(name.empty() ? 1024 : 128, '\0');
  for (;;) {
    const int length = esc_host_fields(id_, name.data(), name.size(), text.data(), text.size());
    if (length < 0) return std::nullopt;
    const bool whole = static_cast<std::size_t>(length) <= text.size();
    text.resize(static_cast<std::size_t>(length));
    if (whole) return text;
  }
}

std::vector<http::Headers::Field> HostFields::all() {
  if (kept_) return *std::move(kept_);
  const std::shared_ptr<void> owner = std::move(owner_);  // not needed from now on
  std::vector<http::Headers::Field> fields;
  const std::string text = ask({}).value_or(std::string());
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = take_line(rest);
    const std::size_t colon = line.find(": ");
    if (colon == line.npos) continue;
    fields.emplace_back(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
  }
  forget_owner();
  return fields;
}

const std::string* HostFields::get(std::string_view name) {
  // The host would join all lines of this one, which have commas of their own.
  if (!kept_ && http::equal_ignoring_case(name, "set-cookie")) keep();
  if (kept_) {
    for (const http::Headers::Field& field : *kept_) {
      if (http::equal_ignoring_case(field.name, name)) return &field.value;
    }
    return nullptr;
  }
  for (const http::Headers::Field& field : asked_) {
    if (http::equal_ignoring_case(field.name, name)) return &field.value;
  }
  std::optional<std::string> value = ask(name);
  if (!value) return nullptr;
  asked_.emplace_back(std::string(name), *std::move(value));
  return &asked_.back().value;
}

}  // namespace escapement::wasm
