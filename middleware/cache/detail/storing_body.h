// A body that is stored while it is read.

#pragma once

#include <memory>

#include <escapement/middleware/cache/cache_store.h>

namespace escapement::http::detail {

// Returns `body`, whose bytes go to `writer` as they are read, and which is committed at its end. If the body
// fails, or is destroyed before its end, the writer is destroyed without that; if the writer fails, the body
// goes on without it. `held` is destroyed when the response is stored, or will not be.
Body storing_body(Body body, std::unique_ptr<CacheStore::Writer> writer, std::shared_ptr<void> held);

}  // namespace escapement::http::detail
