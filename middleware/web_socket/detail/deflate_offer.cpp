#include <escapement/middleware/web_socket/detail/deflate_offer.h>

#include <utility>

#include <escapement/io/http/detail/characters.h>

namespace escapement::http::detail {

namespace {

constexpr std::string_view name_of_deflate = "permessage-deflate";

// Reads the field from its front.
class ExtensionReader {
 public:
  explicit ExtensionReader(std::string_view text) : text_(text) {}

  bool at_end() {
    skip_white_space();
    return text_.empty();
  }
  bool take(char c) {
    skip_white_space();
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  std::optional<std::string> token() {
    skip_white_space();
    std::size_t end = 0;
    while (end < text_.size() && token_characters.has(text_[end])) ++end;
    if (end == 0) return std::nullopt;
    std::string token(text_.substr(0, end));
    text_.remove_prefix(end);
    return token;
  }
  // A token, or one in quotes.
  std::optional<std::string> value() {
    if (!take('"')) return token();
    std::string value;
    while (!text_.empty() && text_.front() != '"') {
      if (text_.front() == '\\') text_.remove_prefix(1);
      if (text_.empty()) return std::nullopt;
      value += text_.front();
      text_.remove_prefix(1);
    }
    if (!take('"') || value.empty() || !token_characters.has_all(value)) return std::nullopt;
    return value;
  }

 private:
  void skip_white_space() {
    while (text_.starts_with(' ') || text_.starts_with('\t')) text_.remove_prefix(1);
  }

  std::string_view text_;
};

struct ExtensionParameter {
  std::string name;
  std::optional<std::string> value;
};

std::optional<int> window_of(const std::optional<std::string>& value) {
  if (!value) return std::nullopt;
  for (int bits = 8; bits <= 15; ++bits) {
    if (*value == std::to_string(bits)) return bits;
  }
  return std::nullopt;
}

// Sets what one parameter says. Returns false if RFC 7692 has no such one.
bool apply(const ExtensionParameter& parameter, DeflateOffer& offer) {
  if (parameter.name == "server_no_context_takeover") {
    offer.server_no_context_takeover = true;
    return !parameter.value;
  }
  if (parameter.name == "client_no_context_takeover") {
    offer.client_no_context_takeover = true;
    return !parameter.value;
  }
  if (parameter.name == "server_max_window_bits") {
    offer.server_max_window_bits = window_of(parameter.value);
    return offer.server_max_window_bits.has_value();
  }
  if (parameter.name != "client_max_window_bits") return false;
  offer.client_max_window_bits = window_of(parameter.value);
  offer.client_window_may_shrink = !parameter.value;
  return offer.client_max_window_bits || !parameter.value;
}

// No parameter may come twice (RFC 7692 section 7.1).
std::optional<DeflateOffer> read_parameters(const std::vector<ExtensionParameter>& parameters) {
  DeflateOffer offer;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (parameters[k].name == parameters[i].name) return std::nullopt;
    }
    if (!apply(parameters[i], offer)) return std::nullopt;
  }
  return offer;
}

}  // namespace

std::optional<std::vector<NamedExtension>> parse_extensions(std::string_view field) {
  std::vector<NamedExtension> extensions;
  ExtensionReader reader(field);
  while (!reader.at_end()) {
    if (reader.take(',')) continue;  // a list may have empty elements (RFC 9110 section 5.6.1)
    std::optional<std::string> name = reader.token();
    if (!name) return std::nullopt;
    std::vector<ExtensionParameter> parameters;
    while (reader.take(';')) {
      std::optional<std::string> parameter = reader.token();
      if (!parameter) return std::nullopt;
      std::optional<std::string> value;
      if (reader.take('=')) {
        value = reader.value();
        if (!value) return std::nullopt;
      }
      parameters.push_back(ExtensionParameter{*std::move(parameter), std::move(value)});
    }
    if (!reader.at_end() && !reader.take(',')) return std::nullopt;
    NamedExtension extension;
    if (*name == name_of_deflate) extension.offer = read_parameters(parameters);
    extension.name = *std::move(name);
    extensions.push_back(std::move(extension));
  }
  return extensions;
}

std::string deflate_text(const DeflateOffer& offer) {
  std::string text(name_of_deflate);
  if (offer.server_no_context_takeover) text += "; server_no_context_takeover";
  if (offer.client_no_context_takeover) text += "; client_no_context_takeover";
  if (offer.server_max_window_bits)
    text += "; server_max_window_bits=" + std::to_string(*offer.server_max_window_bits);
  if (offer.client_max_window_bits) {
    text += "; client_max_window_bits=" + std::to_string(*offer.client_max_window_bits);
  } else if (offer.client_window_may_shrink) {
    text += "; client_max_window_bits";
  }
  return text;
}

}  // namespace escapement::http::detail
