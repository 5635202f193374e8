// Certificates: reading them, and the names they are for.

#include <arpa/inet.h>
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform.h>

#include <escapement/core/detail/ascii.h>
#include <escapement/io/tls/detail/mbedtls.h>
#include <escapement/io/tls/detail/name_constraints.h>

namespace escapement::detail {

namespace {

using Pem = Owned<mbedtls_pem_context, mbedtls_pem_init, mbedtls_pem_free>;

// The files in which distributions keep the trusted certificates: Debian, Fedora, openSUSE, RHEL, Alpine.
constexpr const char* bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

// Returns 4 or 16 bytes; an empty text for anything but a literal address.
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

// The results of parsing the certificates of a text.
struct Parsed {
  int good = 0;
  int bad = 0;
  int first_error = 0;

  void note(int outcome) {
    ++(outcome == 0 ? good : bad);
    if (first_error == 0) first_error = outcome;
  }
};

// Accepts every critical extension: they are checked for each path that goes through the certificate
// (verify.h).
int accept_extension(void*, const mbedtls_x509_crt*, const mbedtls_x509_buf*, int, const unsigned char*,
                     const unsigned char*) {
  return 0;
}

int parse_der(mbedtls_x509_crt* chain, const unsigned char* der, std::size_t size) {
  return mbedtls_x509_crt_parse_der_with_ext_cb(chain, der, size, 1, &accept_extension, nullptr);
}

Parsed parse_certificates(mbedtls_x509_crt* chain, const std::string& text) {
  constexpr const char* begin = "-----BEGIN CERTIFICATE-----";
  constexpr const char* end = "-----END CERTIFICATE-----";
  Parsed parsed;
  std::size_t at = text.find(begin);
  if (at == text.npos) {
    parsed.note(parse_der(chain, reinterpret_cast<const unsigned char*>(text.data()), text.size()));
    return parsed;
  }
  while (at != text.npos) {
    Pem pem;
    std::size_t used = 0;
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.c_str() + at);
    const int read = mbedtls_pem_read_buffer(pem.get(), begin, end, bytes, nullptr, 0, &used);
    std::size_t size = 0;
    const unsigned char* der = mbedtls_pem_get_buffer(pem.get(), &size);
    parsed.note(read != 0 ? read : parse_der(chain, der, size));
    at = text.find(begin, at + std::max<std::size_t>(used, 1));
  }
  return parsed;
}

// Returns whether a file is named as OpenSSL names certificates in a folder: "1d3472b9.0".
bool is_hashed_name(std::string_view name) {
  constexpr std::size_t hash = 8;
  return name.size() > hash + 1 && name[hash] == '.' && name.find_first_not_of("0123456789abcdef") == hash &&
         name.find_first_not_of("0123456789", hash + 1) == name.npos;
}

// Returns the failure to read a file: overloaded where the next attempt may have the descriptor or the memory
// that this one lacked.
Error unreadable(int number, const std::string& what) {
  const bool lacking = number == EMFILE || number == ENFILE || number == ENOMEM;
  return Error::from_errno(number, "cannot read " + what,
                           lacking ? Errc::overloaded : Errc::invalid_argument);
}

// Adds the certificates of a folder's files. If there are files with OpenSSL's names, adds only those,
// because the others are the same certificates again. Skips what cannot be read, but fails with overloaded.
Result<> add_directory(mbedtls_x509_crt* chain, const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> opened(::opendir(directory.c_str()), &::closedir);
  if (!opened) {
    Error error = unreadable(errno, directory);
    if (error == Errc::overloaded) return error;
    return {};
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(opened.get())) names.emplace_back(entry->d_name);
  const bool hashed = std::any_of(names.begin(), names.end(), is_hashed_name);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name.starts_with('.') || (hashed && !is_hashed_name(name))) continue;
    Result<> added = add_certificate_file(chain, directory + '/' + name, true);
    if (!added && added.error() == Errc::overloaded) return added;
  }
  return {};
}

// Takes a list apart, as in PATH.
std::vector<std::string> parts_of(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(':'), list.size());
    if (end != 0) parts.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return parts;
}

