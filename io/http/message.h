// HTTP messages: Method, Headers, Body, Request, Response.

#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/check.h>
#include <escapement/core/detail/compact_text.h>
#include <escapement/core/detail/frame_pool.h>
#include <escapement/core/task.h>
#include <escapement/io/file_range.h>
#include <escapement/io/http/url.h>

namespace escapement {
class Stream;
}

namespace escapement::http {

struct CallProgress;

// A request method: a token (RFC 9110 section 9). The usual ones have names.
class Method {
 public:
  // `token` is kept as it is: methods are case-sensitive. Whether it is a token is checked when sent.
  ESC_INLINE Method(std::string_view token) : known_(known(token)) {
    if (known_ == Known::none) other_ = CompactText(token);
  }
  Method(const std::string& token) : Method(std::string_view(token)) {}
  Method(const char* token) : Method(std::string_view(token)) {}

  // GET
  static Method get() { return Method(Known::get); }
  // HEAD
  static Method head() { return Method(Known::head); }
  // POST
  static Method post() { return Method(Known::post); }
  // PUT
  static Method put() { return Method(Known::put); }
  // DELETE
  static Method delete_() { return Method(Known::delete_); }
  // OPTIONS
  static Method options() { return Method(Known::options); }
  // PATCH
  static Method patch() { return Method(Known::patch); }

  // Valid as long as the method.
  std::string_view text() const {
    return known_ != Known::none ? names[static_cast<std::size_t>(known_)] : other_.view();
  }
  // GET, HEAD, OPTIONS, TRACE, QUERY: asks for nothing to change.
  bool safe() const;
  // Safe, or PUT or DELETE: twice has the effect of once.
  bool idempotent() const;

  bool operator==(const Method& other) const {
    return known_ == other.known_ && (known_ != Known::none || other_.view() == other.other_.view());
  }

 private:
  // Those that need no memory of their own.
  enum class Known : std::uint8_t { none, get, head, post, put, delete_, options, patch, trace, query };
  static constexpr std::array<std::string_view, 10> names = {"",       "GET",     "HEAD",  "POST",  "PUT",
                                                             "DELETE", "OPTIONS", "PATCH", "TRACE", "QUERY"};
  explicit Method(Known known) : known_(known) {}
  // Compares by length first, then with constants of that length in two parts of two or four bytes, which may
  // overlap: compilers call memcmp for three, five, six or seven.
  ESC_INLINE static Known known(std::string_view token) {
    const auto is = [token](const auto& name) {
      constexpr std::size_t size = sizeof name - 1;
      constexpr std::size_t part = std::bit_floor(size);
      return std::memcmp(token.data(), name, part) == 0 &&
             std::memcmp(token.data() + size - part, name + size - part, part) == 0;
    };
    switch (token.size()) {
      case 3: return is("GET") ? Known::get : is("PUT") ? Known::put : Known::none;
      case 4: return is("POST") ? Known::post : is("HEAD") ? Known::head : Known::none;
      case 5:
        return is("PATCH")   ? Known::patch
               : is("TRACE") ? Known::trace
               : is("QUERY") ? Known::query
                             : Known::none;
      case 6: return is("DELETE") ? Known::delete_ : Known::none;
      case 7: return is("OPTIONS") ? Known::options : Known::none;
      default: return Known::none;
    }
  }

  Known known_;
  CompactText other_;
};

// Field lines in order. Names compare without case; a name may occur several times. Values are kept as
// they are, without the white space around them; whether names and values may be sent is checked when they
// are (writer.h).
//
// Fields that came from a peer, or were given all at once, stay one block of text until somebody wants to
// change or to walk over them: even looking is for one thread at a time.
class Headers {
 public:
  // One field line.
  struct Field {
    Field(std::string n, std::string v) : name(std::move(n)), value(std::move(v)) {}
    std::string name;   // as it was written
    std::string value;  // without the white space around it
  };

