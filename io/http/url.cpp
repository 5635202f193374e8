#include <escapement/io/http/url.h>

#include <algorithm>
#include <vector>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/in_digits.h>
#include <escapement/core/detail/number.h>
#include <escapement/io/http/detail/characters.h>

namespace escapement::http {

namespace {

bool contains(std::string_view set, char c) { return set.find(c) != set.npos; }

bool is_unreserved(char c) { return is_letter(c) || is_digit(c) || contains("-._~", c); }
bool is_sub_delimiter(char c) { return contains("!$&'()*+,;=", c); }

// Returns the place of the '@' after a user and a password; npos if there is none. Also if they are not
// encoded as they must be ("u:p/w@h"), and what is not a port may be a password.
std::size_t end_of_userinfo(std::string_view text, std::size_t begin) {
  const std::string_view authority = text.substr(begin, text.find_first_of("/?#", begin) - begin);
  const std::size_t at = authority.rfind('@');
  if (at != authority.npos) return begin + at;
  const std::size_t colon = authority.find(':');
  if (colon == authority.npos || authority.find_first_not_of("0123456789", colon + 1) == authority.npos) {
    return text.npos;
  }
  return text.rfind('@');
}

// Shows the text, but for a user and a password, which must not get into a log.
Error malformed(std::string_view text, std::string_view why) {
  constexpr std::size_t shown = 100;
  const std::size_t slashes = text.find("//");
  const std::size_t begin = slashes == text.npos || text.find('@') < slashes ? 0 : slashes + 2;
  const std::size_t at = end_of_userinfo(text, begin);
  std::string plain(text.substr(0, at == text.npos ? shown + 1 : begin));
  if (at != text.npos) plain.append("***").append(text.substr(at, shown + 1));
  std::string message = "malformed URL \"";
  for (const char c : plain.substr(0, shown)) message += c >= ' ' && c < 0x7f ? c : '?';
  if (plain.size() > shown) message += "...";
  message += "\": ";
  message += why;
  return Error(Errc::invalid_argument, std::move(message));
}

enum class Component { userinfo, path, query };

bool allowed(Component component, char c) {
  if (is_unreserved(c) || is_sub_delimiter(c) || c == ':') return true;
  if (component == Component::userinfo) return false;
  if (c == '@' || c == '/') return true;
  return component == Component::query && c == '?';
}

// Returns whether the character is taken as it is and sent encoded: RFC 3986 wants it encoded already, but
// browsers do not do that.
bool tolerated(Component component, char c) {
  if (component == Component::userinfo) return false;
  return contains("\"<>^`{|}[]", c) || (c == '\\' && component == Component::query);
}

void append_encoded(std::string& to, char c) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const unsigned char byte = static_cast<unsigned char>(c);
  to += '%';
  to += digits[byte >> 4];
  to += digits[byte & 15];
}

bool is_encoding(std::string_view text, std::size_t at) {
  return text[at] == '%' && at + 2 < text.size() && is_hex_digit(text[at + 1]) && is_hex_digit(text[at + 2]);
}

char decoded(std::string_view text, std::size_t at) {
  return static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
}

// The component as it is sent (url.h has the rule); sets `why` where it is refused.
std::string sendable(Component component, std::string_view text, bool lone_percent, std::string_view& why) {
  std::string result;
  std::size_t kept = 0;  // up to here it is in `result`
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (allowed(component, c) || (c == '%' && (lone_percent || is_encoding(text, i)))) continue;
    if (!tolerated(component, c)) {
      why = c == '%'    ? "a % without two hexadecimal digits"
            : c == '\\' ? "a backslash"
                        : "a character that must be percent-encoded";
      return result;
    }
    result += text.substr(kept, i - kept);
    append_encoded(result, c);
    kept = i + 1;
  }
  return result += text.substr(kept);
}

