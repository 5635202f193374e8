// Errors are values: `Error` says why something failed, `Result<T>` is a value or an `Error`.
//
// The kinds (`Errc`) are named by what the caller can do next, not by what went wrong inside: a program acts
// on the kind and prints the message. Inside coroutines errors propagate by themselves: a failed `co_await`
// fails the awaiting task, up to the `.result()` that inspects the failure (task.h).

#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <escapement/core/detail/check.h>
#include <escapement/core/time.h>

namespace escapement {

namespace detail {
class PromiseBase;
}

// The kind of an error, named by what can be done about it.
enum class Errc : std::uint8_t {
  invalid_argument,   // the caller's input is wrong (a malformed URL): correct it; repeating cannot help
  unsupported,        // this platform or build cannot do it: repeating cannot help
  not_found,          // the name does not exist (NXDOMAIN): repeating cannot help
  unavailable,        // could not reach the peer, nothing was sent: try later, or another address
  address_in_use,     // the local address is taken: choose another, or wait
  reset,              // the connection broke half-way: the peer may have acted; repeat what is idempotent
  timed_out,          // a time limit passed: the peer may have acted; repeat what is idempotent
  bad_message,        // the peer broke the protocol: do not repeat
  untrusted,          // the peer did not prove who it is (certificates): nothing was sent; do not repeat
  limit_exceeded,     // something grew past a configured limit: raise the limit, or give up
  cancelled,          // the owner stopped it: not a failure of the operation
  overloaded,         // out of a local resource (descriptors, memory): try later
  permission_denied,  // the system refused: a person has to change something
  exception,          // user code threw a C++ exception; the message is its what()
  internal,           // a bug, ours or the host's
};

// Returns the kind's name as written above: "timed_out".
std::string_view name(Errc code);

// The time limit that ended an operation which failed with Errc::timed_out.
enum class TimeLimit : std::uint8_t {
  none,       // no limit, or an unknown one
  operation,  // with_timeout around any operation
  queue,      // waiting for a connection to become free
  resolve,    // looking up a name
  connect,    // opening a connection, including the name look-up and the handshake that belong to it
  handshake,  // TLS
  write,      // sending without progress
  head,       // waiting for the response's head after the request was sent
  body,       // waiting for the next bytes of a body
  per_try,    // one attempt of several
  overall,    // the whole call, with all its attempts
  handler,    // a server's handler producing a response
};

// Returns the limit's name as written above: "per_try".
std::string_view name(TimeLimit limit);

// A narrower reason than the kind, for programs that tell failures to connect apart. A program that does not
// care decides by the kind alone. Further ones may be added.
enum class Fault : std::uint8_t {
  none,  // there is none, or it is unknown

  // Looking up a name.
  no_such_host,        // not_found: DNS says that the name does not exist (NXDOMAIN)
  no_address,          // not_found: the name exists, and has no address of the family that was asked for
  bad_host_name,       // not_found: not a name that DNS could hold
  dns_refused,         // unavailable: a server refused to answer (REFUSED)
  dns_server_failure,  // unavailable: a server could not find out (SERVFAIL)
  dns_no_answer,       // unavailable: no server answered in time, or none could be reached
  dns_bad_answer,      // unavailable: an answer is malformed, or not to the question

  // Connecting.
  https_only,  // invalid_argument: the URL is http, and only https is allowed

  // A proxy. The kind is unavailable, or as stated.
  proxy_unreachable,    // no connection to the proxy itself
  proxy_auth_required,  // permission_denied: the proxy wants credentials, or does not accept these
  proxy_refused,        // permission_denied: the proxy does not connect to this host
  proxy_failed,         // the proxy could not connect to the host
  proxy_bad_answer,     // bad_message: the answer is not one of the proxy's protocol, or too long
  proxy_closed,         // the proxy closed the connection instead of answering