  Headers() = default;
  // Holds the fields in this order: `Headers{{"Accept", "*/*"}, {"X-Trace", "1"}}`.
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);
  Headers(const Headers& other);
  Headers(Headers&& other) noexcept = default;
  Headers& operator=(const Headers& other) { return *this = Headers(other); }
  Headers& operator=(Headers&& other) noexcept = default;
  ~Headers() = default;

  // The first value of `name`; null when there is none. Valid until the headers change.
  const std::string* get(std::string_view name) const;
  // The first value of `name`, or `otherwise`. Valid until the headers change.
  std::string_view get_or(std::string_view name, std::string_view otherwise) const;
  // Every value of `name`, joined with ", " as RFC 9110 section 5.3 allows; nullopt when there is none.
  std::optional<std::string> joined(std::string_view name) const;
  bool has(std::string_view name) const { return count(name) != 0; }
  std::size_t count(std::string_view name) const;

  // One value, in place of all that were there.
  void set(std::string_view name, std::string_view value);
  // One more.
  void add(std::string name, std::string value);
  // All of that name; how many there were.
  std::size_t remove(std::string_view name);

  // Returns whether there is no field.
  bool empty() const { return size() == 0; }
  // Returns the number of field lines.
  std::size_t size() const { return !store_ ? 0 : store_->changed ? fields().size() : store_->count; }
  const Field* begin() const { return empty() ? nullptr : fields().data(); }
  const Field* end() const { return empty() ? nullptr : fields().data() + fields().size(); }

  // Brings fields in when somebody first asks for them: for a host, such as a JavaScript engine, that has
  // them in a form of its own.
  class Loader {
   public:
    virtual ~Loader() = default;
    // Returns all of them. Called once at most.
    virtual std::vector<Field> all() = 0;
    // Returns the value of the first field named so, or null; valid as long as the loader. Not called after
    // `all`.
    virtual const std::string* get(std::string_view name) = 0;
  };
  // Returns the fields that `loader` brings, which lives as long as they do.
  static Headers loaded_by(std::unique_ptr<Loader> loader);
  // Returns the loader while nobody has asked for more than single fields, else null. Valid until somebody
  // does.
  Loader* loader() const {
    return store_ && store_->loads && !store_->fields ? &loader_of(*store_) : nullptr;
  }

  // Where the name and the value of a field stand in a text.
  struct Place {
    std::uint32_t name_at = 0;     // the offset of the name
    std::uint32_t name_size = 0;   // the length of the name
    std::uint32_t value_at = 0;    // the offset of the value
    std::uint32_t value_size = 0;  // the length of the value
  };
  // For the parser: the fields that stand at `places` of `text`, which is copied from the first name on.
  static Headers received(std::span<const Place> places, std::string_view text);

  // The text that they were received as, from the first name to the last value; valid until they change.
  std::string_view as_received() const {
    if (!store_) return {};
    return {store_->text(), store_->text_size};
  }

  // Calls `see(name, value)` for each field, in order, as views: without the work of taking a block apart.
  template <class F>
  void each(F see) const {
    if (!store_) return;
    if (store_->changed) {
      for (const Field& field : fields()) see(std::string_view(field.name), std::string_view(field.value));
      return;
    }
    const char* const text = store_->text() - store_->base;
    const Place* place = store_->places();
    for (const Place* const end = place + store_->count; place != end; ++place) {
      see(std::string_view(text + place->name_at, place->name_size),
          std::string_view(text + place->value_at, place->value_size));
    }
  }
  // For the writer. The fields as they would be sent, "Name: value\r\n" each, where they are at hand like
  // that: what they hold was not looked at. Else empty.
  std::string_view as_sent() const {
    if (!store_ || !store_->lines || store_->changed) return {};
    return {store_->text(), store_->text_size};
  }

 private:
  // A block: this, `count` places, then the text.
  struct Store {
    // Each field as strings, made when they are first asked for.
    std::unique_ptr<std::vector<Field>> fields;
    std::uint32_t text_size;
    std::uint32_t count;
    std::uint32_t base;  // places count from so many bytes before the text
    bool lines;          // the text is nothing but "Name: value\r\n" for each
    bool changed;        // the text does not count any more: `fields` does
    bool loads;          // `fields` come by a loader, whose address stands in the one place

