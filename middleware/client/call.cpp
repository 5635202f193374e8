#include <escapement/middleware/client/call.h>

#include <utility>

#include <escapement/core/detail/in_digits.h>
#include <escapement/core/reactor.h>
#include <escapement/io/http/basic_credentials.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

Errc kind_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407: return Errc::permission_denied;
    case 404:
    case 410: return Errc::not_found;
    case 408:
    case 429: return Errc::unavailable;
    default: break;
  }
  if (status >= 500) return Errc::unavailable;
  return status >= 400 ? Errc::invalid_argument : Errc::bad_message;
}

// The first line of a text, if a person can read it.
std::string readable(std::string_view text) {
  std::string line;
  for (const char c : text.substr(0, 200)) {
    if (c == '\n' || c == '\r') break;
    line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return line;
}

Task<std::string> beginning_of(Body& body) {
  std::string text;
  while (text.size() < 1 * KiB) {
    const std::string piece = co_await body.read();
    if (piece.empty()) break;
    text += piece;
  }
  co_return text;
}

const escapement::detail::LimitName whole_call{TimeLimit::overall, "the call did not end"};

}  // namespace

Task<> fail_by_status(std::string what, Response response) {
  std::string sentence = what + ": " + in_digits(response.status);
  const std::string_view phrase = reason_phrase(response.status);
  if (!phrase.empty()) sentence += ' ' + std::string(phrase);
  const Result<std::string> beginning = co_await beginning_of(response.body).result();
  const std::string line = beginning ? readable(*beginning) : std::string();
  if (!line.empty()) sentence += ": " + line;
  co_await Error(kind_of_status(response.status), std::move(sentence));
}

// Everything that a sending task needs; it outlives the Call.
struct Call::Prepared {
  Prepared(Service s, Result<Request> r, Duration l, bool any, std::string w)
      : service(std::move(s)), request(std::move(r)), limit(l), any_status(any), what(std::move(w)) {}

  Service service;
  Result<Request> request;
  std::optional<Multipart> parts;
  Duration limit;
  bool any_status;
  std::string what;
};

Call::Call(Service service, Method method, Result<Url> url)
    : service_(std::move(service)), method_(std::move(method)) {
  if (url) {
    url_ = *std::move(url);
  } else {
    mistake_ = std::move(url).error();
  }
}

void Call::mistake(std::string sentence) {
  if (!mistake_) mistake_ = Error(Errc::invalid_argument, std::move(sentence));
}

std::string Call::what() const {
  return std::string(method_.text()) + ' ' + (url_ ? url_->without_credentials() : "a URL that is none");
}

Call& Call::header(std::string_view name, std::string_view value) {
  headers_.set(name, value);
  return *this;
}

void Call::header_by_default(std::string_view name, std::string_view value) {
  if (!headers_.has(name)) headers_.set(name, value);
}

Call& Call::bearer(std::string_view token) { return header("Authorization", "Bearer " + std::string(token)); }

Call& Call::basic(std::string_view user, std::string_view password) {
  Result<std::string> credentials = basic_credentials(user, password);
  if (credentials) return header("Authorization", *credentials);
  mistake(credentials.error().message());
  return *this;
}

Call& Call::body(Body content, std::string_view content_type) {
  if (std::exchange(has_body_, true)) mistake(what() + " was given two bodies");
  body_ = std::move(content);
  if (!content_type.empty()) header_by_default("Content-Type", content_type);
  return *this;
}

Call& Call::form(const Query& pairs) { return body(pairs.text(), "application/x-www-form-urlencoded"); }

Call& Call::form(Multipart parts) {
  body(Body(), {});
  parts_ = std::move(parts);
  return *this;
}

Call& Call::timeout(Duration limit) {
  if (limit <= Duration()) mistake(what() + " was given a time limit of nothing");
  limit_ = limit;
  return *this;
}

Call& Call::any_status() {
  any_status_ = true;
  return *this;
}

Call::Prepared Call::take() {
  std::string name = what();
  if (mistake_)
    return Prepared(service_, *std::exchange(mistake_, std::nullopt), limit_, any_status_, std::move(name));
  if (!url_) {
    const Error again(Errc::invalid_argument, "a Call is sent once; make another one");
    return Prepared(service_, again, limit_, any_status_, std::move(name));
  }
  Result<Url> url = with_query(*url_, query_);
  url_.reset();
  if (!url) return Prepared(service_, std::move(url).error(), limit_, any_status_, std::move(name));
  Request request(method_, *std::move(url), std::move(headers_), std::move(body_));
  Prepared prepared(service_, std::move(request), limit_, any_status_, std::move(name));
  prepared.parts = std::move(parts_);
  return prepared;
}

Task<Response> Call::sent(Prepared prepared) {
  Request request = co_await std::move(prepared.request);
  if (prepared.parts) {
    Reactor& reactor = co_await this_reactor;
    Result<Multipart::Encoded> encoded = (*std::move(prepared.parts)).encode(reactor.random());
    if (!encoded) co_return std::move(encoded).error();
    request.headers.set("Content-Type", "multipart/form-data; boundary=" + encoded->boundary);
    request.body = std::move(encoded->body);
  }
  Response response = co_await prepared.service(std::move(request));
  co_return std::move(response);
}

Task<std::string> Call::read(Prepared prepared, std::size_t max) {
  const bool any_status = prepared.any_status;
  const std::string name = prepared.what;
  Response response = co_await sent(std::move(prepared));
  if (!any_status && (response.status < 200 || response.status > 299)) {
    co_await fail_by_status(name, std::move(response));
  }
  std::string text = co_await response.body.text(max);
  co_return std::move(text);
}

Task<Response> Call::send() {
  Prepared prepared = take();
  const Duration limit = prepared.limit;
  return escapement::detail::within(limit, whole_call, sent(std::move(prepared)));
}

Task<std::string> Call::text(std::size_t max) {
  Prepared prepared = take();
  const Duration limit = prepared.limit;
  return escapement::detail::within(limit, whole_call, read(std::move(prepared), max));
}

Task<> Call::drop(Prepared prepared) {
  const bool any_status = prepared.any_status;
  const std::string name = prepared.what;
  Response response = co_await sent(std::move(prepared));
  if (!any_status && (response.status < 200 || response.status > 299)) {
    co_await fail_by_status(name, std::move(response));
  }
  for (std::string piece = "."; !piece.empty();) piece = co_await response.body.read();
}

Task<> Call::nothing() {
  Prepared prepared = take();
  const Duration limit = prepared.limit;
  return escapement::detail::within(limit, whole_call, drop(std::move(prepared)));
}

Calls::Calls(Service service, std::string_view base) : service_(std::move(service)) {
  if (!base.empty()) base_ = Url::parse(base);
}

Call Calls::call(Method method, std::string_view url) const {
  if (!base_) return Call(service_, std::move(method), Url::parse(url));
  if (!*base_) return Call(service_, std::move(method), *base_);
  return Call(service_, std::move(method), (**base_).resolve(url));
}

}  // namespace escapement::http
