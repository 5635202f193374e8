// A room: a HibernatingObject for the tests, in memory and in workerd. A client's name is its attachment.

#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/io/bindings/hibernating_object.h>
#include <escapement/timers/sleep.h>

namespace escapement::test {

class Room final : public HibernatingObject {
 public:
  Room(Reactor&, DurableStorage&, DurableWebSockets& sockets) : sockets_(sockets) {}

  Task<http::Response> fetch(http::Request request) override {
    if (request.url.path() == "/refuse") co_return http::Response(403);
    co_return http::Response(200, std::to_string(sockets_.all().size()) + " sockets");
  }
  Task<std::optional<WebSocketAcceptance>> accept(const http::Request& request) override {
    if (request.url.path() == "/refuse") co_return std::nullopt;
    WebSocketAcceptance acceptance;
    const std::string tag = request.url.query_parameter("tag");
    if (!tag.empty()) acceptance.tags.push_back(tag);
    acceptance.tags.push_back("everybody");
    acceptance.attachment = request.url.query_parameter("name");
    co_return std::move(acceptance);
  }
  Task<> web_socket_message(DurableWebSocket& socket, WebSocketMessage message) override {
    const std::size_t space = std::min(message.data.find(' '), message.data.size());
    const std::string verb = message.is_text ? message.data.substr(0, space) : "bytes";
    const std::string rest = message.data.substr(std::min(space + 1, message.data.size()));
    if (verb == "trap") __builtin_trap();  // only where that costs no more than the instance
    if (verb == "fail") co_await Error(Errc::internal, "on purpose");
    if (verb == "slow") co_await sleep(10s);
    if (verb == "rename") co_await socket.attach(rest);
    if (verb == "receive") {
      Result<std::optional<WebSocketMessage>> received = co_await socket.receive().result();
      WebSocketMessage code(std::string(escapement::name(received.error().code())));
      co_await socket.send(std::move(code));
    }
    if (verb == "all" || verb == "red" || verb == "blue") {
      std::string text = socket.attachment() + " says " + rest + " (" + std::to_string(++messages_) + ")";
      std::string tag = verb;
      if (verb == "all") tag.clear();
      co_await tell(std::move(text), std::move(tag));
    }
    if (std::optional<std::string> reply = reply_to(socket, verb, message.data)) {
      WebSocketMessage sent(*std::move(reply));
      co_await socket.send(std::move(sent));
    }
  }
  Task<> web_socket_closed(DurableWebSocket& socket, int code, std::string reason) override {
    std::string text = socket.attachment() + " left " + std::to_string(code) + ' ' + reason;
    co_await tell(std::move(text), std::string());
  }

 private:
  // Does what takes no time.
  std::optional<std::string> reply_to(DurableWebSocket& socket, const std::string& verb,
                                      const std::string& data) {
    if (verb == "bytes") return socket.attachment() + " sent " + std::to_string(data.size()) + " bytes";
    if (verb == "pings") {
      const std::string large(DurableWebSockets::auto_response_bytes_max + 1, 'p');
      for (const bool first : {true, false}) {
        const Result<> refused = sockets_.set_auto_response(first ? large : "x", first ? "x" : large);
        if (refused) return "taken";
      }
      const std::string most = large.substr(1);
      Result<> set = sockets_.set_auto_response(most, most);
      if (set) set = sockets_.set_auto_response("ping", "pong");
      return std::string(set ? "pings on" : "refused");
    }
    if (verb == "close") socket.close(3000, "as asked");
    if (verb == "attach") {
      const Result<> attached = socket.attach(std::string(DurableWebSocket::attachment_bytes_max + 1, 'a'));
      return std::string(escapement::name(attached.error().code()));
    }
    if (verb != "tags") return std::nullopt;
    std::string text = socket.attachment();
    for (const std::string& tag : socket.tags()) text += ' ' + tag;
    return text;
  }
  Task<> tell(std::string text, std::string tag) {
    const std::vector<std::shared_ptr<DurableWebSocket>> sockets = sockets_.all(tag);
    for (const std::shared_ptr<DurableWebSocket>& socket : sockets) {
      WebSocketMessage message(text);
      Result<> sent = co_await socket->send(std::move(message)).result();
    }
  }

  DurableWebSockets& sockets_;
  int messages_ = 0;  // in this instance
};

}  // namespace escapement::test
