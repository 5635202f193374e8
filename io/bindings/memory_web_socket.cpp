#include <escapement/io/bindings/memory_web_socket.h>

#include <deque>

#include <escapement/core/event.h>

namespace escapement {

namespace {

// One direction: messages on their way, and how it ended.
struct Direction {
  std::deque<WebSocketMessage> messages;
  std::size_t bytes = 0;
  int code = 0;  // 0: open
  std::string reason;
  bool cut_off = false;
  Event changed;

  void end(int close_code, std::string close_reason) {
    if (code != 0) return;
    code = close_code;
    reason = std::move(close_reason);
    changed.pulse();
  }
};

class End final : public WebSocket {
 public:
  End(std::shared_ptr<Direction> in, std::shared_ptr<Direction> out, WebSocketOptions options)
      : in_(std::move(in)), out_(std::move(out)), options_(options) {}
  ~End() override { out_->end(1001, {}); }

  Task<std::optional<WebSocketMessage>> receive() override {
    while (in_->messages.empty() && in_->code == 0 && !in_->cut_off) co_await in_->changed.wait();
    if (in_->cut_off)
      co_return Error(Errc::limit_exceeded, "a WebSocket's peer sends faster than is received");
    if (in_->messages.empty()) co_return std::optional<WebSocketMessage>();
    std::optional<WebSocketMessage> message(std::move(in_->messages.front()));
    in_->messages.pop_front();
    in_->bytes -= message->data.size();
    co_return std::move(message);
  }
  Task<> send(WebSocketMessage message) override {
    if (message.is_text && !is_utf8(message.data)) {
      co_await Error(Errc::invalid_argument, "a WebSocket's text is not UTF-8");
    }
    if (out_->code != 0 || in_->code != 0) co_await Error(Errc::reset, "the WebSocket is closed");
    out_->bytes += message.data.size();
    out_->messages.push_back(std::move(message));
    if (out_->messages.size() > options_.messages_max || out_->bytes > options_.bytes_max) {
      out_->cut_off = true;
      out_->messages.clear();
      out_->code = 1009;
      in_->end(1009, "too much to keep");
    }
    out_->changed.pulse();
  }
  void close(int code, std::string reason) override {
    out_->end(sendable_code(code), sendable_reason(std::move(reason)));
  }
  int close_code() const override { return in_->code; }
  const std::string& close_reason() const override { return in_->reason; }

 private:
  std::shared_ptr<Direction> in_;
  std::shared_ptr<Direction> out_;
  WebSocketOptions options_;
};

}  // namespace

WebSocketEnds web_socket_pair(WebSocketOptions options) {
  auto there = std::make_shared<Direction>();
  auto back = std::make_shared<Direction>();
  return WebSocketEnds(std::make_unique<End>(back, there, options),
                       std::make_unique<End>(there, back, options));
}

}  // namespace escapement
