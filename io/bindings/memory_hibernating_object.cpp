#include <escapement/io/bindings/memory_hibernating_object.h>

#include <algorithm>
#include <utility>

#include <escapement/io/bindings/memory_web_socket.h>

namespace escapement {

// The object's end of a connection.
class MemoryHibernatingObject::Connection final : public DurableWebSocket {
 public:
  Connection(std::unique_ptr<WebSocket> end, WebSocketAcceptance acceptance)
      : end_(std::move(end)), acceptance_(std::move(acceptance)) {}

  WebSocket& end() { return *end_; }

  ESC_CORO_WRAPPER Task<> send(WebSocketMessage message) override { return end_->send(std::move(message)); }
  void close(int code, std::string reason) override { end_->close(code, std::move(reason)); }
  int close_code() const override { return end_->close_code(); }
  const std::string& close_reason() const override { return end_->close_reason(); }
  std::vector<std::string> tags() const override { return acceptance_.tags; }
  std::string attachment() const override { return acceptance_.attachment; }
  Result<> attach(std::string text) override {
    if (Result<> checked = check_attachment(text); !checked) return checked;
    acceptance_.attachment = std::move(text);
    return {};
  }

 private:
  std::unique_ptr<WebSocket> end_;
  WebSocketAcceptance acceptance_;
};

class MemoryHibernatingObject::Sockets final : public DurableWebSockets {
 public:
  explicit Sockets(const std::list<std::shared_ptr<Connection>>& connections) : connections_(connections) {}

  std::vector<std::shared_ptr<DurableWebSocket>> all(std::string_view tag) override {
    std::vector<std::shared_ptr<DurableWebSocket>> found;
    for (const std::shared_ptr<Connection>& connection : connections_) {
      const std::vector<std::string> tags = connection->tags();
      if (connection->close_code() != 0) continue;
      if (tag.empty() || std::ranges::find(tags, tag) != tags.end()) found.push_back(connection);
    }
    return found;
  }
  Result<> set_auto_response(std::string request, std::string response) override {
    if (Result<> checked = check_auto_response(request, response); !checked) return checked;
    request_ = std::move(request);
    response_ = std::move(response);
    return {};
  }
  // Returns the response to a message; null: the object has to see it.
  const std::string* response_to(const WebSocketMessage& message) const {
    const bool same = message.is_text && !request_.empty() && message.data == request_;
    return same ? &response_ : nullptr;
  }

 private:
  const std::list<std::shared_ptr<Connection>>& connections_;
  std::string request_;
  std::string response_;
};

MemoryHibernatingObject::MemoryHibernatingObject(Reactor& reactor, MemoryDisk& disk,
                                                 MakeHibernatingObject make, MemoryStorageOptions options)
    : sockets_(std::make_unique<Sockets>(connections_)),
      object_(
          reactor, disk,
          [made = std::move(make), this](Reactor& own, DurableStorage& storage)
              -> std::unique_ptr<DurableObject> { return made(own, storage, *sockets_); },
          std::move(options)),
      carriers_(reactor, nullptr) {}

MemoryHibernatingObject::~MemoryHibernatingObject() { object_.evict(); }

ESC_CORO_WRAPPER Task<http::Response> MemoryHibernatingObject::fetch(http::Request request) {
  return object_.fetch(std::move(request));
}

Task<> MemoryHibernatingObject::decide(const http::Request& request, std::optional<WebSocketAcceptance>& to) {
  std::function<Task<>(DurableObject&)> handler = [&to, &request](DurableObject& object) -> Task<> {
    return [](HibernatingObject& own, const http::Request& asked,
              std::optional<WebSocketAcceptance>& accepted) -> Task<> {
      accepted = co_await own.accept(asked);
    }(static_cast<HibernatingObject&>(object), request, to);
  };
  co_await object_.call(std::move(handler));
}

Task<std::unique_ptr<WebSocket>> MemoryHibernatingObject::connect(http::Request request) {
  std::optional<WebSocketAcceptance> accepted;
  co_await decide(request, accepted);
  if (!accepted) {
    http::Response response = co_await object_.fetch(std::move(request));
    co_return Error(Errc::permission_denied,
                    "a WebSocket is answered with " + std::to_string(response.status));
  }
  co_await accepted->check();
  WebSocketEnds ends = web_socket_pair();
  connections_.push_back(std::make_shared<Connection>(std::move(ends.second), *std::move(accepted)));
  carriers_.spawn(carry(std::prev(connections_.end())));
  co_return std::move(ends.first);
}

// Passes on what comes over a connection until it ends. A handler that fails, or is evicted, costs its
// message.
Task<> MemoryHibernatingObject::carry(std::list<std::shared_ptr<Connection>>::iterator place) {
  Connection& connection = **place;
  Result<> ended = co_await carry_messages(connection).result();
  const bool broken = !ended;
  std::function<Task<>(DurableObject&)> tell = [&connection, broken](DurableObject& object) -> Task<> {
    HibernatingObject& own = static_cast<HibernatingObject&>(object);
    if (broken) return own.web_socket_broken(connection);
    return own.web_socket_closed(connection, connection.close_code(), connection.close_reason());
  };
  Result<> told = co_await object_.call(std::move(tell)).result();
  connection.close(1000, {});
  connections_.erase(place);
}

Task<> MemoryHibernatingObject::carry_messages(Connection& connection) {
  for (;;) {
    std::optional<WebSocketMessage> message = co_await connection.end().receive();
    if (!message) co_return;
    if (const std::string* const response = sockets_->response_to(*message)) {
      WebSocketMessage answer(*response);
      Result<> sent = co_await connection.send(std::move(answer)).result();
      continue;
    }
    std::function<Task<>(DurableObject&)> handler = [&connection, &message](DurableObject& object) -> Task<> {
      HibernatingObject& own = static_cast<HibernatingObject&>(object);
      return own.web_socket_message(connection, *std::move(message));
    };
    Result<> handled = co_await object_.call(std::move(handler)).result();
  }
}

}  // namespace escapement
