// Decides whether the certificates that a peer shows can be trusted: what mbedTLS finds, and what it does not
// look at. Private: not installed.
//
// mbedTLS builds one path, from the peer's certificate to a trusted one, and checks its signatures. Here each
// path is also checked against RFC 5280: name constraints, critical extensions, usages and lengths along the
// path, versions. If that path fails, others are tried, through the certificates that the peer sent and the
// trusted ones. The peer's own name is looked for in its alternative names only (RFC 9525).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/core/error.h>

struct mbedtls_x509_crt;

namespace escapement::detail {

// The findings of the check of a peer's certificates.
struct CertificateFindings {
  bool any = false;  // the peer sent certificates
  std::string subject;
  std::vector<std::string> problems;  // "expired on 2026-11-24"; empty: trusted
  Fault fault = Fault::none;          // of those, the first in the order of Fault

  void add(Fault which, std::string problem) {
    if (fault == Fault::none || which < fault) fault = which;
    problems.push_back(std::move(problem));
  }
};

class PeerVerification {
 public:
  // Adds a certificate of the path that mbedTLS has built, the trusted one first, and its flags for it.
  void add(const mbedtls_x509_crt& certificate, int depth, std::uint32_t flags);

  struct Wanted {
    const mbedtls_x509_crt* trusted;  // a list
    bool server = true;               // the peer is a server
    std::string_view host;            // the host that the server's certificate must be for
  };
  // Returns MBEDTLS_X509_BADCERT_* flags, 0 if the peer can be trusted. Must be called after the peer's own
  // certificate was added.
  std::uint32_t verdict(const Wanted& wanted, CertificateFindings& findings);

 private:
  std::vector<const mbedtls_x509_crt*> path_;  // the peer's own first
  std::uint32_t flags_ = 0;
};

// Returns an error of kind untrusted, with its fault and a sentence: "the certificate of a.test expired on
// 2026-11-24, and is for other names: b.test, *.b.test". `flags` are those of the whole handshake, including
// what mbedTLS has checked after `verdict`.
Error certificate_error(CertificateFindings findings, std::uint32_t flags, std::string_view whose);

}  // namespace escapement::detail
