#include "github/api_error.h"

#include <escapement/middleware/client/retry_policy.h>

#include "github/fields.h"

namespace escapement::github {

namespace {

std::string text_of(const Json& json, const char* name) {
  const Json* const member = find_member(json, name);
  return member != nullptr && member->is_string() ? member->get<std::string>() : std::string();
}

// GitHub sends objects; a few endpoints send texts, or one text in place of the list.
void read_errors(const Json& json, ApiError& error) {
  const Json* const errors = find_member(json, "errors");
  if (errors == nullptr || errors->is_object()) return;
  for (const Json& item : *errors) {
    FieldError one;
    one.resource = text_of(item, "resource");
    one.field = text_of(item, "field");
    one.code = text_of(item, "code");
    one.message = item.is_string() ? item.get<std::string>() : text_of(item, "message");
    error.errors.push_back(std::move(one));
    if (error.errors.size() == 100) break;
  }
}

bool says_limit(const ApiError& error) {
  const auto has = [&](std::string_view words) { return error.message.find(words) != std::string::npos; };
  return has("secondary rate") || has("rate limit exceeded") || has("abuse detection") ||
         error.documentation_url.ends_with("secondary-rate-limits");
}

std::string in_brackets(const std::vector<FieldError>& errors) {
  std::string text;
  for (const FieldError& error : errors) {
    text += text.empty() ? " (" : ", ";
    text += error.resource;
    if (!error.field.empty()) text += (error.resource.empty() ? "" : ".") + error.field;
    const std::string& why = error.message.empty() ? error.code : error.message;
    if (!why.empty()) text += (error.resource.empty() && error.field.empty() ? "" : ": ") + why;
  }
  return text.empty() ? text : text + ')';
}

// One line of at most `length_max` bytes that a terminal can show.
std::string shown(std::string text) {
  constexpr std::size_t length_max = 500;
  if (text.size() > length_max) text.replace(length_max, text.npos, "...");
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

}  // namespace

ApiError ApiError::read(int status, const http::Headers& headers, const std::string& body, SystemTime now) {
  ApiError error;
  error.status = status;
  error.request_id = headers.get_or("X-GitHub-Request-Id", "");
  if (const Result<Json> json = http::parse_json(body); json) {
    error.message = text_of(*json, "message");
    error.documentation_url = text_of(*json, "documentation_url");
    read_errors(*json, error);
  }
  if (error.message.empty() && !error.errors.empty()) error.message = error.errors.front().message;
  const bool may_limit = status == 403 || status == 429;
  const bool used_up = headers.get_or("X-RateLimit-Remaining", "") == "0";
  error.is_limit =
      status == 429 || (may_limit && (used_up || headers.has("Retry-After") || says_limit(error)));
  const http::Response head(status, headers, http::Body());
  if (may_limit || status >= 500) error.wait = http::decide(true, http::Attempt(head), now).server_delay;
  return error;
}

Errc ApiError::kind() const {
  if (is_limit || status == 408 || status >= 500) return Errc::unavailable;
  if (status == 401 || status == 403 || status == 407 || status == 451) return Errc::permission_denied;
  if (status == 404 || status == 410) return Errc::not_found;
  return status >= 400 ? Errc::invalid_argument : Errc::bad_message;
}

Error ApiError::as_error(std::string_view what) const {
  std::string sentence = std::string(what) + ": " + std::to_string(status);
  const std::string_view phrase = http::reason_phrase(status);
  if (!message.empty()) {
    sentence += ' ' + message;
  } else if (!phrase.empty()) {
    sentence += ' ' + std::string(phrase);
  }
  return Error(kind(), shown(sentence + in_brackets(errors)));
}

}  // namespace escapement::github
