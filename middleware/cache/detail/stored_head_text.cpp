#include <escapement/middleware/cache/detail/stored_head_text.h>

#include <escapement/core/detail/number.h>

namespace escapement::http::detail {

void TextWriter::head(const StoredHead& head) {
  number(head.status);
  number(head.requested.unix_milliseconds());
  number(head.received.unix_milliseconds());
  number(static_cast<std::int64_t>(head.varying.size()));
  for (const auto& [name, value] : head.varying) {
    text(name);
    number(value ? 1 : 0);
    text(value.value_or(std::string()));
  }
  number(static_cast<std::int64_t>(head.headers.size()));
  head.headers.each([this](std::string_view name, std::string_view value) {
    text(name);
    text(value);
  });
}

std::int64_t TextReader::fail() {
  failed_ = true;
  from_ = {};
  return 0;
}

std::int64_t TextReader::number() {
  const std::size_t colon = from_.find(':');
  if (colon == from_.npos) return fail();
  const std::optional<std::int64_t> value = parse_number<std::int64_t>(from_.substr(0, colon));
  if (!value) return fail();
  from_.remove_prefix(colon + 1);
  return *value;
}

std::string TextReader::text() {
  const std::int64_t size = number();
  if (size < 0 || static_cast<std::uint64_t>(size) > from_.size()) fail();
  if (failed_) return {};
  std::string value(from_.substr(0, static_cast<std::size_t>(size)));
  from_.remove_prefix(value.size());
  return value;
}

StoredHead TextReader::head() {
  StoredHead head(static_cast<int>(number()), Headers());
  head.requested = SystemTime::from_unix_milliseconds(number());
  head.received = SystemTime::from_unix_milliseconds(number());
  for (std::int64_t left = number(); left > 0 && !failed_; --left) {
    std::string name = text();
    const bool has_value = number() != 0;
    std::string value = text();
    head.varying.emplace_back(std::move(name), has_value ? std::optional(std::move(value)) : std::nullopt);
  }
  for (std::int64_t left = number(); left > 0 && !failed_; --left) {
    std::string name = text();
    head.headers.add(std::move(name), text());
  }
  return head;
}

}  // namespace escapement::http::detail
