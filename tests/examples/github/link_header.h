// The Link field (RFC 8288), by which GitHub says where the next page is.

#pragma once

#include <string>

#include <escapement/io/http/message.h>

namespace escapement::github {

// Returns the reference to the next page as it stands in the Link fields; empty if none has one. It may be
// relative to the page's own URL. Names and relations are compared ignoring case; a link may have several
// relations; of two `rel` in one link the first counts; one with an `anchor` is about another page, and is
// passed over. A field that is malformed counts up to the mistake.
std::string next_page(const http::Headers& headers);

}  // namespace escapement::github
