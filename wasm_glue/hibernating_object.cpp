#include <escapement/wasm_glue/hibernating_object.h>

#include <map>

#include <escapement/core/detail/number.h>
#include <escapement/wasm_glue/detail/object_events.h>
#include <escapement/wasm_glue/detail/packed.h>

// Sockets have numbers, of the JavaScript's choice, which last as long as it.
extern "C" {
// Accepts the WebSocket of a request: a list of its attachment, its protocol and its tags. Fails the request
// if the host does not take it.
[[clang::import_module("escapement_hibernation"), clang::import_name("accept")]]
void esc_hibernation_accept(int event, const char* acceptance, std::size_t length);
// Writes the numbers of the open sockets with a tag, empty: all, as a list, to `to` if it is no longer than
// `room`. Returns its length.
[[clang::import_module("escapement_hibernation"), clang::import_name("all")]]
int esc_hibernation_all(const char* tag, std::size_t length, char* to, std::size_t room);
// Sends a message; returns 0 if the connection is closed.
[[clang::import_module("escapement_hibernation"), clang::import_name("send")]]
int esc_hibernation_send(int socket, int is_text, const char* data, std::size_t length);
[[clang::import_module("escapement_hibernation"), clang::import_name("close")]]
void esc_hibernation_close(int socket, int code, const char* reason, std::size_t length);
// Writes a list of its attachment and its tags, as `all` does.
[[clang::import_module("escapement_hibernation"), clang::import_name("state")]]
int esc_hibernation_state(int socket, char* to, std::size_t room);
// Returns 0 if the host refuses it.
[[clang::import_module("escapement_hibernation"), clang::import_name("attach")]]
int esc_hibernation_attach(int socket, const char* text, std::size_t length);
// A list of two. Returns 0 if the host refuses it.
[[clang::import_module("escapement_hibernation"), clang::import_name("auto_response")]]
int esc_hibernation_auto_response(const char* both, std::size_t length);
}

namespace escapement::wasm {

namespace {

// Beside those of durable_object.cpp. The lists: as of a request; socket, "1" for text, data; socket, code,
// reason; socket.
enum EventKind : int { upgrade_event = 3, message_event = 4, closed_event = 5, broken_event = 6 };

// Returns what `write(to, room)` writes, which returns its length.
template <class F>
std::string written_by(F write) {
  std::string text(256, '\0');
  for (;;) {
    const std::size_t length = static_cast<std::size_t>(write(text.data(), text.size()));
    const bool whole = length <= text.size();
    text.resize(length);
    if (whole) return text;
  }
}

class HostDurableWebSocket final : public DurableWebSocket {
 public:
  explicit HostDurableWebSocket(int number) : number_(number) {}

  Task<> send(WebSocketMessage message) override {
    if (message.is_text && !is_utf8(message.data)) {
      co_await Error(Errc::invalid_argument, "a WebSocket's text is not UTF-8");
    }
    const int sent =
        esc_hibernation_send(number_, message.is_text ? 1 : 0, message.data.data(), message.data.size());
    if (sent == 0) co_await Error(Errc::reset, "the WebSocket is closed");
  }
  void close(int code, std::string reason) override {
    reason = sendable_reason(std::move(reason));
    esc_hibernation_close(number_, sendable_code(code), reason.data(), reason.size());
  }
  int close_code() const override { return code_; }
  const std::string& close_reason() const override { return reason_; }
  std::vector<std::string> tags() const override {
    const std::string state = this->state();
    Unpacked fields(state);
    fields.next();
    std::vector<std::string> tags;
    while (!fields.empty()) tags.push_back(fields.text());
    return tags;
  }
  std::string attachment() const override {
    const std::string state = this->state();
    return Unpacked(state).text();
  }
  Result<> attach(std::string text) override {
    if (Result<> checked = check_attachment(text); !checked) return checked;
    if (esc_hibernation_attach(number_, text.data(), text.size()) != 0) return {};
    return Error(Errc::limit_exceeded, "the host refuses a WebSocket's attachment");
  }
  // Notes that the peer has closed it.
  void closed(int code, std::string reason) {
    code_ = code;
    reason_ = std::move(reason);
  }

