// The answers of GitHub's GraphQL API, which has its own way to fail: with the status 200, and perhaps with a
// part of the data.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "github/fields.h"

namespace escapement::github {

struct GraphQlError {
  // Returns the kind of the Error that stands for it: unavailable for RATE_LIMITED and for GitHub's
  // "Something went wrong", not_found for NOT_FOUND, permission_denied for FORBIDDEN and
  // INSUFFICIENT_SCOPES, else invalid_argument.
  Errc kind() const;

  std::string type;  // "NOT_FOUND"; empty for a query that is malformed
  std::string message;
  std::string path;  // of the member that is null because of it: "repository.issues.0"
};

struct GraphQlAnswer {
  // Reads an answer. Errc::bad_message if it has neither data nor errors.
  static Result<GraphQlAnswer> from(Json json);

  // Returns the data, or the first error.
  Result<Json> whole() &&;

  Json data;  // null if there is none
  std::vector<GraphQlError> errors;
};

// Returns whether a document only reads, so that it may be sent twice: it has no word "mutation". May be
// false for one that does.
bool only_reads(std::string_view document);

}  // namespace escapement::github