// Returns the value of an environment variable; null if it is unset or empty.
const char* setting(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

std::size_t length_of(const mbedtls_x509_crt* chain) {
  std::size_t length = 0;
  for (; chain != nullptr && chain->version != 0; chain = chain->next) ++length;
  return length;
}

// Takes the certificates after the first `length` out of the chain again.
void truncate(mbedtls_x509_crt* chain, std::size_t length) {
  if (length == 0) {
    mbedtls_x509_crt_free(chain);
    return mbedtls_x509_crt_init(chain);
  }
  for (; length > 1; --length) chain = chain->next;
  mbedtls_x509_crt_free(chain->next);
  mbedtls_free(chain->next);
  chain->next = nullptr;
}

// Returns whether the file can be read. Needs no descriptor, which may be lacking.
bool exists(const char* file) { return ::access(file, R_OK) == 0; }

Result<> add_bundle(mbedtls_x509_crt* chain) {
  for (const char* bundle : bundles) {
    if (exists(bundle)) return add_certificate_file(chain, bundle, true);
  }
  return Error(Errc::invalid_argument, "no trusted certificates found on this system; name a file");
}

// Adds what the environment names, or else the system's bundle.
Result<> add_roots(mbedtls_x509_crt* chain) {
  const char* file = setting("SSL_CERT_FILE");
  const char* directories = setting("SSL_CERT_DIR");
  const std::size_t before = length_of(chain);
  // A file whose name has a colon is no list.
  const bool whole = file != nullptr && exists(file);
  for (const std::string& one : file == nullptr ? std::vector<std::string>() : parts_of(file)) {
    Result<> added = add_certificate_file(chain, whole ? file : one, true);
    if (!added) return added;
    if (whole) break;
  }
  for (const std::string& one : directories == nullptr ? std::vector<std::string>() : parts_of(directories)) {
    Result<> added = add_directory(chain, one);
    if (!added) return added;
  }
  if (length_of(chain) != before) return {};
  if (directories != nullptr)
    return Error(Errc::invalid_argument, std::string("no certificates to trust in ") + directories);
  return add_bundle(chain);
}

}  // namespace

std::string mbedtls_text(int error) {
  std::array<char, 200> buffer{};
  mbedtls_strerror(error, buffer.data(), buffer.size());
  return buffer.data();
}

Result<std::string> read_whole_file(const std::string& file) {
  std::FILE* opened = std::fopen(file.c_str(), "rb");
  if (opened == nullptr) return unreadable(errno, file);
  std::string text;
  std::array<char, 8 * KiB> buffer{};
  std::size_t count = 0;
  while ((count = std::fread(buffer.data(), 1, buffer.size(), opened)) != 0)
    text.append(buffer.data(), count);
  const bool failed = std::ferror(opened) != 0;
  const int number = errno;
  std::fclose(opened);
  if (failed) return unreadable(number, file);
  return text;
}

Result<> add_certificates(mbedtls_x509_crt* chain, std::string_view pem, bool lenient,
                          std::string_view what) {
  const Parsed parsed = parse_certificates(chain, std::string(pem));
  if (parsed.good != 0 && (parsed.bad == 0 || lenient)) return {};
  std::string message(what);
  message += parsed.good != 0 ? ": a certificate in it is not understood"
                              : ": no certificate: " + mbedtls_text(parsed.first_error);
  return Error(Errc::invalid_argument, std::move(message));
}

Result<> add_certificate_file(mbedtls_x509_crt* chain, const std::string& file, bool lenient) {
  Result<std::string> text = read_whole_file(file);
  if (!text) return std::move(text).error();
  return add_certificates(chain, *text, lenient, file);
}

Result<> add_system_roots(mbedtls_x509_crt* chain) {
  const std::size_t before = length_of(chain);
  Result<> added = add_roots(chain);
  if (!added && length_of(chain) != before) truncate(chain, before);
  return added;
}

std::vector<std::string> names_of(const mbedtls_x509_crt& certificate) {
  std::vector<std::string> names;
  for (const GeneralName& name : extensions_of(certificate).alternative_names) {
    if (name.kind == GeneralName::dns) names.push_back(lower(name.bytes));
    if (name.kind == GeneralName::address) names.push_back(address_text(name.bytes));
  }
  return names;
}

bool is_literal_address(std::string_view host) { return !address_bytes(std::string(host)).empty(); }

bool is_for_host(const mbedtls_x509_crt& certificate, std::string_view host) {
  const std::string wanted = lower(host);
  const std::string address = address_bytes(wanted);
  const std::vector<GeneralName> names = extensions_of(certificate).alternative_names;
  return std::any_of(names.begin(), names.end(), [&](const GeneralName& name) {
    if (!address.empty()) return name.kind == GeneralName::address && name.bytes == address;
    return name.kind == GeneralName::dns && covers(lower(name.bytes), wanted);
  });
}

bool covers(std::string_view name, std::string_view host) {
  if (name == host) return !host.empty();
  if (!name.starts_with("*.")) return false;
  const std::string_view parent = name.substr(1);
  const std::size_t dot = host.find('.');
  return parent.find('.', 1) != parent.npos && dot != 0 && dot != host.npos && host.substr(dot) == parent;
}

}  // namespace escapement::detail
