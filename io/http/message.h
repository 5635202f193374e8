// HTTP messages: Method, Headers, Body, Request, Response.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/core/bytes.h>
#include <escapement/core/recycle.h>
#include <escapement/core/task.h>
#include <escapement/io/http/url.h>

namespace escapement::http {

// A request method: a token (RFC 9110 section 9). The usual ones have names.
class Method {
 public:
  // `token` is kept as it is: methods are case-sensitive. Whether it is a token is checked when sent.
  Method(std::string token) : token_(std::move(token)) {}
  Method(const char* token) : token_(token) {}

  static Method get() { return "GET"; }
  static Method head() { return "HEAD"; }
  static Method post() { return "POST"; }
  static Method put() { return "PUT"; }
  static Method delete_() { return "DELETE"; }
  static Method options() { return "OPTIONS"; }
  static Method patch() { return "PATCH"; }

  const std::string& text() const { return token_; }
  // GET, HEAD, OPTIONS, TRACE, QUERY: asks for nothing to change.
  bool safe() const;
  // Safe, or PUT or DELETE: twice has the effect of once.
  bool idempotent() const;

  bool operator==(const Method&) const = default;

 private:
  std::string token_;
};

// Field lines in order. Names compare without case; a name may occur several times. Values are kept as
// they are, without the white space around them; whether names and values may be sent is checked when they
// are (writer.h).
//
// Those of a received message stay as they came, one block of text, until somebody looks at one: even looking
// is for one thread at a time.
class Headers {
 public:
  struct Field {
    Field(std::string n, std::string v) : name(std::move(n)), value(std::move(v)) {}
    std::string name;
    std::string value;
  };

  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);
  Headers(const Headers& other) : fields_(other.fields()) {}
  Headers(Headers&& other) noexcept = default;
  Headers& operator=(const Headers& other) { return *this = Headers(other); }
  Headers& operator=(Headers&& other) noexcept = default;
  ~Headers() = default;

  // The first value of `name`; null when there is none. Valid until the headers change.
  const std::string* get(std::string_view name) const;
  // The first value of `name`, or `otherwise`.
  std::string_view get_or(std::string_view name, std::string_view otherwise) const;
  // Every value of `name`, joined with ", " as RFC 9110 section 5.3 allows; nullopt when there is none.
  std::optional<std::string> joined(std::string_view name) const;
  bool has(std::string_view name) const { return get(name) != nullptr; }
  std::size_t count(std::string_view name) const;

  // One value, in place of all that were there.
  void set(std::string_view name, std::string_view value);
  // One more.
  void add(std::string name, std::string value);
  // All of that name; how many there were.
  std::size_t remove(std::string_view name);

  bool empty() const { return size() == 0; }
  std::size_t size() const { return received_ ? received_->count : fields_.size(); }
  auto begin() const { return fields().begin(); }
  auto end() const { return fields().end(); }

  // For the parser: where the name and the value of a field stand in a text.
  struct Place {
    std::uint32_t name_at = 0;
    std::uint32_t name_size = 0;
    std::uint32_t value_at = 0;
    std::uint32_t value_size = 0;
  };
  // The fields that stand at `places` of `text`, which is copied.
  static Headers received(std::span<const Place> places, std::string_view text);

 private:
  // `count` places, then the text.
  struct Received {
    std::size_t bytes;  // of the whole
    std::uint32_t count;
  };
  struct FreeReceived {
    void operator()(Received* received) const { escapement::detail::free_block(received, received->bytes); }
  };

  std::vector<Field>& fields() const {
    if (received_) unpack();
    return fields_;
  }
  void unpack() const;

  mutable std::unique_ptr<Received, FreeReceived> received_;
  mutable std::vector<Field> fields_;
};

// ASCII without case: how field names and tokens compare.
bool equal_ignoring_case(std::string_view a, std::string_view b);

// Whether a comma-separated list value holds `token`, without case: "close" in "keep-alive, Close".
bool list_contains(std::string_view list, std::string_view token);

// Without the spaces and tabs at both ends (OWS, RFC 9110 section 5.6.3).
std::string_view without_white_space(std::string_view text);

// A part of an open file that a body consists of. Whoever sends it without reading it (sendfile) moves
// `offset` on and `left` down as it goes, so that others can see how far it came.
struct FileRange {
  int fd;  // owned by the body's source
  std::uint64_t offset;
  std::uint64_t left;
};