    std::size_t bytes() const { return sizeof(Store) + count * sizeof(Place) + text_size; }
    Place* places() { return reinterpret_cast<Place*>(this + 1); }
    char* text() { return reinterpret_cast<char*>(places() + count); }
  };
  struct FreeStore {
    void operator()(Store* store) const;  // not inline: most that go were moved from
    static void drop_fields(Store& store);
  };

  static Loader& loader_of(Store& store);
  static Store* new_store(std::size_t count, std::size_t text_size);
  std::vector<Field>& fields() const;
  std::vector<Field>& fields_to_change();

  std::unique_ptr<Store, FreeStore> store_;
};

// Compares field names and tokens.
using escapement::equal_ignoring_case;

// Returns whether a comma-separated list value holds `token`, ignoring case: "close" in "keep-alive, Close".
bool list_contains(std::string_view list, std::string_view token);

// Returns `text` without the spaces and tabs at both ends (OWS, RFC 9110 section 5.6.3).
std::string_view without_white_space(std::string_view text);

// Returns the value of parameter `name`, whose case does not matter, in a list of items between commas or
// semicolons: "30" for "t" in `"a";r=0;t=30`, "5" for "timeout" in "max=100, timeout=5". The first of that
// name, without white space and quotes around it; empty where there is none.
std::string_view list_parameter(std::string_view list, std::string_view name);

// The source of a streamed body's bytes.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // Returns the next bytes; empty at the end. Called again only after it finished. Fails as its transport
  // fails. An incomplete body never just ends: it fails.
  virtual Task<std::string> read() = 0;
  // Returns how many bytes come in all, if that is known beforehand.
  virtual std::optional<std::uint64_t> length() const { return std::nullopt; }
  // Returns the fields after the body; meaningful after the end.
  virtual Headers trailers() { return {}; }
  // Returns the number by which a JavaScript host knows this body, while nothing of it has been read: the
  // host can then pass it on by itself. 0 for all other bodies.
  virtual int host_handle() { return 0; }
  // Returns the part of a file that the rest of the body is. Null for all other bodies, and for sources that
  // have to look at the bytes. `read` changes it as well.
  virtual FileRange* file_range() { return nullptr; }
};

// Returns whether sending a request twice has the effect of sending it once: by its method, or because it
// carries an Idempotency-Key (or X-Idempotency-Key) by which the server knows it again.
bool idempotent(const Method& method, const Headers& headers);

// An object that lives as long as a body: a permit, a line for a log. Its destructor runs when the body has
// been sent, or was given up.
class BodyAttachment {
 public:
  virtual ~BodyAttachment() = default;

 private:
  friend class Body;
  std::unique_ptr<BodyAttachment> next_;
};

// The content of a message: nothing, bytes in memory, or a stream that can be read once.
//
// Destroying a body that was not read to its end gives up the rest: over HTTP/1.1 the connection is closed.
class Body {
 public:
  Body() = default;
  // Holds bytes in memory; empty ones are no body.
  Body(std::string bytes) : content_(bytes.empty() ? nullptr : new Content(std::move(bytes))) {}
  Body(std::string_view bytes) : content_(bytes.empty() ? nullptr : new Content(bytes)) {}
  Body(const char* bytes) : Body(std::string_view(bytes)) {}
  explicit Body(std::unique_ptr<BodySource> source) : content_(new Content(std::move(source))) {}
  // Makes a body of an async sequence, such as a Generator<std::string>: the same as streamed_body. Include
  // body_sequence.h, which defines it.
  template <class S>
    requires requires(S& sequence) { sequence.next(); }
  explicit Body(S&& sequence);

  // True for bytes in memory (or nothing): sending it twice sends the same. A stream cannot be replayed.
  bool replayable() const { return !content_ || !content_->source; }
  // Returns a copy. The body must be replayable (checked).
  Body copy() const;

