#include <escapement/io/buffered_reader.h>

#include <algorithm>
#include <cstring>
#include <span>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/defer.h>

namespace escapement {

namespace {

Error too_long(std::string_view what, std::size_t limit) {
  return Error(Errc::limit_exceeded, std::string(what) + " of more than " + std::to_string(limit) + " bytes");
}

std::uint64_t number_in(std::string_view bytes, ByteOrder order) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t at = order == ByteOrder::big ? i : bytes.size() - 1 - i;
    number = number << 8 | static_cast<unsigned char>(bytes[at]);
  }
  return number;
}

}  // namespace

BufferedReader::BufferedReader(Stream& stream, BufferOptions options) : stream_(&stream), options_(options) {
  ESC_CHECK(options.read_size > 0, "a BufferedReader needs a read_size of at least 1");
}

BufferedReader::BufferedReader(std::shared_ptr<Stream> stream, BufferOptions options)
    : BufferedReader(*stream, options) {
  kept_ = std::move(stream);
}

BufferedReader::BufferedReader(std::unique_ptr<detail::StringSource> source, BufferOptions options)
    : strings_(std::move(source)), options_(options) {}

BufferedReader::BufferedReader(BufferedReader&& other) noexcept = default;
BufferedReader::~BufferedReader() = default;

Task<std::size_t> BufferedReader::read(MutableBytes into) {
  ESC_CHECK(!into.empty(), "a read into no room");
  const bool there = co_await wait_for(1);
  if (!there) co_return std::size_t{0};
  const std::size_t count = std::min(into.size(), end_ - begin_);
  std::memcpy(into.data(), room_.data() + begin_, count);
  consume(count);
  co_return count;
}

Task<std::string> BufferedReader::read_exactly(std::size_t count) {
  if (count > options_.limit) co_return too_long("a read", options_.limit);
  const bool there = co_await wait_for(count);
  if (!there) co_return ended_early(std::to_string(count) + " bytes");
  co_return take(count);
}

Task<std::optional<std::string>> BufferedReader::read_until(std::string delimiter) {
  return read_until(std::move(delimiter), options_.limit);
}

Task<std::optional<std::string>> BufferedReader::read_until(std::string delimiter, std::size_t limit) {
  ESC_CHECK(!delimiter.empty(), "read_until needs a delimiter");
  for (std::size_t searched = 0;;) {
    const std::size_t at = buffered().find(delimiter, searched);
    if (at != std::string_view::npos) {
      if (at > limit) co_return too_long("a part", limit);
      std::string part = take(at);
      consume(delimiter.size());
      co_return std::move(part);
    }
    // The delimiter may have begun in the last bytes.
    const std::size_t size = end_ - begin_;
    searched = size - std::min(size, delimiter.size() - 1);
    if (searched > limit) co_return too_long("a part", limit);
    const bool more = co_await fill();
    if (more) continue;
    if (begin_ == end_) co_return std::nullopt;
    co_return ended_early("a delimited part");
  }
}

Task<std::optional<std::string>> BufferedReader::line() { return line(options_.limit); }

Task<std::optional<std::string>> BufferedReader::line(std::size_t limit) {
  for (std::size_t searched = 0;;) {
    const std::string_view text = buffered();
    const std::size_t at = text.find('\n', searched);
    const bool found = at != std::string_view::npos;
    std::size_t length = found ? at : text.size();
    // A CR before the LF, or before one that may still come, is not part of the line.
    if (length > 0 && text[length - 1] == '\r' && (found || !ended_)) --length;
    if (length > limit) co_return too_long("a line", limit);
    if (found) {
      std::string line = take(length);
      consume(at + 1 - length);
      co_return std::move(line);
    }
    if (ended_) {
      if (text.empty()) co_return std::nullopt;
      co_return take(length);
    }
    searched = text.size();
    co_await fill();
  }
}

Task<std::optional<std::string>> BufferedReader::frame(std::size_t length_size, ByteOrder order) {
  return frame(length_size, order, options_.limit);
}

Task<std::optional<std::string>> BufferedReader::frame(std::size_t length_size, ByteOrder order,
                                                       std::size_t limit) {
  ESC_CHECK(length_size >= 1 && length_size <= 8, "the length of a frame has 1 to 8 bytes");
  const bool length_there = co_await wait_for(length_size);
  if (!length_there && begin_ == end_) co_return std::nullopt;
  if (!length_there) co_return ended_early("a frame's length");
  const std::uint64_t length = number_in(buffered().substr(0, length_size), order);
  if (length > std::min(limit, std::string::npos - length_size)) co_return too_long("a frame", limit);
  const bool there = co_await wait_for(length_size + static_cast<std::size_t>(length));
  if (!there) co_return ended_early("a frame");
  consume(length_size);
  co_return take(static_cast<std::size_t>(length));
}

Task<std::string_view> BufferedReader::peek(std::size_t count) {
  if (count > options_.limit) co_return too_long("a peek", options_.limit);
  co_await wait_for(count);
  co_return buffered().substr(0, count);
}

Task<bool> BufferedReader::at_end() {
  const bool there = co_await wait_for(1);
  co_return !there;
}

std::string BufferedReader::take_buffered() { return take(end_ - begin_); }

void BufferedReader::consume(std::size_t count) {
  ESC_CHECK(count <= end_ - begin_, "more consumed than is buffered");
  begin_ += count;
  if (begin_ == end_) begin_ = end_ = 0;
}

std::string BufferedReader::take(std::size_t count) {
  std::string taken(buffered().substr(0, count));
  consume(count);
  return taken;
}

Error BufferedReader::ended_early(std::string_view what) const {
  std::string message = "the input ended before the end of ";
  return Error(Errc::reset, message.append(what) + ", with " + std::to_string(end_ - begin_) + " bytes left");
}

Task<bool> BufferedReader::wait_for(std::size_t count) {
  while (end_ - begin_ < count) {
    const bool more = co_await fill();
    if (!more) co_return false;
  }
  co_return true;
}

Task<bool> BufferedReader::fill() {
  ESC_CHECK(!filling_, "two operations of one BufferedReader at a time");
  return stream_ != nullptr ? fill_from_stream() : fill_from_sequence();
}

Task<bool> BufferedReader::fill_from_stream() {
  if (ended_) co_return false;
  filling_ = true;
  const Defer filled([this] { filling_ = false; });
  make_room(options_.read_size);
  const MutableBytes free = std::as_writable_bytes(std::span(room_)).subspan(end_, options_.read_size);
  const std::size_t count = co_await stream_->read(free);
  end_ += count;
  ended_ = count == 0;
  co_return !ended_;
}

Task<bool> BufferedReader::fill_from_sequence() {
  if (ended_) co_return false;
  filling_ = true;
  const Defer filled([this] { filling_ = false; });
  std::optional<std::string> text = co_await strings_->next();
  ended_ = !text;
  if (ended_) co_return false;
  make_room(text->size());
  std::memcpy(room_.data() + end_, text->data(), text->size());
  end_ += text->size();
  co_return true;
}

// Makes room for `more` bytes after those that are there.
void BufferedReader::make_room(std::size_t more) {
  if (room_.size() - end_ >= more) return;
  if (begin_ > 0) {
    std::memmove(room_.data(), room_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (room_.size() - end_ < more) room_.resize(std::max(end_ + more, room_.size() * 3 / 2));
}

}  // namespace escapement
