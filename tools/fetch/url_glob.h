// Several URLs in one: "http://host/{a,b}/[1-3].png", in curl's form.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/error.h>

namespace escapement {

// A URL of a pattern, and the texts that stand where its braces and brackets did, in order.
class GlobbedUrl {
 public:
  std::string url;
  std::vector<std::string> values;
};

constexpr std::size_t globbed_urls_max = 100'000;

// Returns the URLs of a pattern, the last place changing fastest: {a,b} is a or b; [1-3], [001-100] (with
// leading zeros) and [a-z] are ranges, with a step in [1-10:2]. A backslash takes the meaning from a brace or
// bracket; [] and the literal address of a host, such as [::1], mean nothing. Errc::invalid_argument with the
// position: a brace or bracket that is not closed or not opened, nested ones, {}, a range that is none;
// limit_exceeded: more than globbed_urls_max URLs.
Result<std::vector<GlobbedUrl>> glob_url(std::string_view pattern);

// Returns `name` with #1, #2, ... replaced by those values. Numbers without one stay as they are.
std::string with_glob_values(std::string_view name, const std::vector<std::string>& values);

}  // namespace escapement
