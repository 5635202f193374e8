#include <escapement/middleware/cache/detail/response_file.h>

#include <zlib.h>

#include <charconv>

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

// Writes texts and numbers one behind the other: "5:hello".
class TextWriter {
 public:
  void text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    to_ += value;
  }
  void number(std::int64_t value) { to_ += std::to_string(value) + ':'; }
  std::string take() { return std::move(to_); }

 private:
  std::string to_;
};

// Reads what TextWriter has written. After a failure everything is empty.
class TextReader {
 public:
  explicit TextReader(std::string_view from) : from_(from) {}
  bool failed() const { return failed_; }

  std::int64_t number() {
    const std::size_t colon = from_.find(':');
    std::int64_t value = 0;
    if (colon != from_.npos) {
      const auto read = std::from_chars(from_.data(), from_.data() + colon, value);
      if (read.ec == std::errc() && read.ptr == from_.data() + colon) {
        from_.remove_prefix(colon + 1);
        return value;
      }
    }
    return fail();
  }
  std::string text() {
    const std::int64_t size = number();
    if (size < 0 || static_cast<std::uint64_t>(size) > from_.size()) fail();
    if (failed_) return {};
    std::string value(from_.substr(0, static_cast<std::size_t>(size)));
    from_.remove_prefix(value.size());
    return value;
  }

 private:
  std::int64_t fail() {
    failed_ = true;
    from_ = {};
    return 0;
  }

  std::string_view from_;
  bool failed_ = false;
};

std::string head_text(const std::string& key, const StoredHead& head) {
  TextWriter to;
  to.text(key);
  to.number(head.status);
  to.number(head.requested.unix_milliseconds());
  to.number(head.received.unix_milliseconds());
  to.number(static_cast<std::int64_t>(head.varying.size()));
  for (const auto& [name, value] : head.varying) {
    to.text(name);
    to.number(value ? 1 : 0);
    to.text(value.value_or(std::string()));
  }
  to.number(static_cast<std::int64_t>(head.headers.size()));
  head.headers.each([&to](std::string_view name, std::string_view value) {
    to.text(name);
    to.text(value);
  });
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
  StoredHead head(static_cast<int>(from.number()), Headers());
  head.requested = SystemTime::from_unix_milliseconds(from.number());
  head.received = SystemTime::from_unix_milliseconds(from.number());
  for (std::int64_t left = from.number(); left > 0 && !from.failed(); --left) {
    std::string name = from.text();
    const bool has_value = from.number() != 0;
    std::string value = from.text();
    head.varying.emplace_back(std::move(name), has_value ? std::optional(std::move(value)) : std::nullopt);
  }
  for (std::int64_t left = from.number(); left > 0 && !from.failed(); --left) {
    std::string name = from.text();
    head.headers.add(std::move(name), from.text());
  }
  if (from.failed()) return std::nullopt;
  return KeyedHead(std::move(key), std::move(head));
}

}  // namespace escapement::http::detail
