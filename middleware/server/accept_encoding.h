// Accept-Encoding (RFC 9110 section 12.5.3): whether the client accepts a response compressed by gzip. Pure.

#pragma once

#include <escapement/io/http/message.h>

namespace escapement::http {

// A client's preference.
enum class GzipPreference {
  refused,   // not requested, refused, or less preferred than identity
  welcome,   // both are acceptable
  required,  // "identity;q=0": only a coding is acceptable
};

// Returns the client's preference. "x-gzip" counts as gzip; "*" stands for codings that are not named;
// malformed elements are ignored.
GzipPreference gzip_preference(const Headers& request_headers);

}  // namespace escapement::http
