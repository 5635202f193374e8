#include <escapement/io/http/message.h>

#include <algorithm>
#include <cstring>

#include <escapement/core/detail/in_digits.h>
#include <escapement/core/detail/room_for.h>
#include <escapement/io/http/detail/characters.h>

namespace escapement::http {

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

namespace {

// Returns where the first item of a list ends: at a comma or semicolon outside of quotes. A quote that
// nothing closes is like any other character.
std::size_t item_size(std::string_view list) {
  const auto closing = [list](std::size_t open) {
    for (std::size_t at = open + 1; at < list.size(); ++at) {
      if (list[at] == '"') return at;
      if (list[at] == '\\') ++at;
    }
    return open;
  };
  std::size_t at = 0;
  for (; at < list.size() && list[at] != ',' && list[at] != ';'; ++at) {
    if (list[at] == '"') at = closing(at);
  }
  return at;
}

}  // namespace

std::string_view list_parameter(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t end = item_size(list);
    const std::string_view item = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    const std::size_t equals = item.find('=');
    if (equals == item.npos) continue;
    if (!equal_ignoring_case(without_white_space(item.substr(0, equals)), name)) continue;
    const std::string_view value = without_white_space(item.substr(equals + 1));
    const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    return quoted ? value.substr(1, value.size() - 2) : value;
  }
  return {};
}

bool Method::safe() const {
  const std::string_view token = text();
  return token == "GET" || token == "HEAD" || token == "OPTIONS" || token == "TRACE" || token == "QUERY";
}

bool Method::idempotent() const { return safe() || text() == "PUT" || text() == "DELETE"; }

bool idempotent(const Method& method, const Headers& headers) {
  return method.idempotent() || headers.has("idempotency-key") || headers.has("x-idempotency-key");
}

inline Headers::Store* Headers::new_store(std::size_t count, std::size_t text_size) {
  const std::size_t bytes = sizeof(Store) + count * sizeof(Place) + text_size;
  ESC_CHECK(bytes <= UINT32_MAX);
  void* block = escapement::detail::allocate_block(bytes);
  return ::new (block) Store{.fields = nullptr,
                             .text_size = static_cast<std::uint32_t>(text_size),
                             .count = static_cast<std::uint32_t>(count),
                             .base = 0,
                             .lines = false,
                             .changed = false,
                             .loads = false};
}

Headers::Loader& Headers::loader_of(Store& store) {
  Loader* loader;
  std::memcpy(&loader, static_cast<const void*>(store.places()), sizeof loader);
  return *loader;
}

Headers Headers::loaded_by(std::unique_ptr<Loader> loader) {
  Headers headers;
  headers.store_.reset(new_store(1, 0));
  Store& store = *headers.store_;
  store.changed = store.loads = true;
  Loader* const kept = loader.release();
  std::memcpy(static_cast<void*>(store.places()), &kept, sizeof kept);
  return headers;
}

ESC_NOINLINE void Headers::FreeStore::drop_fields(Store& store) {
  if (store.loads) delete &loader_of(store);
  store.fields.reset();
}

void Headers::FreeStore::operator()(Store* store) const {
  const std::size_t bytes = store->bytes();
  if (store->fields || store->changed) drop_fields(*store);
  escapement::detail::free_block(store, bytes);
}

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  if (fields.size() == 0) return;
  std::size_t size = 0;
  for (const auto& [name, value] : fields) size += name.size() + value.size() + 4;
  store_.reset(new_store(fields.size(), size));
  Store& store = *store_;
  store.lines = true;
  Place* place = store.places();
  char* const text = store.text();
  char* at = text;
  for (const auto& [name, value] : fields) {
    const auto name_at = static_cast<std::uint32_t>(at - text);
    const auto name_size = static_cast<std::uint32_t>(name.size());
    const auto value_size = static_cast<std::uint32_t>(value.size());
    *place++ = {name_at, name_size, name_at + name_size + 2, value_size};
    at = detail::put(detail::put(at, name), ": ");
    at = detail::put(detail::put(at, value), "\r\n");
  }
}

Headers::Headers(const Headers& other) {
  if (!other.store_) return;
  if (other.store_->changed) {
    store_.reset(new_store(0, 0));
    store_->changed = true;
    store_->fields = std::make_unique<std::vector<Field>>(other.fields());
    return;
  }
  Store& from = *other.store_;
  store_.reset(new_store(from.count, from.text_size));
  Store& store = *store_;
  store.base = from.base;
  store.lines = from.lines;
  const std::size_t bytes = from.bytes() - sizeof(Store);
  detail::put(reinterpret_cast<char*>(store.places()), {reinterpret_cast<char*>(from.places()), bytes});
}

Headers Headers::received(std::span<const Place> places, std::string_view text) {
  Headers headers;
  if (places.empty()) return headers;
  const std::uint32_t from = places.front().name_at;
  headers.store_.reset(new_store(places.size(), places.back().value_at + places.back().value_size - from));
  Store& store = *headers.store_;
  store.base = from;
  std::memcpy(store.places(), places.data(), places.size_bytes());
  detail::put(store.text(), text.substr(from, store.text_size));
  return headers;
}

// Each as a std::string. Views on the text stay good.
std::vector<Headers::Field>& Headers::fields() const {
  if (Loader* const waiting = loader()) {
    store_->fields = std::make_unique<std::vector<Field>>(waiting->all());
  } else if (!store_->fields) {
    auto fields = std::make_unique<std::vector<Field>>();
    fields->reserve(store_->count);
    each([&fields](std::string_view name, std::string_view value) {
      fields->emplace_back(std::string(name), std::string(value));
    });
    store_->fields = std::move(fields);
  }
  return *store_->fields;
}

