// Server-sent events (HTML Standard section 9.2) as the body of an answer.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <escapement/core/event.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// One event. `data` may have several lines. Line breaks in `id` and `event`, where they can have no meaning,
// are left out.
class ServerEvent {
 public:
  explicit ServerEvent(std::string d, std::string e = {}, std::string i = {})
      : data(std::move(d)), event(std::move(e)), id(std::move(i)) {}
  std::string data;
  std::string event;              // its type; empty: "message"
  std::string id;                 // what a client that comes back sends as Last-Event-ID; empty: none
  std::optional<Duration> retry;  // how long a client should wait before it comes back
};

// As it is sent: "id: 1\nevent: x\ndata: a\ndata: b\n\n".
std::string to_text(const ServerEvent& event);

struct EventStreamOptions {
  // A comment after so long without an event: proxies keep the connection, and a client that has vanished is
  // noticed. `Duration::max()`: none.
  Duration heartbeat = 15s;
};

// An answer that streams what `next` yields, one call after the other, each begun when the event before has
// been sent: a slow client slows the source down. Nothing ends the stream; a failure breaks it off. When the
// client leaves, the call under way is destroyed, then `next`. A heartbeat does not disturb the call under
// way.
//
// It begins with an empty comment, so that the head leaves at once, and is marked to be neither cached nor
// (nginx) buffered.
using NextEvent = std::function<Task<std::optional<ServerEvent>>()>;
Response event_stream(NextEvent next, EventStreamOptions options = EventStreamOptions());

// A bounded queue between whoever has events and one client's stream. The stream holds it; hold a weak_ptr
// where events come from, and the client has left when that is empty.
class EventQueue {
 public:
  explicit EventQueue(std::size_t length_max) : length_max_(length_max) {}

  // False when it is full (the client does not keep up: drop the event, or close) or closed.
  bool push(ServerEvent event);
  // What is in it is still sent, then the stream ends.
  void close();
  // The next event; nothing when it is closed and empty. One waiter.
  Task<std::optional<ServerEvent>> next();

 private:
  std::size_t length_max_;
  std::deque<ServerEvent> events_;
  bool closed_ = false;
  Event changed_;
};

Response event_stream(std::shared_ptr<EventQueue> queue, EventStreamOptions options = EventStreamOptions());

}  // namespace escapement::http
