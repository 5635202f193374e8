#include <escapement/io/tls/detail/key_log.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <escapement/io/tls/detail/mbedtls.h>

namespace escapement::detail {

namespace {

constexpr std::size_t random_bytes = 32;

// Returns the label of a kind of secret; empty for one that the format does not know.
std::string_view label_of(mbedtls_ssl_key_export_type type) {
  switch (type) {
    case MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET: return "CLIENT_RANDOM";
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_EARLY_SECRET: return "CLIENT_EARLY_TRAFFIC_SECRET";
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_EARLY_EXPORTER_SECRET: return "EARLY_EXPORTER_SECRET";
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_HANDSHAKE_TRAFFIC_SECRET:
      return "CLIENT_HANDSHAKE_TRAFFIC_SECRET";
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_HANDSHAKE_TRAFFIC_SECRET:
      return "SERVER_HANDSHAKE_TRAFFIC_SECRET";
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_APPLICATION_TRAFFIC_SECRET: return "CLIENT_TRAFFIC_SECRET_0";
    case MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_APPLICATION_TRAFFIC_SECRET: return "SERVER_TRAFFIC_SECRET_0";
    default: return {};
  }
}

void append_hex(std::string& to, std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    to += digits[value >> 4];
    to += digits[value & 15];
  }
}

std::string_view view(const unsigned char* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// A line is written by one call, so that those of several processes do not mix. A line that does not fit on
// the disk is lost: the connection goes on.
void write_line(void* fd, mbedtls_ssl_key_export_type type, const unsigned char* secret, std::size_t size,
                const unsigned char* client_random, const unsigned char*, mbedtls_tls_prf_types) {
  (void)guarded([&] {
    const std::string_view label = label_of(type);
    if (label.empty()) return 0;
    const std::string line = key_log_line(label, view(client_random, random_bytes), view(secret, size));
    while (::write(*static_cast<const int*>(fd), line.data(), line.size()) < 0 && errno == EINTR) {
    }
    return 0;
  });
}

}  // namespace

std::string key_log_line(std::string_view label, std::string_view client_random, std::string_view secret) {
  std::string line(label);
  line += ' ';
  append_hex(line, client_random);
  line += ' ';
  append_hex(line, secret);
  line += '\n';
  return line;
}

Result<std::unique_ptr<KeyLog>> KeyLog::open(const std::string& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Error::from_errno(errno, "cannot write the key log " + file, Errc::invalid_argument);
  return std::unique_ptr<KeyLog>(new KeyLog(fd));
}

KeyLog::~KeyLog() { ::close(fd_); }

void KeyLog::watch(mbedtls_ssl_context& ssl) { mbedtls_ssl_set_export_keys_cb(&ssl, &write_line, &fd_); }

}  // namespace escapement::detail
