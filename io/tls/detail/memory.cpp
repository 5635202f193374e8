#include <escapement/io/tls/detail/memory.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include <mbedtls/ssl.h>

namespace escapement::detail {

namespace {

// The beginning of a buffer, where mbedTLS keeps more than a record: the record counter, a header, an IV.
constexpr std::size_t beginning = 1024;
static_assert(beginning >= small_record_max + 100);

// Return the buffers' sizes, or a little less. With MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH they are not always
// the largest.
template <class Context>
std::size_t in_size(const Context& ssl) {
  if constexpr (requires { ssl.MBEDTLS_PRIVATE(in_buf_len); }) return ssl.MBEDTLS_PRIVATE(in_buf_len);
  return MBEDTLS_SSL_IN_CONTENT_LEN;
}
template <class Context>
std::size_t out_size(const Context& ssl) {
  if constexpr (requires { ssl.MBEDTLS_PRIVATE(out_buf_len); }) return ssl.MBEDTLS_PRIVATE(out_buf_len);
  return MBEDTLS_SSL_OUT_CONTENT_LEN;
}

// Returns how many bytes have arrived of an incomplete handshake message, which mbedTLS keeps in the receive
// buffer.
template <class Context>
std::size_t begun_message(const Context& ssl) {
  if constexpr (requires { ssl.MBEDTLS_PRIVATE(badmac_seen_or_in_hsfraglen); })
    return ssl.MBEDTLS_PRIVATE(badmac_seen_or_in_hsfraglen);
  return std::size_t{0};
}

// Gives back the whole pages behind the beginning. The buffer keeps its addresses and loses its contents
// there.
void give_back(unsigned char* buffer, std::size_t size) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<std::uintptr_t>(buffer);
  const std::uintptr_t begin = (at + beginning + page - 1) / page * page;
  const std::uintptr_t end = (at + size) / page * page;
  if (begin < end) ::madvise(buffer + (begin - at), end - begin, MADV_DONTNEED);
}

}  // namespace

bool give_back_record_buffers(mbedtls_ssl_context& ssl) {
  const bool receiving =
      ssl.MBEDTLS_PRIVATE(in_left) != 0 || begun_message(ssl) != 0 || mbedtls_ssl_check_pending(&ssl) != 0;
  if (receiving || ssl.MBEDTLS_PRIVATE(out_left) != 0) return false;
  give_back(ssl.MBEDTLS_PRIVATE(in_buf), in_size(ssl));
  give_back(ssl.MBEDTLS_PRIVATE(out_buf), out_size(ssl));
  return true;
}

}  // namespace escapement::detail
