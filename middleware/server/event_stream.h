// Server-sent events (HTML Standard section 9.2) as a response body.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <escapement/core/event.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// One event. `data` may have several lines. Line breaks in `id` and `event`, where they have no meaning, are
// removed.
class ServerEvent {
 public:
  explicit ServerEvent(std::string d, std::string e = {}, std::string i = {})
      : data(std::move(d)), event(std::move(e)), id(std::move(i)) {}
  std::string data;               // one or more lines
  std::string event;              // the event's type; empty: "message"
  std::string id;                 // sent back by a reconnecting client as Last-Event-ID; empty: none
  std::optional<Duration> retry;  // how long a client should wait before it reconnects
};

// Returns the event as it is sent: "id: 1\nevent: x\ndata: a\ndata: b\n\n".
std::string to_text(const ServerEvent& event);

// Settings of an event stream.
struct EventStreamOptions {
  // Sends a comment after this long without an event: it keeps proxies from closing the connection and
  // detects clients that have vanished. `Duration::max()`: none.
  Duration heartbeat = 15s;
};

// Returns a response that streams the events of `next`, which is called again once the previous event has
// been sent: a slow client slows the source down. The stream ends when `next` yields nothing; a failure
// breaks it off. When the client leaves, the call in flight is destroyed, then `next`. A heartbeat does not
// disturb the call in flight.
//
// The stream begins with an empty comment, so that the head leaves at once, and is marked to be neither
// cached nor (by nginx) buffered.
using NextEvent = std::function<Task<std::optional<ServerEvent>>()>;
Response event_stream(NextEvent next, EventStreamOptions options = EventStreamOptions());

// A bounded queue between a source of events and one client's stream. The stream owns it. Let the source hold
// a weak_ptr: when that expires, the client has left.
class EventQueue {
 public:
  // Makes a queue that holds at most so many events.
  explicit EventQueue(std::size_t length_max) : length_max_(length_max) {}

  // Returns false when the queue is full (the client is too slow: drop the event, or close) or closed.
  bool push(ServerEvent event);
  // Ends the stream once the queued events have been sent.
  void close();
  // Waits for the next event; returns nothing when the queue is closed and empty. Only one task may wait at a
  // time.
  Task<std::optional<ServerEvent>> next();

 private:
  std::size_t length_max_;
  std::deque<ServerEvent> events_;
  bool closed_ = false;
  Event changed_;
};

Response event_stream(std::shared_ptr<EventQueue> queue, EventStreamOptions options = EventStreamOptions());

}  // namespace escapement::http
