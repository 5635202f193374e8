#include <escapement/core/error.h>

#include <cerrno>
#include <cstring>
#include <ostream>

namespace escapement {

std::string_view name(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::unsupported: return "unsupported";
    case Errc::not_found: return "not_found";
    case Errc::unavailable: return "unavailable";
    case Errc::address_in_use: return "address_in_use";
    case Errc::reset: return "reset";
    case Errc::timed_out: return "timed_out";
    case Errc::bad_message: return "bad_message";
    case Errc::untrusted: return "untrusted";
    case Errc::limit_exceeded: return "limit_exceeded";
    case Errc::cancelled: return "cancelled";
    case Errc::overloaded: return "overloaded";
    case Errc::permission_denied: return "permission_denied";
    case Errc::exception: return "exception";
    case Errc::internal: return "internal";
  }
  return "unknown";
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

Error::Error(Errc code, std::string message) : state_(new State{code, true, 0, std::move(message)}) {}

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

Error::Error(const Error& other) : state_(other.state_ ? new State(*other.state_) : nullptr) {}

Error& Error::operator=(const Error& other) {
  if (this != &other) state_.reset(other.state_ ? new State(*other.state_) : nullptr);
  return *this;
}

Error&& Error::nothing_sent() && {
  state_->maybe_sent = false;
  return std::move(*this);
}

Error& Error::nothing_sent() & {
  state_->maybe_sent = false;
  return *this;
}

Error&& Error::context(std::string_view what) && {
  std::string message(what);
  if (!state_->message.empty()) message.append(": ", 2).append(state_->message);
  state_->message = std::move(message);
  return std::move(*this);
}

std::string to_string(const Error& error) {
  std::string text(name(error.code()));
  if (!error.message().empty()) text.append(": ", 2).append(error.message());
  return text;
}

std::ostream& operator<<(std::ostream& out, const Error& error) { return out << to_string(error); }

std::ostream& operator<<(std::ostream& out, Errc code) { return out << name(code); }

}  // namespace escapement
