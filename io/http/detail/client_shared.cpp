#include <escapement/io/http/detail/client_shared.h>

#include <utility>

#include <escapement/io/http/h1/client_states.h>

namespace escapement::http::detail {

ClientShared::ClientShared(ClientOptions o)
    : options(std::move(o)), http1_states(std::make_unique<Http1States>(options)) {}

ClientShared::~ClientShared() = default;

}  // namespace escapement::http::detail
