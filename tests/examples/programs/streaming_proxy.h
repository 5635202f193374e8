// A reverse proxy that streams, with a second upstream for when the first one fails.

#pragma once

#include <escapement/io/http/service.h>
#include <escapement/io/stream.h>

// Forwards to `first`. After a failure it forwards to `second` for 5 s: at once, if the failed request can be
// sent again.
escapement::http::Service make_proxy(escapement::Network& network, escapement::http::Url first,
                                     escapement::http::Url second);