std::vector<Headers::Field>& Headers::fields_to_change() {
  if (!store_) store_.reset(new_store(0, 0));
  std::vector<Field>& changing = fields();
  store_->changed = true;
  return changing;
}

const std::string* Headers::get(std::string_view name) const {
  if (Loader* const waiting = loader()) return waiting->get(name);
  if (!has(name)) return nullptr;
  for (const Field& field : fields()) {
    if (equal_ignoring_case(field.name, name)) return &field.value;
  }
  return nullptr;
}

std::string_view Headers::get_or(std::string_view name, std::string_view otherwise) const {
  if (Loader* const waiting = loader()) {
    const std::string* const value = waiting->get(name);
    return value != nullptr ? std::string_view(*value) : otherwise;
  }
  std::optional<std::string_view> found;
  each([&](std::string_view n, std::string_view value) {
    if (!found && equal_ignoring_case(n, name)) found = value;
  });
  return found.value_or(otherwise);
}

std::optional<std::string> Headers::joined(std::string_view name) const {
  std::optional<std::string> values;
  if (Loader* const waiting = loader(); waiting != nullptr && waiting->get(name) == nullptr) return values;
  each([&](std::string_view n, std::string_view value) {
    if (!equal_ignoring_case(n, name)) return;
    if (values) {
      (*values += ", ") += value;
    } else {
      values = std::string(value);
    }
  });
  return values;
}

std::size_t Headers::count(std::string_view name) const {
  if (Loader* const waiting = loader(); waiting != nullptr && waiting->get(name) == nullptr) return 0;
  std::size_t count = 0;
  each([&](std::string_view n, std::string_view) { count += equal_ignoring_case(n, name) ? 1 : 0; });
  return count;
}

void Headers::set(std::string_view name, std::string_view value) {
  Field field{std::string(name), std::string(value)};  // they may be views on what is removed
  remove(field.name);
  fields_to_change().push_back(std::move(field));
}

void Headers::add(std::string name, std::string value) {
  fields_to_change().emplace_back(std::move(name), std::move(value));
}

std::size_t Headers::remove(std::string_view name) {
  if (!has(name)) return 0;
  const std::string removed(name);  // it may be a view on what moves
  return std::erase_if(fields_to_change(),
                       [&removed](const Field& field) { return equal_ignoring_case(field.name, removed); });
}

void Body::FreeContent::operator()(Content* content) const { delete content; }

Body Body::copy() const {
  ESC_CHECK(replayable());
  return Body(bytes());
}

Task<std::string> Body::read() {
  if (content_ && content_->source) return content_->source->read();
  return [](Body& body) -> Task<std::string> {
    if (!body.content_ || std::exchange(body.content_->bytes_taken, true)) co_return std::string();
    co_return body.content_->bytes;
  }(*this);
}

namespace {

// Makes room for `more` bytes, as std::string would: false where there is no memory for them.
bool grow(std::string& text, std::size_t more) {
  const std::size_t needed = text.size() + more;
  if (needed <= text.capacity()) return true;
  const std::size_t twice = 2 * text.capacity();
  if (twice > needed && room_for(twice + 1)) {
    text.reserve(twice);
    return true;
  }
  if (!room_for(needed + 1)) return false;
  text.reserve(needed);
  return true;
}

}  // namespace

Task<std::string> Body::text(std::size_t max) {
  std::string all;
  if (replayable() && bytes().size() <= max) {
    if (content_ && !std::exchange(content_->bytes_taken, true)) all = content_->bytes;
    co_return std::move(all);
  }
  for (;;) {
    std::string more = co_await read();
    if (more.empty()) co_return std::move(all);
    if (more.size() > max - all.size()) {
      co_return Error(Errc::limit_exceeded,
                      "body of more than " + in_digits(static_cast<std::int64_t>(max)) + " bytes");
    }
    if (all.empty()) {
      all = std::move(more);
    } else if (grow(all, more.size())) {
      all += more;
    } else {
      co_return Error::out_of_memory();
    }
  }
}

void Body::attach(std::unique_ptr<BodyAttachment> guard) {
  if (!content_) content_.reset(new Content(std::string()));
  guard->next_ = std::move(content_->guards);
  content_->guards = std::move(guard);
}

void Body::take_attachments(Body& other) {
  if (!other.content_ || !other.content_->guards) return;
  if (!content_) content_.reset(new Content(std::string()));
  std::unique_ptr<BodyAttachment>* last = &other.content_->guards;
  while (*last) last = &(*last)->next_;
  *last = std::move(content_->guards);
  content_->guards = std::move(other.content_->guards);
}

Headers Body::trailers() { return replayable() ? Headers() : content_->source->trailers(); }

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
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

int error_status(const Error& error) {
  return error == Errc::timed_out || error == Errc::overloaded ? 503 : 500;
}

Request get(std::string_view url) {
  Result<Url> parsed = Url::parse(url);
  ESC_CHECK(parsed);
  return Request(Method::get(), *std::move(parsed));
}

void RequestContext::free(Record* record) { delete record; }

Result<> RequestContext::inform(int status, const Headers& fields) const {
  if (record_ == nullptr) return {};
  if (record_->connection == nullptr) return Error(Errc::cancelled, "the request is over");
  return record_->connection->inform(status, fields);
}

}  // namespace escapement::http
