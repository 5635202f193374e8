// The parts of a certificate that mbedTLS does not read: which extensions are critical, every kind of
// alternative name, and name constraints (RFC 5280 section 4.2.1.10). Views into the certificate; no I/O.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct mbedtls_x509_crt;

namespace escapement::detail {

// The elements of a DER encoding, one after the other.
class Der {
 public:
  struct Element {
    unsigned char tag;
    std::string_view content;
  };

  explicit Der(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  // Returns the next element; nullopt if the bytes are not DER.
  std::optional<Element> next();
  // Returns the content of the next element, which must have this tag.
  std::optional<std::string_view> take(unsigned char tag);

 private:
  std::string_view rest_;
};

// A name in a certificate: its GeneralName tag (RFC 5280 section 4.2.1.6) and its bytes.
struct GeneralName {
  enum Kind : unsigned char { email = 1, dns = 2, directory = 4, uri = 6, address = 7 };
  unsigned char kind;
  std::string_view bytes;  // of a directory name: the DER of a Name
};

struct CertificateExtensions {
  bool well_formed = true;
  bool understood = true;  // no critical extension is unknown here
  std::vector<GeneralName> alternative_names;
  std::optional<std::string_view> name_constraints;  // the DER of a NameConstraints
};

// Reads a certificate's extensions. The set of known critical extensions is OpenSSL's: certificate policies
// count as known, and nothing is demanded of them.
CertificateExtensions extensions_of(const mbedtls_x509_crt& certificate);

// The names that everything issued below a certificate must keep to.
class NameConstraints {
 public:
  // Returns nullopt if the DER is malformed, or limits the depth of a subtree, which RFC 5280 forbids.
  static std::optional<NameConstraints> parse(std::string_view der);

  // Returns whether the certificate's subject and alternative names are inside. A name of a kind that is
  // constrained and not understood is outside.
  bool hold_for(const mbedtls_x509_crt& certificate, const CertificateExtensions& extensions) const;

 private:
  bool allow(GeneralName name) const;
  bool constrain(unsigned char kind) const;

  std::vector<GeneralName> permitted_;
  std::vector<GeneralName> excluded_;
};

// Returns whether two names in mbedTLS's raw form (issuer_raw, subject_raw) are the same, apart from letter
// case, spaces and kind of string.
bool same_directory_name(std::string_view one, std::string_view other);

}  // namespace escapement::detail