  // The bytes in memory, valid until the body changes. Empty for a stream.
  std::string_view bytes() const { return content_ ? std::string_view(content_->bytes) : std::string_view(); }
  // Returns the length, if known: of the bytes in memory, or as the source says.
  std::optional<std::uint64_t> length() const {
    return replayable() ? bytes().size() : content_->source->length();
  }

  // Returns the next bytes; empty at the end. The body must outlive the task.
  Task<std::string> read();
  // Returns all that is left. Errc::limit_exceeded if it is more than `max` bytes.
  Task<std::string> text(std::size_t max);
  // Returns the fields that came after the body; meaningful after the end was read.
  Headers trailers();
  // As BodySource::file_range; null for bytes in memory. Valid as long as the body, and until it is read or
  // moved.
  FileRange* file_range() { return replayable() ? nullptr : content_->source->file_range(); }
  // As BodySource::host_handle; 0 also for a body with attachments, which end with it.
  int host_handle() { return replayable() || content_->guards ? 0 : content_->source->host_handle(); }

  // Keeps `guard` for exactly as long as this body lives, wherever that moves.
  void attach(std::unique_ptr<BodyAttachment> guard);
  // Takes over other's attachments: for a layer that puts another body in its place.
  void take_attachments(Body& other);

 private:
  // Apart, so that bodies move as one pointer, and most have none.
  struct Content {
    explicit Content(std::string b) : bytes(std::move(b)) {}
    explicit Content(std::string_view b) : bytes(b) {}
    explicit Content(std::unique_ptr<BodySource> s) : source(std::move(s)) {}
    Content(const Content&) = delete;
    static void* operator new(std::size_t size) { return escapement::detail::allocate_block(size); }
    static void operator delete(void* content, std::size_t size) {
      escapement::detail::free_block(content, size);
    }

    std::unique_ptr<BodyAttachment> guards;  // first: destroyed after the source
    std::string bytes;
    bool bytes_taken = false;
    std::unique_ptr<BodySource> source;
  };

  struct FreeContent {
    void operator()(Content* content) const;
  };

  std::unique_ptr<Content, FreeContent> content_;
};

namespace detail {
class RequestLink;
}

// A request's link to the server connection that it came by. Empty for requests that came from no Server.
//
// Copies refer to the same request, and may outlive it and its connection. Once the request is over they
// reach nobody: `peer` is still known, and `inform` fails.
class RequestContext {
 public:
  // The connection's side, for servers of other kinds and for tests.
  class Connection {
   public:
    // As Request::peer.
    virtual std::string_view peer() = 0;
    // As http::inform (interim.h).
    virtual Result<> inform(int status, const Headers& fields) = 0;
    // Notes where the code of the chosen handler begins, for a watchdog that names it.
    virtual void note_handler_code(const void* code) = 0;

   protected:
    ~Connection() = default;
  };

  RequestContext() = default;
  // `connection` must outlive the requests that hold this.
  explicit RequestContext(Connection& connection) : record_(new Record) { record_->connection = &connection; }
  RequestContext(const RequestContext& other) : record_(other.record_) {
    if (record_ != nullptr) ++record_->owners;
  }
  RequestContext(RequestContext&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  RequestContext& operator=(RequestContext other) noexcept {
    std::swap(record_, other.record_);
    return *this;
  }
  ~RequestContext() {
    if (record_ != nullptr && --record_->owners == 0) free(record_);
  }

  // Returns the other end of the connection, as Request::peer.
  std::string_view peer() const {
    if (record_ == nullptr) return {};
    return record_->connection != nullptr ? record_->connection->peer() : record_->peer.view();
  }
  // Errc::cancelled once the request is over; else as http::inform.
  Result<> inform(int status, const Headers& fields) const;
  // Called by layers that choose a handler, as Router does.
  void note_handler_code(const void* code) const {
    if (record_ != nullptr && record_->connection != nullptr) record_->connection->note_handler_code(code);
  }

 private:
  friend class detail::RequestLink;
  // Shared by all copies, which are of one thread.
  struct Record {
    int owners = 1;
    Connection* connection = nullptr;  // null once the request is over
    CompactText peer;                  // the connection's, from then on
  };
  static void free(Record* record);  // not inline: most that go were moved from

  Record* record_ = nullptr;
};

// A request, to be sent or received. Movable; copy it by `copy_without_body`.
class Request {
 public:
  Request(Method request_method, Url request_url, Headers fields = {}, Body content = {})
      : method(std::move(request_method)),
        url(std::move(request_url)),
        headers(std::move(fields)),
        body(std::move(content)) {}