 private:
  std::string state() const {
    return written_by(
        [this](char* to, std::size_t room) { return esc_hibernation_state(number_, to, room); });
  }

  int number_;
  int code_ = 0;
  std::string reason_;
};

class HostDurableWebSockets final : public DurableWebSockets {
 public:
  std::vector<std::shared_ptr<DurableWebSocket>> all(std::string_view tag) override {
    const std::string numbers = written_by(
        [tag](char* to, std::size_t room) { return esc_hibernation_all(tag.data(), tag.size(), to, room); });
    std::vector<std::shared_ptr<DurableWebSocket>> found;
    for (Unpacked fields(numbers); !fields.empty();) found.push_back(take(fields));
    return found;
  }
  Result<> set_auto_response(std::string request, std::string response) override {
    if (Result<> checked = check_auto_response(request, response); !checked) return checked;
    Packed both;
    both.add(request).add(response);
    if (esc_hibernation_auto_response(both.data(), both.size()) != 0) return {};
    return Error(Errc::limit_exceeded, "the host refuses a WebSocket's automatic response");
  }

  // Returns the socket whose number is next.
  std::shared_ptr<HostDurableWebSocket> take(Unpacked& fields) {
    const int number = parse_number<int>(fields.text()).value_or(0);
    std::shared_ptr<HostDurableWebSocket>& socket = sockets_[number];
    if (!socket) socket = std::make_shared<HostDurableWebSocket>(number);
    return socket;
  }
  // Forgets it.
  void forget(const std::shared_ptr<HostDurableWebSocket>& socket) {
    std::erase_if(sockets_, [&socket](const auto& each) { return each.second == socket; });
  }

 private:
  std::map<int, std::shared_ptr<HostDurableWebSocket>> sockets_;
};

class HibernationEvents final : public ObjectEvents {
 public:
  explicit HibernationEvents(HostDurableWebSockets& sockets) : sockets_(sockets) {}

  Task<bool> handle(DurableObject& object, const DurableObjectOptions& options, int kind, int event,
                    std::string packed) override {
    HibernatingObject& own = static_cast<HibernatingObject&>(object);
    if (kind == upgrade_event) {
      co_await upgrade(own, options, event, std::move(packed));
      co_return false;
    }
    Unpacked fields(packed);
    fields.next();
    const std::shared_ptr<HostDurableWebSocket> socket = sockets_.take(fields);
    if (kind == message_event) {
      const bool is_text = !fields.text().empty();
      WebSocketMessage message(fields.text());
      message.is_text = is_text;
      co_await own.web_socket_message(*socket, std::move(message));
      co_return true;
    }
    Result<> handled;
    if (kind == closed_event) {
      const int code = parse_number<int>(fields.text()).value_or(1005);
      socket->closed(code, fields.text());
      handled = co_await own.web_socket_closed(*socket, code, socket->close_reason()).result();
    } else {
      socket->closed(1006, {});
      handled = co_await own.web_socket_broken(*socket).result();
    }
    sockets_.forget(socket);
    co_await std::move(handled);
    co_return true;
  }

 private:
  Task<> upgrade(HibernatingObject& object, const DurableObjectOptions& options, int event,
                 std::string packed) {
    http::Request request = co_await take_request(co_await this_reactor, options, event, packed);
    std::optional<WebSocketAcceptance> accepted = co_await object.accept(request);
    if (!accepted) co_return co_await respond(object, options, event, std::move(request));
    co_await accepted->check();
    Packed acceptance;
    acceptance.add(accepted->attachment).add(accepted->protocol);
    for (const std::string& tag : accepted->tags) acceptance.add(tag);
    esc_hibernation_accept(event, acceptance.data(), acceptance.size());
  }

  HostDurableWebSockets& sockets_;
};

}  // namespace

Task<std::string> run_hibernating_object(MakeHibernatingObject make, DurableObjectOptions options) {
  HostDurableWebSockets sockets;
  HibernationEvents events(sockets);
  MakeDurableObject made = [&make, &sockets](Reactor& reactor,
                                             DurableStorage& storage) -> std::unique_ptr<DurableObject> {
    return make(reactor, storage, sockets);
  };
  co_return co_await run_object(std::move(made), options, &events);
}

}  // namespace escapement::wasm
