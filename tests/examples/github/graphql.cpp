#include "github/graphql.h"

#include <utility>

namespace escapement::github {

namespace {

std::string text_at(const Json& json, const char* name) {
  const Json* const member = find_member(json, name);
  return member != nullptr && member->is_string() ? member->get<std::string>() : std::string();
}

std::string path_of(const Json& error) {
  std::string path;
  const Json* const steps = find_member(error, "path");
  if (steps == nullptr || !steps->is_array()) return path;
  for (const Json& step : *steps) {
    if (!path.empty()) path += '.';
    path += step.is_string() ? step.get<std::string>() : http::json_text(step);
    if (path.size() > 1000) break;
  }
  return path;
}

}  // namespace

Errc GraphQlError::kind() const {
  if (type == "RATE_LIMITED" || message.starts_with("Something went wrong")) return Errc::unavailable;
  if (type == "NOT_FOUND") return Errc::not_found;
  const bool refused = type == "FORBIDDEN" || type == "INSUFFICIENT_SCOPES";
  return refused ? Errc::permission_denied : Errc::invalid_argument;
}

Result<GraphQlAnswer> GraphQlAnswer::from(Json json) {
  GraphQlAnswer answer;
  const Json* const errors = find_member(json, "errors");
  if (errors != nullptr && errors->is_array()) {
    for (const Json& item : *errors) {
      answer.errors.push_back({text_at(item, "type"), text_at(item, "message"), path_of(item)});
      if (answer.errors.size() == 100) break;
    }
  }
  const auto data = json.find("data");
  if (data == json.end() && answer.errors.empty()) {
    return Error(Errc::bad_message, "GraphQL: the response has neither 'data' nor 'errors'");
  }
  if (data != json.end()) answer.data = std::move(*data);
  return answer;
}

Result<Json> GraphQlAnswer::whole() && {
  if (errors.empty()) return std::move(data);
  const GraphQlError& first = errors.front();
  return Error(first.kind(), "GraphQL: " + (first.message.empty() ? first.type : first.message));
}

bool only_reads(std::string_view document) { return document.find("mutation") == document.npos; }

}  // namespace escapement::github
