// Connection: one HTTP/1.1 connection over a Stream. One implementation for both roles, because framing is
// the same in both directions; client.h and server.h say who speaks first.

#pragma once

#include <memory>
#include <string>

#include <escapement/core/bytes.h>
#include <escapement/io/http/message.h>
#include <escapement/io/http/parser.h>
#include <escapement/io/http/writer.h>
#include <escapement/io/stream.h>

namespace escapement::http::detail {

// Reads messages and writes messages; one of each at a time, which may overlap. Everything it awaits on the
// stream fails with timed_out when it makes no progress for `stall_timeout`.
class Connection {
 public:
  Connection(std::unique_ptr<Stream> stream, Parser::Role role, ParserLimits limits, Duration stall_timeout);
  Connection(const Connection&) = delete;

  // --- Receiving

  // Waits for the first byte of the next message, as long as it takes; false when the peer closed instead.
  Task<bool> wait_for_message();
  // The next message's head. Fails as the parser does, or reset when the peer closed.
  Task<MessageHead> read_head(bool answers_head = false);
  // The next bytes of the message's body; empty at its end.
  Task<std::string> read_body();
  // True from the head of a message that was read to its end.
  bool message_complete() const { return complete_; }
  // Takes what is left of a body if all of it has arrived already and it is at most `most` bytes. Does not
  // wait. True when the message is complete now.
  bool skip_buffered_body(std::size_t most);
  // Fields after a chunked body, once it is complete.
  Headers take_trailers() { return std::move(parser_.trailers()); }
  // Whether a byte beyond the last complete message has arrived.
  bool has_unread_bytes() const { return unread_from_ < unread_.size(); }
  // What a server answers to a message that failed to parse; 0 when the parser did not fail.
  int parse_error_status() const { return parse_failed_ ? parser_.error_status() : 0; }

  // --- Sending

  // Sends `head` and the body of `message` as `framing` says. `head` has been made by the writer.
  Task<> send(std::string head, Body& body, Framing framing);
  Task<> send_text(std::string text);

  Stream& stream() { return *stream_; }

 private:
  Task<bool> receive();
  Task<Parser::Event> next_event();

  std::unique_ptr<Stream> stream_;
  Parser parser_;
  Duration stall_timeout_;
  std::string unread_;  // received and not parsed yet, from unread_from_
  std::size_t unread_from_ = 0;
  bool complete_ = true;  // no message is in the middle
  bool parse_failed_ = false;
  bool ended_ = false;  // the peer sends no more
};

}  // namespace escapement::http::detail
