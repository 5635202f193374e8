#include "tools/fetch/exit_code.h"

#include <cerrno>

namespace escapement {

using namespace exit_codes;

namespace {

// Returns the code of a failure to connect that has one of its own.
std::optional<int> exit_code_of(Fault fault, Errc kind, bool socks) {
  switch (fault) {
    case Fault::proxy_unreachable:
      if (kind == Errc::not_found) return no_proxy_host.code;
      return std::nullopt;
    case Fault::proxy_auth_required:
    case Fault::proxy_refused:
    case Fault::proxy_failed:
    case Fault::proxy_bad_answer:
    case Fault::proxy_closed: return socks ? socks_failed.code : broken.code;
    case Fault::certificate_not_pinned: return not_pinned.code;
    default: return std::nullopt;
  }
}

}  // namespace

int exit_code_of(const Error& error, const Story& story) {
  if (error.os_number() == ENOMEM) return no_memory.code;
  if (story.foreign_scheme) return bad_scheme.code;
  if (story.bad_target) return bad_url.code;
  if (story.read_failed) return read_failed.code;
  if (!story.written) return write_failed.code;
  if (!story.within_limit) return too_large.code;
  if (story.refused) return refused.code;
  if (story.range_ignored) return no_range.code;
  if (story.undecodable) return bad_encoding.code;
  if (story.status != 0 && error != Errc::timed_out) return partial.code;
  const std::optional<int> special = exit_code_of(error.fault(), error.code(), story.socks);
  if (special) return *special;
  switch (error.code()) {
    case Errc::invalid_argument: return story.begun ? usage.code : bad_url.code;
    case Errc::unsupported: return unsupported.code;
    case Errc::not_found: return no_host.code;
    case Errc::unavailable:
    case Errc::overloaded: return no_connection.code;
    case Errc::timed_out: return timed_out.code;
    case Errc::limit_exceeded: return story.redirected ? too_many_redirects.code : broken.code;
    case Errc::reset:
      if (story.handshake_failed) return no_tls.code;
      return story.progress->closed_unanswered ? no_answer.code : broken.code;
    case Errc::bad_message: return story.handshake_failed ? no_tls.code : bad_answer.code;
    case Errc::untrusted: return untrusted.code;
    default: return broken.code;
  }
}

std::string fetch_exit_codes_help() {
  constexpr ExitCode all[] = {
      bad_scheme,    usage,      bad_url,     unsupported, no_proxy_host,      no_host,
      no_connection, bad_answer, partial,     refused,     write_failed,       read_failed,
      no_memory,     timed_out,  no_range,    no_tls,      too_many_redirects, bad_resolve,
      no_answer,     broken,     bad_cert,    untrusted,   bad_encoding,       too_large,
      bad_cacert,    not_pinned, socks_failed};
  std::string help = "Exit codes: 0 every response was complete, whatever its status";
  for (const ExitCode& code : all) help += "; " + std::to_string(code.code) + " " + code.meaning;
  return help + ".\n";
}

}  // namespace escapement
