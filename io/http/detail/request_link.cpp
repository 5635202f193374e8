#include <escapement/io/http/detail/request_link.h>

#include <utility>

namespace escapement::http::detail {

void RequestLink::leave() {
  const RequestContext left = std::move(context_);
  RequestContext::Record& record = *left.record_;
  auto noting = [&record] { record.peer = CompactText(record.connection->peer()); };
  (void)escapement::detail::catching(noting);  // without memory for it, it is not known
  record.connection = nullptr;
}

}  // namespace escapement::http::detail
