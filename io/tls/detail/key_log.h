// KeyLog: writes the secrets of TLS connections to a file, for debugging. Private: not installed.
//
// Source: draft-ietf-tls-keylogfile (the format of NSS, "SSLKEYLOGFILE").

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

struct mbedtls_ssl_context;  // a program may include this file without mbedTLS's headers

namespace escapement::detail {

class KeyLog {
 public:
  // Opens `file` to append to it. Fails with invalid_argument, and names the file.
  static Result<std::unique_ptr<KeyLog>> open(const std::string& file);
  KeyLog(const KeyLog&) = delete;
  ~KeyLog();

  // Makes `ssl` report its secrets to this, which must outlive it.
  void watch(mbedtls_ssl_context& ssl);

 private:
  explicit KeyLog(int fd) : fd_(fd) {}

  int fd_;
};

// Returns a line of the file: the label, the client's random and the secret in hexadecimal, and a newline.
std::string key_log_line(std::string_view label, std::string_view client_random, std::string_view secret);

}  // namespace escapement::detail
