#include <escapement/io/http/h1/client_connection.h>

#include <optional>
#include <utility>

#include <escapement/io/http/h1/client_exchange.h>
#include <escapement/io/http/h1/client_states.h>

namespace escapement::http::detail {

Http1ClientConnection::Http1ClientConnection(std::unique_ptr<Stream> stream, ClientShared& shared)
    : shared_(shared), stream_(std::move(stream)), keep_for_(shared.options.idle_timeout) {}

Http1ClientConnection::~Http1ClientConnection() = default;

std::unique_ptr<ClientExchange> Http1ClientConnection::begin() {
  ESC_CHECK(room() != 0);
  std::unique_ptr<Http1Connection> state = shared_.http1_states->acquire(*stream_);
  return std::make_unique<Exchange>(*this, std::move(state));
}

// Bytes, or the end, that came with the last response are not news: they are looked for here.
bool Http1ClientConnection::watch(Reactor& reactor, Runnable* news) {
  if (news == nullptr) return stream_->watch(reactor, nullptr);
  std::byte unasked;
  const std::optional<std::size_t> count = stream_->read_now(MutableBytes(&unasked, 1));
  if (!count) return stream_->watch(reactor, news);
  if (*count != 0) keep_for_ = Duration();
  return false;  // the end, or a stream that cannot tell
}

bool Http1ClientConnection::usable() { return keep_for_ > Duration() && !stream_->readable_or_closed(); }

}  // namespace escapement::http::detail
