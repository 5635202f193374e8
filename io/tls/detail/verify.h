// Whether the certificates that a peer shows are to be believed: what mbedTLS finds, and what it does not
// look at. Private: not installed.
//
// mbedTLS puts one path together, from the peer's certificate to a trusted one, and checks its signatures.
// Here each path is held to RFC 5280 besides: name constraints, critical extensions, usages and lengths along
// the path, versions. Where that path will not do, others are tried, through what the peer sent and what is
// trusted. The peer's own name is looked for in its alternative names only (RFC 9525).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

struct mbedtls_x509_crt;

namespace escapement::detail {

// What the check of a peer's certificates found.
struct CertificateFindings {
  bool any = false;  // certificates came
  std::string subject;
  std::vector<std::string> problems;  // "expired on 2026-11-24"; empty: believed
};

class PeerVerification {
 public:
  // A certificate of the path that mbedTLS has put together, the trusted one first, and its flags for it.
  void add(const mbedtls_x509_crt& certificate, int depth, std::uint32_t flags);

  struct Wanted {
    const mbedtls_x509_crt* trusted;  // a list
    bool server = true;               // what the peer is
    std::string_view host;            // whom the server's certificate must be for
  };
  // After the peer's own certificate was added: MBEDTLS_X509_BADCERT_* flags, 0 when it is to be believed.
  std::uint32_t verdict(const Wanted& wanted, CertificateFindings& findings);

 private:
  std::vector<const mbedtls_x509_crt*> path_;  // the peer's own first
  std::uint32_t flags_ = 0;
};

// "the certificate of a.test expired on 2026-11-24, and is for other names: b.test, *.b.test". `flags`: of
// the whole handshake, with what mbedTLS has checked after `verdict`.
std::string certificate_problem(const CertificateFindings& findings, std::uint32_t flags,
                                std::string_view whose);

}  // namespace escapement::detail
