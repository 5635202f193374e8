// The challenges of a WWW-Authenticate field (RFC 9110 section 11.6.1).

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

struct Challenge {
  std::string scheme;                                           // as it was sent: compare ignoring case
  std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case, values without quotes

  // Returns the value of the first parameter of that name, in lower case; empty if there is none.
  std::string_view get(std::string_view name) const;
};

// Returns the challenges of all fields named `field`, in order. What is malformed ends its field's
// challenges.
std::vector<Challenge> challenges_of(const Headers& headers, std::string_view field);

}  // namespace escapement::http::detail