// Returns why no URL has these characters, or is this long; empty if there is nothing wrong.
std::string_view character_fault(std::string_view text) {
  if (text.size() > Url::length_max) return "longer than 64 KiB";
  if (text.empty()) return "it is empty";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return "a space or control character";
    if (static_cast<unsigned char>(c) > 0x7f) return "a character outside ASCII";
  }
  return {};
}

// A Location's text as the URL standard reads it: what parse refuses in path, query and fragment is encoded
// here, and a backslash in the path is a slash. Nothing up to the path is touched.
std::string as_browsers_read(std::string_view reference, bool absolute) {
  std::size_t path = absolute ? reference.find(':') + 1 : 0;
  if (reference.substr(path, 2) == "//") {
    path = std::min(reference.find_first_of("/?#", path + 2), reference.size());
  } else if (absolute) {
    return std::string(reference);  // no http URL
  }
  std::string text(reference.substr(0, path));
  bool in_path = true;
  for (const char c : reference.substr(path)) {
    in_path = in_path && c != '?' && c != '#';
    if (in_path && c == '\\') {
      text += '/';
    } else if (c == ' ' || static_cast<unsigned char>(c) > 0x7f) {
      append_encoded(text, c);
    } else {
      text += c;
    }
  }
  return text;
}

// Returns how many dots a segment consists of, also encoded ones; 0 where it has anything else.
int dots(std::string_view segment) {
  int count = 0;
  while (!segment.empty()) {
    const bool encoded = is_encoding(segment, 0) && decoded(segment, 0) == '.';
    if (!encoded && segment[0] != '.') return 0;
    segment.remove_prefix(encoded ? 3 : 1);
    ++count;
  }
  return count;
}

// RFC 3986 section 5.2.4 on a path that begins with '/'.
std::string without_dot_segments(std::string path_as_sent) {
  const std::string_view path = path_as_sent;
  if (path.find("/.") == path.npos && path.find("/%") == path.npos) return path_as_sent;
  std::vector<std::string_view> segments;
  std::size_t at = 1;
  for (;;) {
    const std::size_t slash = path.find('/', at);
    const bool last = slash == path.npos;
    const std::string_view segment = path.substr(at, last ? path.npos : slash - at);
    const int segment_dots = dots(segment);
    if (segment_dots == 1) {
      if (last) segments.push_back("");
    } else if (segment_dots == 2) {
      if (!segments.empty()) segments.pop_back();
      if (last) segments.push_back("");
    } else {
      segments.push_back(segment);
    }
    if (last) break;
    at = slash + 1;
  }
  std::string result;
  for (const std::string_view segment : segments) {
    result += '/';
    result += segment;
  }
  return result.empty() ? "/" : result;
}

