// Accept-Encoding (RFC 9110 section 12.5.3): whether an answer may come compressed by gzip. Pure.

#pragma once

#include <escapement/io/http/message.h>

namespace escapement::http {

enum class GzipPreference {
  refused,   // not asked for, refused, or liked less than no coding
  welcome,   // either will do
  required,  // "identity;q=0": only a coding will do
};

// "x-gzip" is gzip; "*" stands for what is not named; an element that is malformed counts as not there.
GzipPreference gzip_preference(const Headers& request_headers);

}  // namespace escapement::http
