#include <escapement/core/error.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <ostream>

namespace escapement {

namespace {

// In the order of Errc.
constexpr std::string_view names[] = {
    "invalid_argument",  "unsupported", "not_found", "unavailable",    "address_in_use", "reset",
    "timed_out",         "bad_message", "untrusted", "limit_exceeded", "cancelled",      "overloaded",
    "permission_denied", "exception",   "internal",
};
static_assert(std::size(names) == static_cast<std::size_t>(Errc::internal) + 1);

// In the order of TimeLimit.
constexpr std::string_view limit_names[] = {
    "none",  "operation", "queue", "resolve", "connect", "handshake",
    "write", "head",      "body",  "per_try", "overall", "handler",
};
static_assert(std::size(limit_names) == static_cast<std::size_t>(TimeLimit::handler) + 1);

// In the order of Fault.
constexpr std::string_view fault_names[] = {
    "none",
    "no_such_host",
    "no_address",
    "bad_host_name",
    "dns_refused",
    "dns_server_failure",
    "dns_no_answer",
    "dns_bad_answer",
    "https_only",
    "proxy_unreachable",
    "proxy_auth_required",
    "proxy_refused",
    "proxy_failed",
    "proxy_bad_answer",
    "proxy_closed",
    "certificate_self_signed",
    "certificate_untrusted_issuer",
    "certificate_name_constraints",
    "certificate_expired",
    "certificate_not_yet_valid",
    "certificate_wrong_name",
    "certificate_no_names",
    "certificate_wrong_usage",
    "certificate_weak",
    "certificate_invalid",
    "certificate_not_pinned",
    "certificate_missing",
};
static_assert(std::size(fault_names) == static_cast<std::size_t>(Fault::certificate_missing) + 1);

}  // namespace

std::string_view name(Errc code) {
  const auto number = static_cast<std::size_t>(code);
  return number < std::size(names) ? names[number] : "unknown";
}

std::string_view name(TimeLimit limit) {
  const auto number = static_cast<std::size_t>(limit);
  return number < std::size(limit_names) ? limit_names[number] : "unknown";
}

std::string_view name(Fault fault) {
  const auto number = static_cast<std::size_t>(fault);
  return number < std::size(fault_names) ? fault_names[number] : "unknown";
}

namespace {

Errc kind_of(int number) {
  switch (number) {
    case ECONNREFUSED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ETIMEDOUT:
    case EADDRNOTAVAIL: return Errc::unavailable;
    case EADDRINUSE: return Errc::address_in_use;
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EPIPE: return Errc::reset;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case EAGAIN: return Errc::overloaded;
    case EACCES:
    case EPERM: return Errc::permission_denied;
    case EINVAL:
    case EBADF: return Errc::invalid_argument;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EOPNOTSUPP:
    case ENOSYS: return Errc::unsupported;
    default: return Errc::internal;
  }
}

}  // namespace

Error::Error(Errc code, std::string message)
    : state_(new State{.code = code, .message = std::move(message), .peer = {}}) {}

Error Error::out_of_memory() noexcept {
  // The first call allocates its text where a string holds only 10 characters itself (wasm).
  static State state{
      .code = Errc::overloaded, .os_number = ENOMEM, .message = "out of memory", .shared = true, .peer = {}};
  Error error(None{});
  error.state_.reset(&state);
  return error;
}

Error Error::cancelled() noexcept {
  static State state{.code = Errc::cancelled, .message = {}, .shared = true, .peer = {}};
  Error error(None{});
  error.state_.reset(&state);
  return error;
}

Error Error::cancelled(Error reason) {
  if (reason == Errc::cancelled) return reason;
  State& state = reason.state_to_change();
  state.reason = std::exchange(state.code, Errc::cancelled);
  return reason;
}

std::optional<Error> Error::reason() const {
  if (state_->reason == Errc::cancelled) return std::nullopt;
  Error reason(*this);
  reason.state_->code = std::exchange(reason.state_->reason, Errc::cancelled);
  return reason;
}

void Error::Free::operator()(State* state) const noexcept {
  if (!state->shared) delete state;
}

Error::OwnState Error::copy_of(State* state) {
  return OwnState(state == nullptr || state->shared ? state : new State(*state));
}

Error::State& Error::state_to_change() {
  if (!state_->shared) return *state_;
  OwnState own(new State(*state_));
  own->shared = false;
  state_ = std::move(own);
  return *state_;
}

Error Error::from_errno(int number, std::string_view what) {
  return from_errno(number, what, kind_of(number));
}

Error Error::from_errno(int number, std::string_view what, Errc code) {
  std::string message(what);
  message += ": ";
  message += std::strerror(number);
  Error error(code, std::move(message));
  error.state_->os_number = number;
  return error;
}

Error::Error(const Error& other) : state_(copy_of(other.state_.get())) {}

Error& Error::operator=(const Error& other) {
  if (this != &other) state_ = copy_of(other.state_.get());
  return *this;
}

Error&& Error::nothing_sent() && {
  state_to_change().maybe_sent = false;
  return std::move(*this);
}

Error& Error::nothing_sent() & {
  state_to_change().maybe_sent = false;
  return *this;
}

Error&& Error::ran_out(TimeLimit limit, Duration length, Duration elapsed) && {
  State& state = state_to_change();
  state.limit = limit;
  state.limit_length = length;
  state.elapsed = elapsed;
  return std::move(*this);
}

Error&& Error::because(Fault fault) && {
  state_to_change().fault = fault;
  return std::move(*this);
}

Error&& Error::with_peer(std::string_view peer) && {
  state_to_change().peer = peer;
  return std::move(*this);
}

Error&& Error::in_attempt(int attempt) && {
  state_to_change().attempt = attempt;
  return std::move(*this);
}

Error&& Error::context(std::string_view what) && {
  std::string message(what);
  if (!state_->message.empty()) message.append(": ", 2).append(state_->message);
  state_to_change().message = std::move(message);
  return std::move(*this);
}

Error&& Error::remark(std::string_view what) && {
  std::string& message = state_to_change().message;
  if (!message.empty()) message += "; ";
  message += what;
  return std::move(*this);
}

namespace {

// In a small wasm module the functions by which a std::string grows, and std::to_string, would be most of the
// code for errors. So a text is put together in memory that is large enough.
char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

constexpr std::size_t digits_max = std::numeric_limits<int>::digits10 + 1;

char* put_digits(char* at, int number) {
  char digits[digits_max];
  char* first = std::end(digits);
  do {
    *--first = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return put(at, {first, static_cast<std::size_t>(std::end(digits) - first)});
}

}  // namespace

std::string to_string(const Error& error) {
  constexpr std::size_t rest_max = 64 + digits_max;  // two names, and what is between them
  const std::unique_ptr<char[]> text(new char[error.message().size() + rest_max]);
  char* at = put(text.get(), name(error.code()));
  if (error.state_->reason != Errc::cancelled) at = put(put(at, ": "), name(error.state_->reason));
  if (!error.message().empty()) at = put(put(at, ": "), error.message());
  if (error.attempt() > 1) at = put(put_digits(put(at, " (attempt "), error.attempt()), ")");
  return std::string(text.get(), at);
}

std::ostream& operator<<(std::ostream& out, const Error& error) { return out << to_string(error); }

std::ostream& operator<<(std::ostream& out, Errc code) { return out << name(code); }

}  // namespace escapement
