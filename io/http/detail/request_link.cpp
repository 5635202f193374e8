#include <escapement/io/http/detail/request_link.h>

#include <utility>

namespace escapement::http::detail {

void RequestLink::leave() {
  const std::shared_ptr<RequestContext::Record> record = std::move(context_.record_);
  auto noting = [&record] { record->peer = CompactText(record->connection->peer()); };
  (void)escapement::detail::catching(noting);  // without memory for it, it is not known
  record->connection = nullptr;
}

}  // namespace escapement::http::detail
