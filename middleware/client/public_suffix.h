// is_public_suffix: whether a domain belongs to everybody below it, such as "co.uk" and "github.io".

#pragma once

#include <string_view>

namespace escapement::http {

// Returns whether no cookie may be set for `domain`, in lower case and ASCII, because its subdomains belong
// to different owners (https://publicsuffix.org). A build with ESC_PSL asks libpsl's list, private domains
// included; one without knows no list, and takes every domain of a single label ("com", "localhost") for a
// public suffix and no other. A dot at the end does not count.
bool is_public_suffix(std::string_view domain);

// Returns whether this build has the list.
bool has_public_suffix_list();

}  // namespace escapement::http
