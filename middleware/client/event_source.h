// Server-sent events, received (HTML Standard section 9.2): a body as a sequence of events, and a source that
// reconnects. The sender is middleware/server/event_stream.h.
//
//     Generator<ServerEvent> news = event_source(client, http::get("https://example.org/news"));
//     while (std::optional<ServerEvent> event = co_await news.next()) handle(*event);

#pragma once

#include <optional>
#include <string>

#include <escapement/core/bytes.h>
#include <escapement/core/generator.h>
#include <escapement/io/http/service.h>
#include <escapement/middleware/server/event_stream.h>

namespace escapement::http {

// Limits of an EventReader.
class EventReaderOptions {
 public:
  // The most bytes of one event, its field names and line ends included.
  std::size_t event_bytes_max = 1 * MiB;
};

// The events of a body, one by one: an async sequence (core/sequence.h).
class EventReader {
 public:
  // Reads `body`, which must outlive this. `last_event_id` is that of the stream that this one goes on with.
  explicit EventReader(Body& body, EventReaderOptions options = EventReaderOptions(),
                       std::string last_event_id = {})
      : body_(body), options_(options), id_(std::move(last_event_id)) {}

  // Waits for the next event; nullopt at the body's end, where an event that is not complete is dropped. `id`
  // is that of the last event that had one. Comments and unknown fields are skipped. Fails as the body fails,
  // and with limit_exceeded. A cancelled call loses nothing but what its body's read loses.
  Task<std::optional<ServerEvent>> next();

  // Returns the id to reconnect with: of the last event that had one; empty: none.
  const std::string& last_event_id() const { return id_; }
  // Returns how long the server wants a client to wait before it reconnects, if it has said so.
  std::optional<Duration> retry() const { return retry_; }

 private:
  std::optional<std::string_view> take_line();
  std::optional<ServerEvent> take_field(std::string_view line);

  Body& body_;
  EventReaderOptions options_;
  std::string bytes_;       // received and not parsed yet
  std::size_t at_ = 0;      // how far they were parsed
  std::size_t looked_ = 0;  // how far they were searched for the end of a line
  bool begun_ = false;      // past the byte order mark
  bool after_cr_ = false;   // a line feed that follows belongs to the last line's end
  std::size_t event_bytes_ = 0;
  std::string data_;
  bool has_data_ = false;
  std::string event_;
  std::string id_;
  std::optional<Duration> retry_;
};

// Limits and settings of an event_source.
class EventSourceOptions {
 public:
  // The wait before it reconnects, until the server says otherwise.
  Duration retry = 3s;
  // The longest wait that a server may ask for.
  Duration retry_max = 1h;
  // Reconnections in a row without an event, after which it fails.
  int retries_max = 10;
  EventReaderOptions reader = {};
};

// Returns the events that `service` sends in response to `request`, which must have no body. When the stream
// ends or breaks off, it waits, and asks again with Last-Event-ID. A 204 is the end. Fails if the response
// has another status or is no text/event-stream, with an event that is too large, and as `service` fails
// after `retries_max` reconnections in vain. Destroying it closes the connection.
Generator<ServerEvent> event_source(Service service, Request request,
                                    EventSourceOptions options = EventSourceOptions());

}  // namespace escapement::http
