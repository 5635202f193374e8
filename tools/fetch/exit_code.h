// The exit codes of esc-fetch: curl's where curl has one.

#pragma once

#include <string>

#include "tools/fetch/options.h"
#include "tools/fetch/story.h"

namespace escapement {

struct ExitCode {
  int code;
  const char* meaning;
};

namespace exit_codes {

inline constexpr ExitCode bad_scheme{1, "not a http or https URL"};
inline constexpr ExitCode usage{2, "invalid command line"};
inline constexpr ExitCode bad_url{3, "malformed URL"};
inline constexpr ExitCode unsupported{4, "not built in"};
inline constexpr ExitCode no_proxy_host{5, "no such proxy"};
inline constexpr ExitCode no_host{6, "no such host"};
inline constexpr ExitCode no_connection{7, "could not connect"};
inline constexpr ExitCode bad_answer{8, "malformed response"};
inline constexpr ExitCode partial{18, "incomplete response"};
inline constexpr ExitCode refused{22, "with -f, a status of 400 or more"};
inline constexpr ExitCode write_failed{23, "could not write the body"};
inline constexpr ExitCode read_failed{26, "could not read the data to send"};
inline constexpr ExitCode no_memory{fetch_out_of_memory, "out of memory"};
inline constexpr ExitCode timed_out{28, "a time limit expired"};
inline constexpr ExitCode no_range{33, "the server cannot resume"};
inline constexpr ExitCode no_tls{35, "the TLS handshake failed"};
inline constexpr ExitCode too_many_redirects{47, "too many redirects"};
inline constexpr ExitCode bad_resolve{49, "--resolve is malformed"};
inline constexpr ExitCode no_answer{52, "the server closed without a response"};
inline constexpr ExitCode broken{56, "the connection broke"};
inline constexpr ExitCode bad_cert{58, "the client's certificate or key cannot be used"};
inline constexpr ExitCode untrusted{60, "the server's certificate was not verified"};
inline constexpr ExitCode bad_encoding{61, "the compressed body is malformed"};
inline constexpr ExitCode too_large{63, "the body exceeds the size limit"};
inline constexpr ExitCode bad_cacert{77, "the CA certificates cannot be used"};
inline constexpr ExitCode not_pinned{90, "the server's key is not pinned"};
inline constexpr ExitCode socks_failed{97, "the SOCKS proxy made no connection"};

}  // namespace exit_codes

// Returns the exit code of a transfer that failed with `error`.
int exit_code_of(const Error& error, const Story& story);

// Returns all of them in a sentence, for --help.
std::string fetch_exit_codes_help();

}  // namespace escapement