  // Explains the mistake, for a URL that is still text.
  template <std::convertible_to<std::string_view> Text>
  Request(Method, const Text&, Headers = {}, Body = {}) {
    static_assert(escapement::detail::never<Text>,
                  "a Request takes a parsed URL, because text may be no URL: http::Url url = co_await "
                  "http::Url::parse(text);");
  }

  Method method;    // what is asked for
  Url url;          // absolute; a server fills in its own scheme and the Host field
  Headers headers;  // in order; those for the host and for framing are added when it is sent
  Body body;        // sent or received after the head
  // The request target as it was sent ("/a?b", a whole URL, "*"), if a server received this request. Refers
  // to the connection: valid while the request is in flight.
  std::string_view target = {};
  // The connection that this request came by. Empty for others.
  RequestContext context = {};
  // 0 if a server received this request by HTTP/1.0.
  int minor_version = 1;
  // The number of this attempt in a Retry layer, from 1; 0 outside of one.
  int attempt = 0;
  // When the caller loses interest: a Timeout layer sets it, so that layers inside do not begin what cannot
  // be finished. It limits nothing by itself.
  Instant deadline = Instant::never();
  // The client reports here how far the request has come (progress.h). May be null.
  std::shared_ptr<CallProgress> progress = nullptr;

  // Returns the other end of the connection that this request came by, "127.0.0.1:4711". Empty for requests
  // that no server received, and if it is not known. Known also when the request is over; a view that was
  // returned before is not valid any more then.
  std::string_view peer() const { return context.peer(); }

  // Returns a copy to send again, without the body: ask `body.replayable()`, and copy it.
  Request copy_without_body() const {
    Request copy(method, url, headers);
    copy.attempt = attempt;
    copy.deadline = deadline;
    copy.progress = progress;
    return copy;
  }
};

// Speaks another protocol on a connection that has left HTTP, until its task has finished (upgrade.h).
using Protocol = std::function<Task<>(std::unique_ptr<Stream>)>;

// A response, to be sent or received.
class Response {
 public:
  explicit Response(int status_code, Body content = {}) : status(status_code), body(std::move(content)) {}
  Response(int status_code, Headers fields, Body content)
      : status(status_code), headers(std::move(fields)), body(std::move(content)) {}

  int status;       // 200..599 (100..199 never reach a caller); 101: upgrade.h
  Headers headers;  // in order; those for framing are added when it is sent
  Body body;        // sent or received after the head
  // The protocol that takes over the connection after a 101 (upgrade_to). Null for all other responses.
  std::unique_ptr<Protocol> upgrade = nullptr;
};

// Returns whether bytes may follow the head of a response with this status, to any request but HEAD (RFC 9112
// section 6.3).
constexpr bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

// Returns whether such a response may have content: a 205 has a body, which is empty (RFC 9110
// section 15.3.6).
constexpr bool may_have_content(int status) { return may_have_body(status) && status != 205; }

// Returns "OK" for 200; empty for a status without a registered phrase (RFC 9110 section 15).
std::string_view reason_phrase(int status);

// Returns the status of the response to a request whose handler has failed: 503 if it took too long or ran
// out of a local resource such as memory, 500 otherwise.
int error_status(const Error& error);

// Returns a GET of `url`, which must parse (checked): for URLs in the program's text. For others: Url::parse.
Request get(std::string_view url);

}  // namespace escapement::http