bool valid_ipv4(std::string_view text) {
  int parts = 0;
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return false;
    int value = 0;
    for (const char c : part) {
      if (!is_digit(c)) return false;
      value = value * 10 + (c - '0');
    }
    if (value > 255 || ++parts > 4) return false;
    if (dot == text.npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

// RFC 4291 section 2.2: eight groups, one "::" for one or more of zero, the last two may be an IPv4 address.
bool valid_ipv6(std::string_view text) {
  int groups = 0;
  bool compressed = false;
  std::size_t i = 0;
  if (text.substr(0, 2) == "::") {
    compressed = true;
    i = 2;
  } else if (text.substr(0, 1) == ":") {
    return false;
  }
  while (i < text.size()) {
    const std::string_view rest = text.substr(i);
    const std::size_t colon = rest.find(':');
    const std::string_view group = rest.substr(0, colon);
    if (contains(group, '.')) {
      groups += 2;
      return colon == rest.npos && valid_ipv4(group) && (compressed ? groups < 8 : groups == 8);
    }
    if (group.empty() || group.size() > 4) return false;
    for (const char c : group) {
      if (!is_hex_digit(c)) return false;
    }
    ++groups;
    if (colon == rest.npos) break;
    i += colon + 1;
    if (i == text.size()) return false;
    if (text[i] == ':') {
      if (compressed) return false;
      compressed = true;
      ++i;
    }
  }
  return compressed ? groups < 8 : groups == 8;
}

// The name with the encodings of unreserved characters undone, so that it is one name in every spelling.
// Empty when it encodes what would end or change a host elsewhere.
std::string spelt_name(std::string_view host) {
  std::string name;
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (host[i] != '%') {
      name += lower(host[i]);
      continue;
    }
    if (!is_encoding(host, i)) return {};
    const char c = decoded(host, i);
    if (static_cast<unsigned char>(c) <= ' ' || contains("\x7f%\"#/:<>?@[\\]^`{|}", c)) return {};
    if (is_unreserved(c)) {
      name += lower(c);
    } else {
      append_encoded(name, c);
    }
    i += 2;
  }
  return name;
}

// A name in labels, of what RFC 3986 has for names. One whose last label is a number must be an address:
// "1.2.3.4.5" and "0x7f.1" are read differently by different programs.
bool valid_name(std::string_view host) {
  if (host.size() > 253) return false;
  std::string_view rest = host;
  if (!rest.empty() && rest.back() == '.') rest.remove_suffix(1);
  std::string_view label;
  for (;;) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63) return false;
    for (const char c : label) {
      if (!is_unreserved(c) && !is_sub_delimiter(c) && c != '%') return false;
    }
    if (dot == rest.npos) break;
    rest.remove_prefix(dot + 1);
  }
  const bool numeric = is_digit(label[0]) &&
                       label.find_first_not_of("0123456789xXabcdefABCDEF") == label.npos &&
                       (label.find_first_not_of("0123456789") == label.npos || label.substr(0, 2) == "0x" ||
                        label.substr(0, 2) == "0X");
  return !numeric;
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

}  // namespace

Result<Url> Url::parse(std::string_view text) { return read(text, Reading::strict); }

Result<Url> Url::read(std::string_view text, Reading reading) {
  std::string_view why = character_fault(text);
  if (!why.empty()) return malformed(text, why);
  const std::size_t colon = text.find(':');
  auto parsed = std::make_unique<Parts>();
  Parts& parts = *parsed;
  for (const char c : text.substr(0, colon == text.npos ? 0 : colon)) parts.scheme += lower(c);
  if (parts.scheme != "http" && parts.scheme != "https")
    return malformed(text, "it must begin with http:// or https://");
  if (text.substr(colon + 1, 2) != "//") return malformed(text, "no // after the scheme");
  std::string_view rest = text.substr(colon + 3);

  const std::size_t hash = rest.find('#');
  if (hash != rest.npos) {
    parts.fragment = sendable(Component::query, rest.substr(hash + 1), true, why);
    rest = rest.substr(0, hash);
  }
  const std::size_t question = rest.find('?');
  if (question != rest.npos) {
    parts.has_query = true;
    parts.query = sendable(Component::query, rest.substr(question + 1), true, why);
    rest = rest.substr(0, question);
  }
  const std::size_t slash = rest.find('/');
  const std::string_view path = slash == rest.npos ? "/" : rest.substr(slash);
  const bool lone_percent = reading == Reading::as_browsers_do;
  parts.path = without_dot_segments(sendable(Component::path, path, lone_percent, why));
  std::string_view authority = rest.substr(0, slash);

  const std::size_t at = authority.find('@');
  if (at != authority.npos) {
    if (authority.find('@', at + 1) != authority.npos) return malformed(text, "two @ before the path");
    parts.userinfo = sendable(Component::userinfo, authority.substr(0, at), false, why);
    authority = authority.substr(at + 1);
  }
  if (why.empty()) why = read_host_and_port(authority, parts);
  if (!why.empty()) return malformed(text, why);
  return Url(std::move(parsed));
}

