#include <escapement/wasm_glue/host_web_socket.h>

#include <escapement/wasm_glue/detail/packed.h>
#include <escapement/wasm_glue/host_operation.h>

// A socket has the number of the operation that opened it, and gives its messages under that number.
extern "C" {
// Opens a socket. A list: the URL, the most messages and bytes to keep, the protocols. An empty URL: the one
// that the context was made for. The outcome comes when it is open.
[[clang::import_module("escapement_web_socket"), clang::import_name("open")]]
void esc_web_socket_open(int id, const char* arguments, std::size_t length);
// Asks for the next message, as the operation's next outcome, whose status is one of Kind.
[[clang::import_module("escapement_web_socket"), clang::import_name("receive")]]
void esc_web_socket_receive(int id);
// Sends a message; returns 0 if the connection is closed.
[[clang::import_module("escapement_web_socket"), clang::import_name("send")]]
int esc_web_socket_send(int id, int is_text, const char* data, std::size_t length);
[[clang::import_module("escapement_web_socket"), clang::import_name("close")]]
void esc_web_socket_close(int id, int code, const char* reason, std::size_t length);
}

namespace escapement::wasm {

namespace {

// The kind of an outcome. From 1000 on it is the code with which the connection was closed, and the bytes are
// the reason.
enum Kind : int { opened = 0, text = 1, bytes = 2, too_much = 3 };

class HostWebSocket final : public WebSocket {
 public:
  explicit HostWebSocket(Reactor& reactor) : operation_(reactor) {}
  ~HostWebSocket() override {
    if (code_ == 0) esc_web_socket_close(operation_.id(), 1001, nullptr, 0);
  }

  Task<> open(std::string url, HostWebSocketOptions options) {
    Packed arguments;
    arguments.add(url);
    arguments.add_number(static_cast<std::int64_t>(options.limits.messages_max));
    arguments.add_number(static_cast<std::int64_t>(options.limits.bytes_max));
    for (const std::string& protocol : options.protocols) arguments.add(protocol);
    esc_web_socket_open(operation_.id(), arguments.data(), arguments.size());
    HostOutcome done = co_await operation_.outcome(options.connect_timeout);
  }

  Task<std::optional<WebSocketMessage>> receive() override {
    if (code_ == 1006) co_return Error(Errc::reset, "the WebSocket broke");
    if (code_ != 0) co_return std::optional<WebSocketMessage>();
    if (!std::exchange(asked_, true)) esc_web_socket_receive(operation_.id());
    HostOutcome outcome = co_await operation_.outcome(Duration::max());
    asked_ = false;
    if (outcome.status == text) co_return WebSocketMessage(std::move(outcome.bytes));
    if (outcome.status == bytes) co_return WebSocketMessage::binary(std::move(outcome.bytes));
    code_ = outcome.status;
    if (outcome.status == too_much) {
      code_ = 1009;
      co_return Error(Errc::limit_exceeded, "a WebSocket's peer sends faster than is received");
    }
    reason_ = std::move(outcome.bytes);
    if (code_ == 1006) co_return Error(Errc::reset, "the WebSocket broke");
    co_return std::optional<WebSocketMessage>();
  }
  Task<> send(WebSocketMessage message) override {
    if (message.is_text && !is_utf8(message.data)) {
      co_await Error(Errc::invalid_argument, "a WebSocket's text is not UTF-8");
    }
    const int sent = esc_web_socket_send(operation_.id(), message.is_text ? 1 : 0, message.data.data(),
                                         message.data.size());
    if (sent == 0) co_await Error(Errc::reset, "the WebSocket is closed");
  }
  void close(int code, std::string reason) override {
    reason = sendable_reason(std::move(reason));
    esc_web_socket_close(operation_.id(), sendable_code(code), reason.data(), reason.size());
  }
  // Closes by 1011, internal error.
  void fail() { esc_web_socket_close(operation_.id(), 1011, nullptr, 0); }
  int close_code() const override { return code_; }
  const std::string& close_reason() const override { return reason_; }

 private:
  HostOperation operation_;
  bool asked_ = false;
  int code_ = 0;
  std::string reason_;
};

}  // namespace

Task<std::unique_ptr<WebSocket>> connect_web_socket(std::string url, HostWebSocketOptions options) {
  auto socket = std::make_unique<HostWebSocket>(co_await this_reactor);
  if (url.empty()) co_return Error(Errc::invalid_argument, "a WebSocket's URL is empty");
  co_await socket->open(std::move(url), std::move(options));
  co_return std::unique_ptr<WebSocket>(std::move(socket));
}

// A list: method, URL, names and values of the fields.
Task<std::string> run_web_socket(Task<> (*handler)(http::Request, WebSocket&), std::string packed) {
  Unpacked fields(packed);
  std::string method = fields.text();
  const std::string target = fields.text();
  http::Url url = co_await http::Url::parse(target);
  http::Request request(std::move(method), std::move(url));
  while (!fields.empty()) {
    std::string name = fields.text();
    request.headers.add(std::move(name), fields.text());
  }
  HostWebSocket socket(co_await this_reactor);
  co_await socket.open(std::string(), HostWebSocketOptions());
  Result<> handled = co_await handler(std::move(request), socket).result();
  if (handled) {
    socket.close(1000, {});
  } else {
    socket.fail();
  }
  co_await std::move(handled);
  co_return std::string();
}

}  // namespace escapement::wasm
