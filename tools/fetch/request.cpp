#include "tools/fetch/request.h"

#include <algorithm>
#include <utility>

#include <escapement/io/http/basic_credentials.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/middleware/client/query.h>

#include "tools/fetch/files.h"
#include "tools/fetch/form.h"

namespace escapement {

namespace {

// Handles one line of -H: adds a header field, or records one that must not be sent.
Result<> add_header(http::Headers& headers, std::vector<std::string>& left_out, const std::string& line) {
  std::size_t colon = line.find(':');
  const bool empty = colon == line.npos && line.ends_with(';');
  if (empty) colon = line.size() - 1;
  if (colon == line.npos) return Error(Errc::invalid_argument, "-H \"" + line + "\" has no colon");
  const std::string name = line.substr(0, colon);
  const std::size_t at = line.find_first_not_of(" \t", colon + 1);
  const std::string value = at == line.npos ? "" : line.substr(at);
  if (!http::is_token(name) || !http::is_field_value(value)) {
    return Error(Errc::invalid_argument,
                 "-H: \"" + name + "\" is not a valid header field name, or its value is invalid");
  }
  if (value.empty() && !empty) {
    left_out.push_back(name);
  } else {
    headers.add(name, value);
  }
  return {};
}

// Handles one -H, which may be "@FILE": a field in each of its lines.
Result<> add_headers(http::Headers& headers, std::vector<std::string>& left_out, const std::string& given) {
  if (!given.starts_with('@')) return add_header(headers, left_out, given);
  const Result<std::string> text = read_file(given.substr(1));
  if (!text) return text.error();
  for (std::string_view rest = *text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string line(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    Result<> added = add_header(headers, left_out, line);
    if (!added) return added;
  }
  return {};
}

// Encodes as forms do, where '+' is a space.
std::string form_encoded(std::string_view text) {
  std::string encoded = http::percent_encoded(text);
  for (std::size_t at = 0; (at = encoded.find("%20", at)) != encoded.npos; ++at) encoded.replace(at, 3, "+");
  return encoded;
}

// "content", "=content", "name=content", "@file", "name@file".
Result<std::string> encoded_piece(const std::string& value) {
  const std::size_t mark = value.find_first_of("=@");
  if (mark == value.npos) return form_encoded(value);
  const std::string name = value.substr(0, mark);
  std::string content = value.substr(mark + 1);
  if (value[mark] == '@') {
    Result<std::string> read = read_file(content);
    if (!read) return read;
    content = *std::move(read);
  }
  return (name.empty() ? "" : name + '=') + form_encoded(content);
}

Result<std::string> piece_of(const DataPiece& piece) {
  using Kind = DataPiece::Kind;
  if (piece.kind == Kind::encoded) return encoded_piece(piece.value);
  if (piece.kind == Kind::raw || !piece.value.starts_with('@')) return piece.value;
  Result<std::string> read = read_file(piece.value.substr(1));
  if (read && piece.kind == Kind::text) {
    std::erase_if(*read, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  }
  return read;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

Error both(const char* one, const char* other) {
  return Error(Errc::invalid_argument, std::string("choose one of ") + one + " and " + other);
}

}  // namespace

Result<http::Url> url_of(std::string text) {
  const std::size_t scheme_end = text.find("://");
  const bool has_scheme = scheme_end != text.npos && scheme_end < text.find_first_of("/?#");
  if (!has_scheme) text.insert(0, "http://");
  const Result<http::Url> anywhere = http::Url::parse("http://localhost/");
  return anywhere->resolve(text);
}

Result<> RequestParts::read_data() {
  using Kind = DataPiece::Kind;
  for (const DataPiece& piece : options_->data) {
    if (piece.kind == Kind::form || piece.kind == Kind::form_text) {
      has_form_ = true;
      continue;
    }
    Result<std::string> read = piece_of(piece);
    if (!read) return std::move(read).error();
    if (has_data_ && piece.kind != Kind::json) data_ += '&';
    is_json_ = is_json_ || piece.kind == Kind::json;
    has_data_ = true;
    data_ += *read;
  }
  if (has_data_ && has_form_) return both("-d", "-F");
  const bool sends = (has_data_ || has_form_) && !options_->data_in_query;
  if (sends && options_->head) return both("-I", has_form_ ? "-F" : "-d");
  if (sends && !options_->uploads.empty()) return both("-T", has_form_ ? "-F" : "-d");
  if (options_->data_in_query && has_form_) return both("-G", "-F");
  for (const char* option :
       {options_->head ? "-I" : nullptr, options_->data_in_query ? "-G" : nullptr,
        options_->range.empty() ? nullptr : "-r", options_->continue_at.empty() ? nullptr : "-C"}) {
    if (option != nullptr && !options_->uploads.empty()) return both("-T", option);
  }
  if (options_->data_in_query) query_ = data_;
  for (const std::string& given : options_->url_queries) {
    Result<std::string> more = given.starts_with('+') ? given.substr(1) : encoded_piece(given);
    if (!more) return std::move(more).error();
    query_ += (query_.empty() ? "" : "&") + *more;
  }
  if (!options_->continue_at.empty() && !options_->range.empty()) return both("-C", "-r");
  return {};
}

Result<> RequestParts::read_headers() {
  const FetchOptions& options = *options_;
  if (!options.method.empty() && !http::is_token(options.method)) {
    return Error(Errc::invalid_argument, "-X \"" + options.method + "\" is not a valid method");
  }
  for (const std::string& line : options.headers) {
    Result<> added = add_headers(headers_, left_out_, line);
    if (!added) return added;
  }
  const auto by_default = [this](const char* name, const std::string& value) {
    if (!headers_.has(name) && !value.empty()) headers_.add(name, value);
  };
  for (const std::string* value : {&options.agent, &options.referer, &options.range}) {
    if (!http::is_field_value(*value)) {
      return Error(Errc::invalid_argument, "a value of -A, -e or -r has a control character");
    }
  }
  if (!http::is_field_value(options.bearer))
    return Error(Errc::invalid_argument, "the value of --oauth2-bearer has a control character");
  std::string cookies;
  for (const std::string& cookie : options.cookies) cookies += (cookies.empty() ? "" : "; ") + cookie;
  if (!http::is_field_value(cookies))
    return Error(Errc::invalid_argument, "a value of -b has a control character");
  by_default("Cookie", cookies);
  if (!options.bearer.empty()) by_default("Authorization", "Bearer " + options.bearer);
  if (!options.user.empty() && !headers_.has("Authorization") && !options.digest) {
    const std::size_t colon = std::min(options.user.find(':'), options.user.size());
    const std::string password = colon < options.user.size() ? options.user.substr(colon + 1) : "";
    Result<std::string> basic = http::basic_credentials(options.user.substr(0, colon), password);
    if (!basic) return std::move(basic).error().context("-u");
    headers_.set("Authorization", *basic);
  }
  if (!options.range.empty())
    by_default("Range", "bytes=" + options.range + (is_number(options.range) ? "-" : ""));
  by_default("User-Agent", options.agent);
  by_default("Accept", is_json_ ? "application/json" : "*/*");
  std::string referer = options.referer;
  if (referer.ends_with(";auto")) referer.resize(referer.size() - 5);
  by_default("Referer", referer);
  if (has_data_ && !options.data_in_query) {
    by_default("Content-Type", is_json_ ? "application/json" : "application/x-www-form-urlencoded");
  }
  for (const std::string& name : left_out_) headers_.remove(name);
  return {};
}

Result<RequestParts> RequestParts::make(const FetchOptions& options) {
  RequestParts parts(options);
  Result<> data = parts.read_data();
  if (!data) return std::move(data).error();
  Result<> headers = parts.read_headers();
  if (!headers) return std::move(headers).error();
  if (parts.has_form_) {  // a mistake ends the program before anything is sent
    Result<http::Multipart> form = form_of(options);
    if (!form) return std::move(form).error();
    parts.form_ = std::make_unique<http::Multipart>(*std::move(form));
  }
  return parts;
}

Result<http::Body> RequestParts::body(std::size_t number, Random& random, http::Headers& headers) {
  if (number < options_->uploads.size()) return file_to_send(options_->uploads[number]);
  if (has_data_ && !options_->data_in_query) return http::Body(data_);
  if (!has_form_) return http::Body();
  Result<http::Multipart> form = Error::cancelled();
  if (form_) {
    form = std::move(*std::exchange(form_, nullptr));
  } else {
    form = form_of(*options_);
  }
  if (!form) return std::move(form).error();
  Result<http::Multipart::Encoded> encoded = (*std::move(form)).encode(random);
  if (!encoded) return std::move(encoded).error();
  const bool omitted = std::ranges::any_of(
      left_out_, [](const std::string& name) { return equal_ignoring_case(name, "content-type"); });
  const std::string type(headers.get_or("content-type", omitted ? "" : "multipart/form-data"));
  if (lower(type).starts_with("multipart/") && lower(type).find("boundary=") == type.npos)
    headers.set("Content-Type", type + "; boundary=" + encoded->boundary);
  return std::move(encoded->body);
}

bool RequestParts::sends_standard_input(std::size_t number) const {
  if (number < options_->uploads.size()) return options_->uploads[number] == "-";
  return std::ranges::any_of(options_->data, [](const DataPiece& piece) {
    const std::size_t equals = piece.value.find('=');
    const std::string_view value = std::string_view(piece.value).substr(std::min(equals, piece.value.size()));
    return piece.kind == DataPiece::Kind::form && (value.starts_with("=@-") || value.starts_with("=<-"));
  });
}

Result<http::Request> RequestParts::request(std::size_t number, http::Url url, Random& random) {
  http::Headers headers = headers_;
  if (!url.userinfo().empty() && !headers.has("authorization") && !options_->digest) {
    const std::string& pair = url.userinfo();
    const std::size_t colon = std::min(pair.find(':'), pair.size());
    const std::string password = colon < pair.size() ? http::percent_decoded(pair.substr(colon + 1)) : "";
    Result<std::string> basic =
        http::basic_credentials(http::percent_decoded(pair.substr(0, colon)), password);
    if (!basic) return std::move(basic).error();
    headers.set("Authorization", *basic);
  }
  if (!query_.empty()) {
    Result<http::Url> longer = url.resolve('?' + url.query() + (url.query().empty() ? "" : "&") + query_);
    if (!longer) return std::move(longer).error().context("-G");
    url = *std::move(longer);
  }
  const bool uploads = number < options_->uploads.size();
  if (uploads && url.path().ends_with('/') && options_->uploads[number] != "-") {
    const std::string& file = options_->uploads[number];
    const std::string query = url.has_query() ? '?' + url.query() : std::string();
    Result<http::Url> named =
        url.resolve("./" + http::percent_encoded(file.substr(file.rfind('/') + 1)) + query);
    if (!named) return std::move(named).error().context("-T");
    url = *std::move(named);
  }
  Result<http::Body> content = body(number, random, headers);
  if (!content) return std::move(content).error();
  std::string method = options_->method;
  if (method.empty()) {
    const bool posts = (has_data_ && !options_->data_in_query) || has_form_;
    method = options_->head ? "HEAD" : uploads ? "PUT" : posts ? "POST" : "GET";
  }
  return http::Request(method, std::move(url), std::move(headers), *std::move(content));
}

}  // namespace escapement