std::string_view Url::read_host_and_port(std::string_view authority, Parts& parts) {
  std::string_view port;
  bool has_port = false;
  if (authority.substr(0, 1) == "[") {
    const std::size_t close = authority.find(']');
    if (close == authority.npos) return "no ] after the IPv6 address";
    if (!valid_ipv6(authority.substr(1, close - 1))) return "no IPv6 address between [ and ]";
    for (const char c : authority.substr(1, close - 1)) parts.host += lower(c);
    authority = authority.substr(close + 1);
    if (!authority.empty() && authority[0] != ':') return "something between ] and the port";
    has_port = !authority.empty();
    port = has_port ? authority.substr(1) : authority;
  } else {
    const std::size_t port_colon = authority.find(':');
    has_port = port_colon != authority.npos;
    const std::string_view host = authority.substr(0, port_colon);
    if (has_port) port = authority.substr(port_colon + 1);
    if (host.empty()) return "no host";
    parts.host = spelt_name(host);
    if (!valid_ipv4(parts.host) && !valid_name(parts.host))
      return "its host is neither a name nor an address";
  }
  parts.port = default_port(parts.scheme);
  if (has_port && !port.empty()) {
    const auto value = parse_number<std::uint16_t>(port);
    if (!value) return "its port is no number from 0 to 65535";
    parts.port = *value;
  }
  return {};
}

Url::Url(std::unique_ptr<Parts> parts) {
  store_.reset(new_store(0));
  store_->parts = std::move(parts);
}

ESC_NOINLINE void Url::FreeStore::drop_parts(Store& store) { store.parts.reset(); }

void Url::FreeStore::operator()(Store* store) const {
  // The last one need not say so to the others.
  if (store->users.load(std::memory_order_acquire) != 1 &&
      store->users.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  const std::size_t bytes = sizeof(Store) + store->size;
  if (store->parts) drop_parts(*store);
  escapement::detail::free_block(store, bytes);
}

inline Url::Store* Url::new_store(std::size_t text_size) {
  void* block = escapement::detail::allocate_block(sizeof(Store) + text_size);
  return ::new (block) Store{.parts = nullptr, .size = text_size};
}

void Url::take_apart() const {
  if (!store_) {  // moved from
    store_.reset(new_store(0));
    store_->parts = std::make_unique<Parts>();
    return;
  }
  Result<Url> parsed = parse({store_->text(), store_->size});
  ESC_CHECK(parsed);
  store_->parts = std::move(parsed->store_->parts);
}

namespace {

// A host, and perhaps a port, that the URL has as it stands: in lower case, no brackets.
bool is_plain_host(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view host = text.substr(0, colon);
  if (colon != text.npos) {
    const std::string_view port = text.substr(colon + 1);
    if (port.empty() || port.size() > 4) return false;  // 65535 has five digits, and so has 65536
    for (const char c : port) {
      if (!is_digit(c)) return false;
    }
  }
  if (host.empty() || host.size() > 253) return false;
  std::size_t label = 0;
  for (std::size_t i = 0; i < host.size(); ++i) {
    const char c = host[i];
    if (c == '.') {
      if (i == label || i - label > 63) return false;
      label = i + 1;
    } else if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-') {
      return false;
    }
  }
  if (label == host.size() || host.size() - label > 63) return false;
  return !is_digit(host[label]) || valid_ipv4(host);
}

// A path, and perhaps a query, that the URL has as they stand.
bool is_plain_target(std::string_view target) {
  if (target.empty() || target[0] != '/' || target.size() >= 4096) return false;
  for (std::size_t i = 1; i < target.size(); ++i) {
    if (!detail::plain_path_characters.has(target[i])) return false;
    if (target[i] == '.' && target[i - 1] == '/') return false;
  }
  return true;
}

}  // namespace

Url::Origin::Origin(bool encrypted, std::string_view host)
    : text_(encrypted ? "https://" : "http://"),
      host_at_(text_.size()),
      encrypted_(encrypted),
      plain_(is_plain_host(host)) {
  text_ += host;
}

bool Url::Origin::is(bool encrypted, std::string_view host) const {
  return encrypted == encrypted_ && detail::same(std::string_view(text_).substr(host_at_), host);
}

