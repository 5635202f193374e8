// Parser: bytes to message events. No I/O and no clock, so fuzzers and the protocol cases work on it
// directly.
//
// llhttp does the grammar, with every lenient switch off. Alone it is not enough for a server on the open
// internet: it takes HTTP/1.1 without Host, HTTP/1.0 with chunked coding, and knows no limits. This parser
// refuses all that llhttp leaves open (rules.h), so that a message that it passes can be read in one way
// only. A request without a body whose head is plain and has arrived as a whole is read without llhttp
// (fast_head_parser.h), by the same rules.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/core/error.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// Limits on everything that the peer can make grow.
struct ParserLimits {
  std::size_t head_bytes_max = 16 * KiB;      // start line and fields; the trailers once more as much
  std::size_t header_count_max = 100;         // fields of the head; the trailers once more as many
  std::uint64_t body_bytes_max = UINT64_MAX;  // content, without chunk framing
  int interim_max = 32;                       // 1xx responses before the final one
};

// The head that a message begins with.
struct MessageHead {
  // Requests: the method, and the request target as it was sent. The views are valid until the parser is fed
  // again; they lie in the bytes given to `feed`, or in the parser.
  Method method = Method::get();
  std::string_view target;
  std::string_view host;  // the Host field; empty where there is none
  // Responses.
  int status = 0;

  int minor_version = 1;  // HTTP/1.x: 0 or 1
  Headers headers;
  // True if the sender lets the connection live on: its version and its Connection field.
  bool keep_alive = true;
  bool asks_keep_alive = false;  // by name: the sender reads a Keep-Alive field, as all of HTTP/1.0's do
  bool expect_continue = false;
  // The end of the body: after so many bytes, by its last chunk, or with the connection.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool upgrade = false;  // its Connection field lists "upgrade"
  bool until_close = false;

  bool has_body() const { return chunked || until_close || content_length.value_or(0) > 0; }
};

// A pull parser for one connection: `feed` it until it says something, take what it says, go on. It stops
// consuming at each event, so not calling `feed` is back-pressure, and what follows a message stays with
// the caller. Once it has failed it stays failed.
class Parser {
 public:
  enum class Role { request, response };
  enum class Event {
    need_more,  // everything was consumed, and no event is due yet
    head,       // head() is there
    bare_head,  // the same, and that is the whole message: the next feed begins the next one
    body,       // body() holds the next bytes of content
    complete,   // the message is whole; trailers() are there; the next feed begins the next message
    failed,     // error() says why, error_status() with which status a server responds
  };
  struct Step {
    Event event;
    std::size_t consumed;  // of the bytes given
  };

  explicit Parser(Role role, ParserLimits limits = ParserLimits());
  Parser(Parser&&) noexcept;
  Parser& operator=(Parser&&) noexcept;
  ~Parser();

  // Consumes up to the next event. May be called with no bytes to ask for an event that is due already.
  Step feed(Bytes bytes);

  // Call between two messages. Reads a plain response to anything but HEAD that has arrived as a whole, at
  // once and without llhttp (fast_response_parser.h): the next feed begins the next message. Returns its
  // size; head() is there, and `body`, which lies in `bytes`. 0: there is none, `feed` them.
  std::size_t read_whole_response(Bytes bytes, std::string_view& body);

  // Call when the peer sends no more. Returns `complete` when that ends a body that ends with the connection;
  // `need_more` between messages; else `failed`: the message is not whole.
  Event finish();

  // Call before each response's head, interim ones apart, which are counted from here on. `answers_head` says
  // whether it responds to a HEAD, and so has no body, whatever its fields say.
  void expect_no_body(bool answers_head);

  // The head of the current message, once that has been read; may be moved from.
  MessageHead& head();
  // The bytes of content; valid until the next call, as they lie in the bytes given to `feed`.
  Bytes body() const;
  // The fields after a chunked body, from the end of the message until the next one.
  Headers& trailers();

  const Error& error() const;
  // 400, 413, 414, 431, 501 or 505.
  int error_status() const;

  // True when no byte of the next message was seen: closing now loses nothing.
  bool between_messages() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace escapement::http
