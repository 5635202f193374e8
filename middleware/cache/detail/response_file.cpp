#include <escapement/middleware/cache/detail/response_file.h>

#include <zlib.h>

#include <charconv>

#include <escapement/middleware/cache/detail/stored_head_text.h>

namespace escapement::http::detail {

namespace {

constexpr std::string_view magic = "ESCCACH1";

void put_hex(std::string& to, std::uint64_t number, int digits) {
  constexpr std::string_view all = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) to += all[number >> shift & 15];
}

std::optional<std::uint64_t> hex(std::string_view text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string head_text(const std::string& key, const StoredHead& head) {
  TextWriter to;
  to.text(key);
  to.head(head);
  return to.take();
}

}  // namespace

std::uint32_t checksum(std::uint32_t before, std::string_view bytes) {
  const auto* const at = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(before, at, bytes.size()));
}

std::string file_end(const std::string& key, const StoredHead& head, std::uint64_t body_size,
                     std::uint32_t body_checksum) {
  std::string end = head_text(key, head);
  const std::size_t head_size = end.size();
  end += magic;
  put_hex(end, head_size, 8);
  put_hex(end, body_size, 16);
  put_hex(end, body_checksum, 8);
  put_hex(end, checksum(0, end), 8);
  return end;
}

std::optional<ResponseTrailer> read_trailer(std::string_view bytes) {
  if (bytes.size() != ResponseTrailer::size || !bytes.starts_with(magic)) return std::nullopt;
  const auto head_size = hex(bytes.substr(8, 8));
  const auto body_size = hex(bytes.substr(16, 16));
  const auto body_checksum = hex(bytes.substr(32, 8));
  const auto sum = hex(bytes.substr(40, 8));
  if (!head_size || !body_size || !body_checksum || !sum) return std::nullopt;
  ResponseTrailer trailer;
  trailer.head_size = static_cast<std::uint32_t>(*head_size);
  trailer.body_size = *body_size;
  trailer.body_checksum = static_cast<std::uint32_t>(*body_checksum);
  trailer.checksum = static_cast<std::uint32_t>(*sum);
  return trailer;
}

std::optional<KeyedHead> read_file_end(std::string_view end, const ResponseTrailer& trailer) {
  if (end.size() != trailer.head_size + ResponseTrailer::size) return std::nullopt;
  if (checksum(0, end.substr(0, end.size() - 8)) != trailer.checksum) return std::nullopt;
  TextReader from(end.substr(0, trailer.head_size));
  std::string key = from.text();
  StoredHead head = from.head();
  if (from.failed()) return std::nullopt;
  return KeyedHead(std::move(key), std::move(head));
}

}  // namespace escapement::http::detail