Result<Url> Url::of_request(const Origin& origin, std::string_view target) {
  if (!origin.plain_ || !is_plain_target(target)) return parse(origin.text_ + std::string(target));
  const std::string& before = origin.text_;
  Store* const store = new_store(before.size() + target.size());
  detail::put(detail::put(store->text(), before), target);
  return Url(store);
}

namespace {

// Returns whether it begins with a scheme: the URL standard takes "a b:c" and "1:2" for paths.
bool has_scheme(std::string_view reference) {
  const std::size_t colon = reference.find(':');
  if (colon == reference.npos || colon == 0 || !is_letter(reference[0])) return false;
  for (const char c : reference.substr(0, colon)) {
    if (!is_letter(c) && !is_digit(c) && !contains("+-.", c)) return false;
  }
  return true;
}

}  // namespace

Result<Url> Url::resolve(std::string_view reference) const {
  while (!reference.empty() && reference.front() == ' ') reference.remove_prefix(1);
  while (!reference.empty() && reference.back() == ' ') reference.remove_suffix(1);
  const bool absolute = has_scheme(reference);
  // Browsers take "/\host" and "\\host" for another host, most other programs for a path.
  const std::string_view start = reference.substr(0, 2);
  if (start == "\\\\" || start == "\\/" || start == "/\\") return malformed(reference, "a backslash");
  const std::string given = as_browsers_read(reference, absolute);
  std::string text;
  if (absolute) {
    text = given;
  } else if (given.starts_with("//")) {
    (text = scheme()) += ':';
    text += given;
  } else {
    text = origin();
    if (!userinfo().empty()) text.insert(scheme().size() + 3, userinfo() + "@");
    if (given.empty() || given[0] == '#') {
      text += target();
    } else if (given[0] == '?') {
      text += path();
    } else if (given[0] != '/') {
      text += path().substr(0, path().rfind('/') + 1);
    }
    text += given;
  }
  Result<Url> url = read(text, Reading::as_browsers_do);
  if (url && reference.find('#') == reference.npos) url->parts().fragment = fragment();
  return url;
}

std::string Url::target() const { return has_query() ? path() + '?' + query() : path(); }

std::string Url::authority() const {
  std::string text = contains(host(), ':') ? '[' + host() + ']' : host();
  if (port() != default_port(scheme())) (text += ':') += in_digits(port());
  return text;
}

std::string Url::origin() const { return scheme() + "://" + authority(); }

std::string Url::without_credentials() const { return origin() + target(); }

std::string Url::text() const {
  std::string text = scheme() + "://";
  if (!userinfo().empty()) (text += userinfo()) += '@';
  text += authority();
  text += target();
  if (!fragment().empty()) (text += '#') += fragment();
  return text;
}

std::string Url::query_parameter(std::string_view name) const {
  const auto form_decoded = [](std::string text) {
    std::replace(text.begin(), text.end(), '+', ' ');
    return percent_decoded(text);
  };
  std::string_view rest = query();
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size() == rest.size() ? rest.size() : pair.size() + 1);
    const std::size_t equals = pair.find('=');
    const std::string_view key = pair.substr(0, equals);
    const bool plain = key.find_first_of("%+") == key.npos;
    if (plain ? key != name : form_decoded(std::string(key)) != name) continue;
    return equals == pair.npos ? std::string() : form_decoded(std::string(pair.substr(equals + 1)));
  }
  return {};
}

std::string percent_decoded(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded = is_encoding(text, i);
    result += encoded ? decoded(text, i) : text[i];
    if (encoded) i += 2;
  }
  return result;
}

std::string normal_spelling(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_encoding(text, i)) {
      result += text[i];
      continue;
    }
    const char c = decoded(text, i);
    if (is_unreserved(c)) {
      result += c;
    } else {
      append_encoded(result, c);
    }
    i += 2;
  }
  return result;
}

}  // namespace escapement::http