  // A certificate: untrusted. Of several faults the first one in this list is reported.
  certificate_self_signed,       // it is its own issuer, and not trusted
  certificate_untrusted_issuer,  // no path leads to a trusted certificate
  certificate_name_constraints,  // a name in it is outside what an issuer may issue for
  certificate_expired,           // its time, or an issuer's, is over
  certificate_not_yet_valid,     // its time, or an issuer's, has not begun
  certificate_wrong_name,        // it is for other hosts
  certificate_no_names,          // it lists no alternative names, which alone count (RFC 9525)
  certificate_wrong_usage,       // it, or an issuer, is not for servers (for clients)
  certificate_weak,              // a key or a signature in the chain is too weak
  certificate_invalid,           // it breaks another rule: versions, critical extensions, path lengths
  certificate_not_pinned,        // its key is none of the pinned ones
  certificate_missing,           // the peer sent none
};

// Returns the fault's name as written above: "certificate_expired".
std::string_view name(Fault fault);

// The reason for a failure: a kind and a one-sentence message, and where known the system's error number,
// whether the peer may have received any of the request, the time limit that expired, the peer, and the
// number of the attempt. One pointer wide; copying copies the text. An `Error` always holds a reason.
class [[nodiscard(
    "an error that is dropped is a failure that nobody hears of: return it, or co_await it")]] Error {
 public:
  // `message` is one sentence for a person: "connect to 127.0.0.1:80: connection refused".
  [[nodiscard("an error that is dropped is a failure that nobody hears of: return it, or co_await it")]]
  explicit Error(Errc code, std::string message = {});

  // Makes an error from an errno value: picks the kind and appends the system's text to `what` ("listen").
  static Error from_errno(int number, std::string_view what);
  // Overload with a given kind: a timeout of an open connection is a reset, of a new one unavailable.
  static Error from_errno(int number, std::string_view what, Errc code);

  // Returns Errc::overloaded, "out of memory". Allocates nothing, on wasm from the second call on.
  static Error out_of_memory() noexcept;
  // Errc::cancelled, without a message. Needs no memory either.
  static Error cancelled() noexcept;
  // Returns `reason` as the reason for a cancellation: its kind becomes Errc::cancelled, and the message and
  // all the data stay. An error of that kind is returned as it is.
  static Error cancelled(Error reason);

  Error(const Error& other);
  Error(Error&&) noexcept = default;
  Error& operator=(const Error& other);
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  // Returns the kind, by which programs decide.
  Errc code() const { return state_->code; }
  // Returns the sentence for a person. Valid as long as the error, and until it changes.
  const std::string& message() const { return state_->message; }
  // Returns the system's error number, 0 if there is none.
  int os_number() const { return state_->os_number; }

  // Returns the reason for a cancellation, as it was given to Error::cancelled; nothing if none was, and for
  // every other kind. Copies the text.
  std::optional<Error> reason() const;

  // Returns whether the peer may have received any of the request; true unless it is known not to have.
  // Decides whether a request that is not idempotent may be retried.
  bool maybe_sent() const { return state_->maybe_sent; }
  Error&& nothing_sent() &&;
  Error& nothing_sent() &;

  // Returns the time limit that expired; TimeLimit::none for every kind but timed_out, and cancelled for that
  // reason.
  TimeLimit limit() const { return state_->limit; }
  // Returns the length of that limit.
  Duration limit_length() const { return state_->limit_length; }
  // Returns how long the operation had run when the limit expired: at least the limit's length.
  Duration elapsed() const { return state_->elapsed; }
  Error&& ran_out(TimeLimit limit, Duration length, Duration elapsed) &&;

  // Returns the narrower reason, Fault::none if there is none.
  Fault fault() const { return state_->fault; }
  Error&& because(Fault fault) &&;

  // Returns the peer of the operation: "https://api.test", or "10.0.0.1:443" below HTTP. Empty if unknown.
  const std::string& peer() const { return state_->peer; }
  Error&& with_peer(std::string_view peer) &&;

  // Returns the number of the attempt, from 1; 0 if attempts are not counted.
  int attempt() const { return state_->attempt; }
  Error&& in_attempt(int attempt) &&;

  // Prepends what was being done when it failed: "what: message". Keeps the kind.
  Error&& context(std::string_view what) &&;
  // Appends what else is known: "message; what".
  Error&& remark(std::string_view what) &&;

  friend bool operator==(const Error& error, Errc code) { return error.code() == code; }

 private:
  struct State {
    Errc code;
    Errc reason = Errc::cancelled;  // the kind before it was cancelled, if it had another
    bool maybe_sent = true;
    Fault fault = Fault::none;
    int os_number = 0;
    std::string message;
    bool shared = false;  // by all copies, and never changed
    TimeLimit limit = TimeLimit::none;
    int attempt = 0;
    Duration limit_length;
    Duration elapsed;
    std::string peer;
  };
  struct Free {
    void operator()(State* state) const noexcept;
  };
  using OwnState = std::unique_ptr<State, Free>;

  static OwnState copy_of(State* state);
  State& state_to_change();

  template <class>
  friend class Result;
  friend class detail::PromiseBase;
  friend void detail::check_failed(const char*, const char*, int, const Error&) noexcept;
  friend std::string to_string(const Error& error);
  struct None {};
  explicit Error(None) {}  // the "no error" of a Result, and of a task that has not failed

  OwnState state_;
};

// A `T`, or the reason why there is none. Reading the one that is not there is a bug and stops the program.
template <class T = void>
class [[nodiscard("it may be a failure: look at it, or co_await it to pass a failure on")]] Result {
 public:
  // Holds a value, or the reason why there is none.
  Result(T&& value) : has_value_(true), error_(Error::None{}) { ::new (&value_) T(std::move(value)); }
  Result(const T& value) : has_value_(true), error_(Error::None{}) { ::new (&value_) T(value); }
  Result(Error error) : has_value_(false), error_(std::move(error)) {}

