#include <escapement/io/bindings/json_values.h>

#include <cstdint>
#include <cstdlib>

#include <escapement/core/detail/ascii.h>

namespace escapement {

namespace {

constexpr int depth_max = 64;

// Reads a JSON text from its start. Its functions return false at a fault.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::size_t place() const { return at_; }
  char next() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char character) {
    if (next() != character) return false;
    ++at_;
    return true;
  }
  bool skip_value(int depth = 0) {
    if (depth > depth_max) return false;
    switch (next()) {
      case '"': return take_string(nullptr);
      case '{': return skip_members(depth);
      case '[': return skip_elements(depth);
      case 't': return take_word("true");
      case 'f': return take_word("false");
      case 'n': return take_word("null");
      default: return take_number();
    }
  }
  // Reads a string into `to`, if that is not null.
  bool take_string(std::string* to) {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char character = text_[at_++];
      if (character == '"') return true;
      if (static_cast<unsigned char>(character) < 0x20) return false;
      if (character == '\\') {
        if (!take_escape(to)) return false;
      } else if (to != nullptr) {
        *to += character;
      }
    }
    return false;
  }

 private:
  void skip_space() {
    constexpr std::string_view spaces = " \t\n\r";
    while (at_ < text_.size() && spaces.find(text_[at_]) != spaces.npos) ++at_;
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  bool take_digits() {
    const std::size_t first = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ != first;
  }
  bool take_number() {
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!take_digits()) {
      return false;
    }
    if (peek() == '.') {
      ++at_;
      if (!take_digits()) return false;
    }
    if (peek() != 'e' && peek() != 'E') return true;
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    return take_digits();
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool skip_members(int depth) {
    take('{');
    if (take('}')) return true;
    do {
      if (!take_string(nullptr) || !take(':') || !skip_value(depth + 1)) return false;
    } while (take(','));
    return take('}');
  }
  bool skip_elements(int depth) {
    take('[');
    if (take(']')) return true;
    do {
      if (!skip_value(depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  bool take_escape(std::string* to) {
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view characters = "\"\\/\b\f\n\r\t";
    const char name = peek();
    ++at_;
    if (name == 'u') return take_unit(to);
    const std::size_t which = names.find(name);
    if (which == names.npos || name == '\0') return false;
    if (to != nullptr) *to += characters[which];
    return true;
  }
  // A surrogate without its other half becomes U+FFFD.
  bool take_unit(std::string* to) {
    std::uint32_t code = 0;
    if (!take_hex(code)) return false;
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      const std::size_t before = at_;
      std::uint32_t low = 0;
      at_ += 2;
      if (!take_hex(low)) return false;
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else {
        at_ = before;
      }
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (to != nullptr) append_utf8(*to, code);
    return true;
  }
  bool take_hex(std::uint32_t& code) {
    for (int i = 0; i < 4; ++i) {
      const char digit = peek();
      ++at_;
      std::uint32_t value = 0;
      if (is_digit(digit)) {
        value = static_cast<std::uint32_t>(digit - '0');
      } else if (const char lower = static_cast<char>(digit | 0x20); lower >= 'a' && lower <= 'f') {
        value = static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        return false;
      }
      code = code << 4 | value;
    }
    return true;
  }
  static void append_utf8(std::string& to, std::uint32_t code) {
    const auto add = [&to](std::uint32_t byte) { to += static_cast<char>(byte); };
    if (code < 0x80) return add(code);
    if (code < 0x800) {
      add(0xc0 | code >> 6);
    } else {
      if (code < 0x10000) {
        add(0xe0 | code >> 12);
      } else {
        add(0xf0 | code >> 18);
        add(0x80 | (code >> 12 & 0x3f));
      }
      add(0x80 | (code >> 6 & 0x3f));
    }
    add(0x80 | (code & 0x3f));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Removes the first name of a pointer, which begins with a slash, and returns it.
std::string take_name(std::string_view& pointer) {
  pointer.remove_prefix(1);
  std::string name;
  while (!pointer.empty() && pointer.front() != '/') {
    char character = pointer.front();
    pointer.remove_prefix(1);
    if (character == '~' && !pointer.empty()) {
      character = pointer.front() == '1' ? '/' : '~';
      pointer.remove_prefix(1);
    }
    name += character;
  }
  return name;
}

// Goes to the member `name` of an object, the last one of that name that there is. Returns false if there is
// none.
bool enter_member(Reader& reader, std::string_view name) {
  std::optional<Reader> found;
  reader.take('{');
  if (reader.next() == '}') return false;
  do {
    std::string key;
    if (!reader.take_string(&key) || !reader.take(':')) return false;
    if (key == name) found = reader;
    if (!reader.skip_value()) return false;
  } while (reader.take(','));
  if (!found) return false;
  reader = *found;
  return true;
}

bool enter_element(Reader& reader, std::string_view name) {
  if (name.empty() || name.size() > 9 || (name.size() > 1 && name.front() == '0')) return false;
  std::uint32_t index = 0;
  for (const char digit : name) {
    if (!is_digit(digit)) return false;
    index = index * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  reader.take('[');
  for (; index > 0; --index) {
    if (reader.next() == ']' || !reader.skip_value() || !reader.take(',')) return false;
  }
  return reader.next() != ']';
}

}  // namespace

std::optional<std::string> JsonValues::text(std::string_view place) const {
  std::optional<JsonValue> value = at(place);
  if (!value || !value->is_text) return std::nullopt;
  return std::move(value->text);
}

std::optional<double> JsonValues::number(std::string_view place) const {
  const std::optional<JsonValue> value = at(place);
  if (!value || value->is_text || value->text.empty()) return std::nullopt;
  if (value->text.front() != '-' && !is_digit(value->text.front())) return std::nullopt;
  return std::strtod(value->text.c_str(), nullptr);
}

std::optional<bool> JsonValues::boolean(std::string_view place) const {
  const std::optional<JsonValue> value = at(place);
  if (!value || value->is_text || (value->text != "true" && value->text != "false")) return std::nullopt;
  return value->text == "true";
}

std::optional<std::string> JsonValues::json(std::string_view place) const {
  std::optional<JsonValue> value = at(place);
  if (!value) return std::nullopt;
  return value->is_text ? json_string(value->text) : std::move(value->text);
}

std::optional<JsonValue> JsonText::at(std::string_view place) const {
  Reader reader(json_);
  while (!place.empty()) {
    if (place.front() != '/') return std::nullopt;
    const std::string name = take_name(place);
    const char kind = reader.next();
    const bool there =
        (kind == '{' && enter_member(reader, name)) || (kind == '[' && enter_element(reader, name));
    if (!there) return std::nullopt;
  }
  if (reader.next() == '"') {
    std::string text;
    if (!reader.take_string(&text)) return std::nullopt;
    return JsonValue::of_text(std::move(text));
  }
  const std::size_t first = reader.place();
  if (!reader.skip_value()) return std::nullopt;
  return JsonValue::of_json(json_.substr(first, reader.place() - first));
}

std::string json_string(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string json = "\"";
  for (const char character : text) {
    const unsigned char code = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') json += '\\';
    if (code >= 0x20) {
      json += character;
      continue;
    }
    json += "\\u00";
    json += digits[code >> 4];
    json += digits[code & 15];
  }
  return json + '"';
}

}  // namespace escapement
