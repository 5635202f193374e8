#include <escapement/io/http/detail/server_connection.h>

#include <utility>

#include <escapement/io/http/h1/server_connection.h>

namespace escapement::http::detail {

ServeHandle::~ServeHandle() {
  if (connection_ == nullptr) return;
  connection_->handle_ = nullptr;
  connection_->close();
}

bool ServeHandle::close_if_idle() {
  if (!connection_->is_idle()) return false;
  connection_->close();
  return true;
}

void ServeHandle::Close::run() {
  if (handle_.serving()) handle_.connection_->close();
}

ServerConnection::ServerConnection(ServerShared& shared, Reactor& reactor, Admission&& admission)
    : shared_(shared),
      reactor_(reactor),
      permit_(std::move(admission.permit)),
      member_(*this, admission.serve_id),
      handle_(admission.handle) {
  if (handle_ != nullptr) handle_->connection_ = this;
  shared_.connections.push_back(member_);
  ++shared_.statistics.open;
}

void ServerConnection::leave_server(Stream* stream) {
  if (handle_ != nullptr) {
    handle_->connection_ = nullptr;
    reactor_.ready(handle_->task_);
  } else if (permit_) {
    shared_.release_peer(stream->peer_host());
  }
  --shared_.statistics.open;
  shared_.changed.pulse();
}

// The one place that chooses. There is only HTTP/1.1 so far. A stream whose handshake is not over has agreed
// on nothing yet: an HTTP/1.1 connection ends when its first bytes are of another protocol.
void make_server_connection(ServerShared& shared, Reactor& reactor, std::unique_ptr<Stream> stream,
                            Admission&& admission) {
  new Http1ServerConnection(shared, reactor, std::move(stream), std::move(admission));
}

}  // namespace escapement::http::detail