// Where the bytes of a streamed body come from.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // The next bytes; empty at the end. Called again only after it finished. Fails as its transport fails.
  // An incomplete body is never reported as ended: it fails.
  virtual Task<std::string> read() = 0;
  // How many bytes come in all, where known beforehand.
  virtual std::optional<std::uint64_t> length() const { return std::nullopt; }
  // Fields after the body; meaningful after the end.
  virtual Headers trailers() { return {}; }
  // Where the rest of the body is a part of a file: which. Null for all others, and for those that have to
  // look at the bytes. Changed by `read` as well.
  virtual FileRange* file_range() { return nullptr; }
};

// Something that lives as long as a body does: a permit, a line for a log. Its destructor runs when the body
// has been sent, or was given up.
class BodyGuard {
 public:
  virtual ~BodyGuard() = default;

 private:
  friend class Body;
  std::unique_ptr<BodyGuard> next_;
};

// The content of a message: nothing, bytes in memory, or a stream that can be read once.
//
// Destroying a body that was not read to its end gives up the rest: over HTTP/1.1 the connection is closed.
class Body {
 public:
  Body() = default;
  Body(std::string bytes) : bytes_(std::move(bytes)) {}
  Body(std::string_view bytes) : bytes_(bytes) {}
  Body(const char* bytes) : bytes_(bytes) {}
  explicit Body(std::unique_ptr<BodySource> source) : source_(std::move(source)) {}

  // True for bytes in memory (or nothing): sending it twice sends the same. A stream cannot be replayed.
  bool replayable() const { return source_ == nullptr; }
  // A copy; only of a replayable body (checked).
  Body copy() const;

  // The bytes in memory. Empty for a stream.
  const std::string& bytes() const { return bytes_; }
  // The length where known: of bytes in memory, or what the source says.
  std::optional<std::uint64_t> length() const;

  // The next bytes; empty at the end. The body must outlive the task.
  Task<std::string> read();
  // All that is left. Errc::limit_exceeded when it is more than `max` bytes.
  Task<std::string> text(std::size_t max);
  // Fields that came after the body; meaningful after the end was read.
  Headers trailers();
  // Of a stream: see BodySource. Valid as long as the body, and until it is read or moved.
  FileRange* file_range() { return source_ ? source_->file_range() : nullptr; }

  // `guard` lives from now on exactly as long as this body does, wherever that moves.
  void hold(std::unique_ptr<BodyGuard> guard);
  // What `other` holds is held here from now on: for a layer that puts another body in its place.
  void hold_what(Body& other);

 private:
  std::unique_ptr<BodyGuard> guards_;  // first: destroyed after the source
  std::string bytes_;
  bool bytes_taken_ = false;
  std::unique_ptr<BodySource> source_;
};

class Request {
 public:
  Request(Method method, Url url, Headers headers = {}, Body body = {})
      : method(std::move(method)), url(std::move(url)), headers(std::move(headers)), body(std::move(body)) {}

  Method method;
  Url url;
  Headers headers;
  Body body;
  // Of a request that a server received: the request target as it was sent ("/a?b", a whole URL, "*").
  std::string target = {};
  // Of a request that a server received: the other end of its connection, "127.0.0.1:4711", where known.
  // Refers to the connection: valid as long as the request is in work.
  std::string_view peer = {};
  // Of a request that a server received: 0 for HTTP/1.0.
  int minor_version = 1;
  // When the caller loses interest: a Timeout layer sets it, so that layers inside do not begin what cannot
  // be finished. It limits nothing by itself.
  Instant deadline = Instant::never();

  // A copy to send again, without the body where the body cannot be replayed: ask `body.replayable()`.
  Request copy_without_body() const {
    Request copy(method, url, headers);
    copy.deadline = deadline;
    return copy;
  }
};

class Response {
 public:
  explicit Response(int status, Body body = {}) : status(status), body(std::move(body)) {}
  Response(int status, Headers headers, Body body)
      : status(status), headers(std::move(headers)), body(std::move(body)) {}

  int status;  // 200..599 (100..199 never reach a caller)
  Headers headers;
  Body body;
};

// "OK" for 200; empty for a status without a registered phrase (RFC 9110 section 15).
std::string_view reason_phrase(int status);

// A GET of `url`, which must parse (checked): for URLs in the program's text. For others: Url::parse.
Request get(std::string_view url);

}  // namespace escapement::http
