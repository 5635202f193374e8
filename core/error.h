// Errors are values. `Error` says why something failed, `Result<T>` is a value or an `Error`.
//
// The kinds (`Errc`) are named by what the caller may do next, not by what went wrong inside: a program
// decides by the kind and prints the message. Inside coroutines errors travel by themselves: a failed
// `co_await` fails the awaiting task, and `.result()` is where somebody looks (task.h).

#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <escapement/core/detail/check.h>
#include <escapement/core/time.h>

namespace escapement {

// What went wrong, by what can be done about it.
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

// The kind's name as written above: "timed_out".
std::string_view name(Errc code);

// Which time limit ended what failed with Errc::timed_out.
enum class TimeLimit : std::uint8_t {
  none,       // no limit, or one of which nothing is known
  operation,  // with_timeout around any operation
  queue,      // waiting for a connection to become free
  resolve,    // looking up a name
  connect,    // opening a connection, including what belongs to it (the name, the handshake)
  handshake,  // TLS
  write,      // sending without progress
  head,       // waiting for the response's head after the request was sent
  body,       // waiting for the next bytes of a body
  per_try,    // one attempt of several
  overall,    // the whole call, with all its attempts
  handler,    // a server's: answering a request
};

// The limit's name as written above: "per_try".
std::string_view name(TimeLimit limit);

// Why something failed: a kind and one sentence, and where known the system's number, whether the peer may
// have seen any of it, which time limit ended it, whom it was about and which attempt it was. One pointer
// wide; copying copies the text. An `Error` always holds a reason.
class [[nodiscard]] Error {
 public:
  // `message` is a sentence's worth for a person: "connect to 127.0.0.1:80: connection refused".
  explicit Error(Errc code, std::string message = {});

  // From an errno-style number: picks the kind, and appends the system's text to `what` ("listen").
  static Error from_errno(int number, std::string_view what);
  // The same with the kind chosen: a timeout of an open connection is a reset, of a new one unavailable.
  static Error from_errno(int number, std::string_view what, Errc code);

  // Errc::overloaded, "out of memory": what may be said without any.
  static Error out_of_memory() noexcept;
  // Errc::cancelled, without a message. Needs no memory either.
  static Error cancelled() noexcept;

  Error(const Error& other);
  Error(Error&&) noexcept = default;
  Error& operator=(const Error& other);
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  Errc code() const { return state_->code; }
  const std::string& message() const { return state_->message; }
  // The system's error number, 0 where there is none.
  int os_number() const { return state_->os_number; }

  // Whether the peer may have received any of the request. True unless somebody knows better: a retry of
  // something that is not idempotent asks this.
  bool maybe_sent() const { return state_->maybe_sent; }
  Error&& nothing_sent() &&;
  Error& nothing_sent() &;

  // Which time limit ended it; TimeLimit::none for everything but timed_out.
  TimeLimit limit() const { return state_->limit; }
  // How long that limit was.
  Duration limit_length() const { return state_->limit_length; }
  // How long the operation had gone on when the limit ended it: at least the limit's length.
  Duration elapsed() const { return state_->elapsed; }
  Error&& ran_out(TimeLimit limit, Duration length, Duration elapsed) &&;

  // Whom the operation was about: "https://api.test", or "10.0.0.1:443" below HTTP. Empty where unknown.
  const std::string& peer() const { return state_->peer; }
  Error&& with_peer(std::string_view peer) &&;

  // Which of several attempts it was, from 1; 0 where nobody counts them.
  int attempt() const { return state_->attempt; }
  Error&& in_attempt(int attempt) &&;

  // "what: message", same kind: says what was being done when it failed.
  Error&& context(std::string_view what) &&;
  // "message; what": adds what else is known.
  Error&& remark(std::string_view what) &&;

  friend bool operator==(const Error& error, Errc code) { return error.code() == code; }

 private:
  struct State {
    Errc code;
    bool maybe_sent = true;
    int os_number = 0;
    std::string message;
    bool shared = false;  // by all that say it, and never changed
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
  friend void detail::check_failed(const char*, const char*, int, const Error&) noexcept;
  struct None {};
  explicit Error(None) {}  // the "no error" of a Result

  OwnState state_;
};

// A `T` or the reason why there is none. Reading the one that is not there is a bug and stops the program.
template <class T = void>
class [[nodiscard]] Result {
 public:
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

// Nothing, or the reason why it failed.
template <>
class [[nodiscard]] Result<void> {
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

// "timed_out: connect to 10.0.0.1:443: no connection within 10s (attempt 2)". The first attempt is not named.
std::string to_string(const Error& error);
namespace detail {
// "escapement: unhandled failure: reset: ..." to standard error, where there is one. Needs no memory.
void print_unhandled(const Error& error) noexcept;
}  // namespace detail

// For test frameworks and logs.
std::ostream& operator<<(std::ostream& out, const Error& error);
std::ostream& operator<<(std::ostream& out, Errc code);

}  // namespace escapement
