// Certificates: reading them, what they are for, and what is wrong with them in a sentence.

#include <arpa/inet.h>
#include <dirent.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <mbedtls/error.h>

#include <escapement/io/tls_mbedtls.h>

namespace escapement::detail {

namespace {

// Where distributions have the certificates to trust: Debian, Fedora, openSUSE, RHEL, Alpine.
constexpr const char* bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

std::string text_of(const mbedtls_x509_name& name) {
  std::array<char, 300> buffer{};
  const int length = mbedtls_x509_dn_gets(buffer.data(), buffer.size(), &name);
  return length < 0 ? std::string("an unprintable name") : std::string(buffer.data());
}

std::string text_of(const mbedtls_x509_time& time) {
  std::array<char, 80> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02d", time.year, time.mon, time.day);
  return buffer.data();
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  return text;
}

// Calls `use(type, bytes)` for each subject alternative name.
template <class F>
void for_each_alternative(const mbedtls_x509_crt& certificate, F use) {
  for (const mbedtls_x509_sequence* at = &certificate.subject_alt_names; at != nullptr; at = at->next) {
    if (at->buf.p == nullptr) continue;
    mbedtls_x509_subject_alternative_name name;
    if (mbedtls_x509_parse_subject_alt_name(&at->buf, &name) != 0) continue;
    if (name.type == MBEDTLS_X509_SAN_DNS_NAME || name.type == MBEDTLS_X509_SAN_IP_ADDRESS) {
      const mbedtls_x509_buf& bytes = name.san.unstructured_name;
      use(name.type, std::string_view(reinterpret_cast<const char*>(bytes.p), bytes.len));
    }
    mbedtls_x509_free_subject_alt_name(&name);
  }
}

std::string common_name_of(const mbedtls_x509_crt& certificate) {
  for (const mbedtls_x509_name* at = &certificate.subject; at != nullptr; at = at->next) {
    constexpr std::string_view common_name = "\x55\x04\x03";
    if (std::string_view(reinterpret_cast<const char*>(at->oid.p), at->oid.len) != common_name) continue;
    return std::string(reinterpret_cast<const char*>(at->val.p), at->val.len);
  }
  return {};
}

// 4 or 16 bytes; empty for what is no literal address.
std::string address_bytes(const std::string& text) {
  std::array<char, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 4);
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return std::string(bytes.data(), 16);
  return {};
}

std::string address_text(std::string_view bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return "?";
  return inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr ? "?" : text.data();
}

Result<> add_directory(mbedtls_x509_crt* chain, const std::string& directory) {
  const int failed = mbedtls_x509_crt_parse_path(chain, directory.c_str());
  if (failed >= 0 && chain->version != 0) return {};
  return Error(Errc::invalid_argument, "no certificates to trust in " + directory);
}

bool exists(const char* file) {
  std::FILE* opened = std::fopen(file, "rb");
  if (opened == nullptr) return false;
  std::fclose(opened);
  return true;
}

}  // namespace

std::string mbedtls_text(int error) {
  std::array<char, 200> buffer{};
  mbedtls_strerror(error, buffer.data(), buffer.size());
  return buffer.data();
}

Result<std::string> read_whole_file(const std::string& file) {
  std::FILE* opened = std::fopen(file.c_str(), "rb");
  if (opened == nullptr) {
    return Error::from_errno(errno, "cannot read " + file, Errc::invalid_argument);
  }
  std::string text;
  std::array<char, 8 * KiB> buffer{};
  std::size_t count = 0;
  while ((count = std::fread(buffer.data(), 1, buffer.size(), opened)) != 0)
    text.append(buffer.data(), count);
  const bool failed = std::ferror(opened) != 0;
  const int number = errno;
  std::fclose(opened);
  if (failed) return Error::from_errno(number, "cannot read " + file, Errc::invalid_argument);
  return text;
}

Result<> add_certificates(mbedtls_x509_crt* chain, std::string_view pem, bool lenient,
                          std::string_view what) {
  const std::string text(pem);  // mbedTLS wants the NUL behind it
  const int outcome =
      mbedtls_x509_crt_parse(chain, reinterpret_cast<const unsigned char*>(text.c_str()), text.size() + 1);
  const bool some = outcome > 0 && lenient && chain->version != 0;
  if (outcome == 0 || some) return {};
  std::string message(what);
  message +=
      outcome > 0 ? ": a certificate in it is not understood" : ": no certificate: " + mbedtls_text(outcome);
  return Error(Errc::invalid_argument, std::move(message));
}

