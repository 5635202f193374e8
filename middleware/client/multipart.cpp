#include <escapement/middleware/client/multipart.h>

#include <algorithm>
#include <memory>
#include <utility>

#include <escapement/core/detail/ascii.h>
#include <escapement/io/http/detail/characters.h>

namespace escapement::http {

namespace {

// Quotes a name for Content-Disposition.
std::string quoted(std::string_view text) {
  std::string name = "\"";
  for (const char c : text) {
    if (c == '"') {
      name += "%22";
    } else if (c == '\r') {
      name += "%0D";
    } else if (c == '\n') {
      name += "%0A";
    } else {
      name += c;
    }
  }
  return name + '"';
}

// 24 dashes and 96 random bits: what curl sends looks so too, and servers have seen it.
std::string draw_boundary(Random& random) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string boundary(24, '-');
  for (int i = 0; i < 24; ++i) boundary += digits[random.next() >> 60];
  return boundary;
}

}  // namespace

// The parts and what is between them, one after the other.
class MultipartSource final : public BodySource {
 public:
  MultipartSource(std::vector<Multipart::Part> parts, std::string boundary,
                  std::optional<std::uint64_t> length)
      : parts_(std::move(parts)), boundary_(std::move(boundary)), length_(length) {}

  Task<std::string> read() override {
    for (;;) {
      if (at_ == parts_.size()) co_return end();
      Multipart::Part& part = parts_[at_];
      if (!in_part_) co_return begin(part);
      std::string piece = co_await part.content.read();
      if (!piece.empty()) {
        co_await check(piece);
        co_return std::move(piece);
      }
      in_part_ = false;
      tail_.clear();
      ++at_;
    }
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  std::string begin(const Multipart::Part& part) {
    in_part_ = true;
    return (at_ == 0 ? "--" : "\r\n--") + boundary_ + "\r\n" + part.head + "\r\n";
  }
  std::string end() { return std::exchange(ended_, true) ? "" : "\r\n--" + boundary_ + "--\r\n"; }

  // Finds a boundary that began in the last piece, too: of that only a part has been sent.
  Result<> check(const std::string& piece) {
    const std::size_t most = boundary_.size() - 1;
    const std::string border = tail_ + piece.substr(0, most);
    if (border.find(boundary_) != border.npos || piece.find(boundary_) != piece.npos) {
      return Error(Errc::invalid_argument,
                   "a part of the multipart body contains the boundary: send it anew");
    }
    const std::string recent = piece.size() < most ? tail_ + piece : piece;
    tail_ = recent.substr(recent.size() - std::min(recent.size(), most));
    return {};
  }

  std::vector<Multipart::Part> parts_;
  const std::string boundary_;
  const std::optional<std::uint64_t> length_;
  std::size_t at_ = 0;
  bool in_part_ = false;
  bool ended_ = false;
  std::string tail_;  // of the part, as long as a boundary less one byte
};

Multipart& Multipart::add(std::string_view name, std::optional<std::string_view> file_name,
                          std::string_view content_type, Body content) {
  std::string head = "Content-Disposition: form-data; name=" + quoted(name);
  if (file_name) head += "; filename=" + quoted(*file_name);
  head += "\r\n";
  if (!content_type.empty()) {
    if (!detail::value_characters.has_all(content_type) && !mistake_) {
      mistake_ = Error(Errc::invalid_argument, "a content type of a part has a control character");
    }
    head += "Content-Type: " + std::string(content_type) + "\r\n";
  }
  parts_.push_back(Part{std::move(head), std::move(content)});
  return *this;
}

Multipart& Multipart::field(std::string_view name, Body value, std::string_view content_type) {
  return add(name, std::nullopt, content_type, std::move(value));
}

Multipart& Multipart::file(std::string_view name, std::string_view file_name, std::string_view content_type,
                           Body content) {
  return add(name, file_name, content_type, std::move(content));
}

Multipart& Multipart::part(const Headers& fields, Body content) {
  std::string head;
  for (const Headers::Field& field : fields) {
    const bool good = !field.name.empty() && detail::token_characters.has_all(field.name) &&
                      detail::value_characters.has_all(field.value);
    if (!good && !mistake_) {
      mistake_ =
          Error(Errc::invalid_argument, "the header field \"" + field.name + "\" of a part cannot be sent");
    }
    head += field.name + ": " + field.value + "\r\n";
  }
  parts_.push_back(Part{std::move(head), std::move(content)});
  return *this;
}

Result<Multipart::Encoded> Multipart::encode(Random& random) && {
  if (mistake_) return *std::move(mistake_);
  if (parts_.empty())
    return Error(Errc::invalid_argument, "a multipart body needs a part (RFC 2046 section 5.1)");
  const auto occurs = [this](const std::string& boundary) {
    return std::ranges::any_of(parts_, [&](const Part& part) {
      return part.content.bytes().find(boundary) != std::string_view::npos ||
             part.head.find(boundary) != part.head.npos;
    });
  };
  Encoded encoded;
  do {
    encoded.boundary = draw_boundary(random);
  } while (occurs(encoded.boundary));

  bool replayable = true;
  std::optional<std::uint64_t> length = 0;
  for (const Part& part : parts_) {
    replayable = replayable && part.content.replayable();
    const std::optional<std::uint64_t> content = part.content.length();
    if (length && content) {
      *length += *content + part.head.size() + encoded.boundary.size() + 8;  // CRLF, "--", CRLF, CRLF
    } else {
      length.reset();
    }
  }
  if (length) *length += encoded.boundary.size() + 6;  // CRLF, "--", "--", CRLF; less the first CRLF
  if (!replayable) {
    encoded.body = Body(std::make_unique<MultipartSource>(std::move(parts_), encoded.boundary, length));
    return encoded;
  }
  std::string all;
  all.reserve(static_cast<std::size_t>(*length));
  for (const Part& part : parts_) {
    all += (all.empty() ? "--" : "\r\n--") + encoded.boundary + "\r\n" + part.head + "\r\n";
    all += part.content.bytes();
  }
  encoded.body = Body(all + "\r\n--" + encoded.boundary + "--\r\n");
  return encoded;
}

Result<Request> Multipart::post(Url url, Random& random) && {
  Result<Encoded> encoded = std::move(*this).encode(random);
  if (!encoded) return std::move(encoded).error();
  return Request(Method::post(), std::move(url),
                 Headers{{"Content-Type", "multipart/form-data; boundary=" + encoded->boundary}},
                 std::move(encoded->body));
}

}  // namespace escapement::http