  Result(Result&& other) noexcept : has_value_(other.has_value_), error_(std::move(other.error_)) {
    if (has_value_) ::new (&value_) T(std::move(other.value_));
  }
  Result(const Result& other) : has_value_(other.has_value_), error_(Error::None{}) {
    if (has_value_) {
      ::new (&value_) T(other.value_);
    } else {
      error_ = other.error_;
    }
  }
  Result& operator=(Result other) noexcept {
    this->~Result();
    ::new (this) Result(std::move(other));
    return *this;
  }
  ~Result() {
    if (has_value_) value_.~T();
  }

  explicit operator bool() const { return has_value_; }

  T& operator*() & { return checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }

  // Returns the reason for the failure. There must be one (checked).
  const Error& error() const& {
    ESC_CHECK(!has_value_, "error() of a Result that has a value");
    return error_;
  }
  Error&& error() && {
    ESC_CHECK(!has_value_, "error() of a Result that has a value");
    return std::move(error_);
  }

 private:
  T& checked() {
    ESC_CHECK(has_value_, error_);
    return value_;
  }

  bool has_value_;
  Error error_;
  union {
    T value_;
  };
};

// Success, or the reason for the failure.
template <>
class [[nodiscard("it may be a failure: look at it, or co_await it to pass a failure on")]] Result<void> {
 public:
  Result() : has_value_(true), error_(Error::None{}) {}
  Result(Error error) : has_value_(false), error_(std::move(error)) {}

  Result(Result&&) noexcept = default;
  Result& operator=(Result&&) noexcept = default;
  Result(const Result& other) : has_value_(other.has_value_), error_(Error::None{}) {
    if (!has_value_) error_ = other.error_;
  }
  Result& operator=(const Result& other) { return *this = Result(other); }

  explicit operator bool() const { return has_value_; }
  void operator*() const { ESC_CHECK(has_value_, error_); }

  const Error& error() const& {
    ESC_CHECK(!has_value_, "error() of a Result that has a value");
    return error_;
  }
  Error&& error() && {
    ESC_CHECK(!has_value_, "error() of a Result that has a value");
    return std::move(error_);
  }

 private:
  bool has_value_;
  Error error_;
};

// Formats an error: "timed_out: connect to 10.0.0.1:443: no connection within 10s (attempt 2)". The first
// attempt is not mentioned. A reason has its kind: "cancelled: reset: the client is gone".
std::string to_string(const Error& error);
namespace detail {
// Prints "escapement: unhandled failure: reset: ..." to standard error, if there is one. Allocates nothing.
void print_unhandled(const Error& error) noexcept;
}  // namespace detail

// Stream output for test frameworks and logs.
std::ostream& operator<<(std::ostream& out, const Error& error);
std::ostream& operator<<(std::ostream& out, Errc code);

}  // namespace escapement