Result<> add_certificate_file(mbedtls_x509_crt* chain, const std::string& file, bool lenient) {
  Result<std::string> text = read_whole_file(file);
  if (!text) return std::move(text).error();
  return add_certificates(chain, *text, lenient, file);
}

Result<> add_system_roots(mbedtls_x509_crt* chain) {
  const char* file = std::getenv("SSL_CERT_FILE");
  const char* directory = std::getenv("SSL_CERT_DIR");
  if (file != nullptr && *file != '\0') return add_certificate_file(chain, file, true);
  if (directory != nullptr && *directory != '\0') return add_directory(chain, directory);
  for (const char* bundle : bundles) {
    if (exists(bundle)) return add_certificate_file(chain, bundle, true);
  }
  return Error(Errc::invalid_argument,
               "this system has no certificates to trust where they are looked for; name a file");
}

std::vector<std::string> names_of(const mbedtls_x509_crt& certificate) {
  std::vector<std::string> names;
  for_each_alternative(certificate, [&](int type, std::string_view bytes) {
    names.push_back(type == MBEDTLS_X509_SAN_DNS_NAME ? lower(std::string(bytes)) : address_text(bytes));
  });
  const std::string common_name = common_name_of(certificate);
  if (names.empty() && !common_name.empty()) names.push_back(lower(common_name));
  return names;
}

bool is_literal_address(const std::string& host) { return !address_bytes(host).empty(); }

bool is_for_address(const mbedtls_x509_crt& certificate, const std::string& literal_address) {
  const std::string wanted = address_bytes(literal_address);
  bool found = false;
  for_each_alternative(certificate, [&](int type, std::string_view bytes) {
    found = found || (type == MBEDTLS_X509_SAN_IP_ADDRESS && !wanted.empty() && bytes == wanted);
  });
  return found;
}

void note_certificate(CertificateFindings& findings, const mbedtls_x509_crt& certificate, int depth,
                      std::uint32_t flags) {
  findings.any = true;
  if (depth == 0) {
    findings.subject = text_of(certificate.subject);
    findings.issuer = text_of(certificate.issuer);
    findings.names = names_of(certificate);
    findings.self_signed =
        certificate.issuer_raw.len == certificate.subject_raw.len &&
        std::memcmp(certificate.issuer_raw.p, certificate.subject_raw.p, certificate.issuer_raw.len) == 0;
  }
  if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0) findings.expired_on = text_of(certificate.valid_to);
  if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0) findings.valid_from = text_of(certificate.valid_from);
}

std::string certificate_problem(const CertificateFindings& findings, std::uint32_t flags,
                                std::string_view whose) {
  constexpr std::uint32_t usage =
      MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE;
  constexpr std::uint32_t weak =
      MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY;
  constexpr std::size_t names_shown = 4;
  std::vector<std::string> problems;
  if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0) {
    std::string problem = "is for other names:";
    for (std::size_t i = 0; i < std::min(findings.names.size(), names_shown); ++i)
      problem += (i == 0 ? " " : ", ") + findings.names[i];
    problems.push_back(findings.names.size() > names_shown ? problem + ", ..." : std::move(problem));
  }
  if (!findings.expired_on.empty()) problems.push_back("expired on " + findings.expired_on);
  if (!findings.valid_from.empty()) problems.push_back("is not valid before " + findings.valid_from);
  if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
    problems.push_back(findings.self_signed ? "is signed by itself and not among those to trust"
                                            : "comes from an issuer that is not trusted: " + findings.issuer);
  }
  if ((flags & usage) != 0) problems.push_back("is not meant for this use");
  if ((flags & MBEDTLS_X509_BADCERT_REVOKED) != 0) problems.push_back("was revoked");
  if ((flags & weak) != 0) problems.push_back("has a key or a signature that is too weak");
  if (problems.empty()) problems.push_back("cannot be verified");
  std::string sentence = "the certificate of " + std::string(whose) + ' ';
  for (std::size_t i = 0; i < problems.size(); ++i) sentence += (i == 0 ? "" : ", and ") + problems[i];
  return sentence;
}

}  // namespace escapement::detail
