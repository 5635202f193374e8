#include <escapement/io/http/message.h>

#include <cstring>

#include <escapement/io/http/characters.h>

namespace escapement::http {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && detail::lower(a[i]) != detail::lower(b[i])) return false;
  }
  return true;
}

std::string_view without_white_space(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool list_contains(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (equal_ignoring_case(without_white_space(list.substr(0, comma)), token)) return true;
    list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
  }
  return false;
}

bool Method::safe() const {
  return token_ == "GET" || token_ == "HEAD" || token_ == "OPTIONS" || token_ == "TRACE" || token_ == "QUERY";
}

bool Method::idempotent() const { return safe() || token_ == "PUT" || token_ == "DELETE"; }

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  fields_.reserve(fields.size());
  for (const auto& [name, value] : fields) fields_.emplace_back(std::string(name), std::string(value));
}

Headers Headers::received(std::span<const Place> places, std::string_view text) {
  Headers headers;
  if (places.empty()) return headers;
  const std::size_t bytes = sizeof(Received) + places.size_bytes() + text.size();
  void* block = escapement::detail::allocate_block(bytes);
  headers.received_.reset(::new (block) Received{bytes, static_cast<std::uint32_t>(places.size())});
  char* at = static_cast<char*>(block) + sizeof(Received);
  std::memcpy(at, places.data(), places.size_bytes());
  std::memcpy(at + places.size_bytes(), text.data(), text.size());
  return headers;
}

void Headers::unpack() const {
  const char* at = reinterpret_cast<const char*>(received_.get()) + sizeof(Received);
  const char* text = at + received_->count * sizeof(Place);
  fields_.reserve(received_->count);
  for (std::uint32_t i = 0; i < received_->count; ++i, at += sizeof(Place)) {
    Place place;
    std::memcpy(&place, at, sizeof place);
    fields_.emplace_back(std::string(text + place.name_at, place.name_size),
                         std::string(text + place.value_at, place.value_size));
  }
  received_.reset();
}

const std::string* Headers::get(std::string_view name) const {
  for (const Field& field : fields()) {
    if (equal_ignoring_case(field.name, name)) return &field.value;
  }
  return nullptr;
}

std::string_view Headers::get_or(std::string_view name, std::string_view otherwise) const {
  const std::string* value = get(name);
  return value != nullptr ? std::string_view(*value) : otherwise;
}

std::optional<std::string> Headers::joined(std::string_view name) const {
  std::optional<std::string> values;
  for (const Field& field : fields()) {
    if (!equal_ignoring_case(field.name, name)) continue;
    if (values) {
      (*values += ", ") += field.value;
    } else {
      values = field.value;
    }
  }
  return values;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t count = 0;
  for (const Field& field : fields()) count += equal_ignoring_case(field.name, name) ? 1 : 0;
  return count;
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(std::string(name), std::string(value));
}

void Headers::add(std::string name, std::string value) {
  fields().emplace_back(std::move(name), std::move(value));
}

std::size_t Headers::remove(std::string_view name) {
  return std::erase_if(fields(),
                       [name](const Field& field) { return equal_ignoring_case(field.name, name); });
}

Body Body::copy() const {
  ESC_CHECK(replayable());
  return Body(bytes_);
}

std::optional<std::uint64_t> Body::length() const {
  if (source_) return source_->length();
  return bytes_.size();
}

Task<std::string> Body::read() {
  if (source_) return source_->read();
  return [](Body& body) -> Task<std::string> {
    if (std::exchange(body.bytes_taken_, true)) co_return std::string();
    co_return body.bytes_;
  }(*this);
}

Task<std::string> Body::text(std::size_t max) {
  std::string all;
  for (;;) {
    std::string more = co_await read();
    if (more.empty()) co_return std::move(all);
    if (more.size() > max - all.size()) {
      co_return Error(Errc::limit_exceeded, "body of more than " + std::to_string(max) + " bytes");
    }
    if (all.empty()) {
      all = std::move(more);
    } else {
      all += more;
    }
  }
}

void Body::hold(std::unique_ptr<BodyGuard> guard) {
  guard->next_ = std::move(guards_);
  guards_ = std::move(guard);
}

void Body::hold_what(Body& other) {
  std::unique_ptr<BodyGuard>* last = &other.guards_;
  while (*last) last = &(*last)->next_;
  *last = std::move(guards_);
  guards_ = std::move(other.guards_);
}

Headers Body::trailers() { return source_ ? source_->trailers() : Headers(); }

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 511: return "Network Authentication Required";
    default: return "";
  }
}

Request get(std::string_view url) {
  Result<Url> parsed = Url::parse(url);
  ESC_CHECK(parsed);
  return Request(Method::get(), *std::move(parsed));
}

}  // namespace escapement::http
