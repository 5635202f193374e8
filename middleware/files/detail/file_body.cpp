#include <escapement/middleware/files/detail/file_body.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <escapement/io/native/offload.h>

namespace escapement::http {

namespace {

// Reads up to `most` bytes from the start of `range`.
Result<std::string> read_from(FileRange range, std::size_t most) {
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(most, range.left)), '\0');
  ssize_t count = 0;
  do {
    count = ::pread(range.fd, bytes.data(), bytes.size(), static_cast<off_t>(range.offset));
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Error::from_errno(errno, "read a file", Errc::reset);
  if (count == 0) return Error(Errc::reset, "read a file: it became shorter while it was sent");
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

// The same for a thread of a pool: the file stays open meanwhile.
Result<std::string> read_open(const std::shared_ptr<const posix::Fd>&, FileRange range, std::size_t most) {
  return read_from(range, most);
}

void advance(FileRange& range, std::size_t bytes) {
  range.offset += bytes;
  range.left -= bytes;
}

// Reads up to `most` bytes from the start of `range`, on a thread of the pool if there is one, and advances
// it.
Task<std::string> read_some(std::shared_ptr<const posix::Fd> file, FileRange& range, std::size_t most,
                            ThreadPool* pool) {
  std::string bytes;
  if (pool == nullptr) {
    bytes = co_await read_from(range, most);
  } else {
    bytes = co_await offload(*pool, read_open, std::move(file), range, most);
  }
  advance(range, bytes.size());
  co_return bytes;
}

class FileSource final : public BodySource {
 public:
  FileSource(std::shared_ptr<const posix::Fd> file, ByteRange range, std::size_t piece, ThreadPool* pool)
      : file_(std::move(file)),
        range_{file_->get(), range.first, range.length},
        length_(range.length),
        piece_(piece),
        pool_(pool) {}

  Task<std::string> read() override {
    if (range_.left == 0) co_return std::string();
    std::string bytes = co_await read_some(file_, range_, piece_, pool_);
    co_return bytes;
  }
  std::optional<std::uint64_t> length() const override { return length_; }
  FileRange* file_range() override { return pool_ == nullptr ? &range_ : nullptr; }

 private:
  std::shared_ptr<const posix::Fd> file_;
  FileRange range_;
  std::uint64_t length_;
  std::size_t piece_;
  ThreadPool* pool_;
};

// Sends texts and ranges in turn: text 0, range 0, text 1, range 1, ..., the last text.
class RangesSource final : public BodySource {
 public:
  RangesSource(std::shared_ptr<const posix::Fd> file, std::vector<std::string> texts,
               std::vector<ByteRange> ranges, std::size_t piece, ThreadPool* pool)
      : file_(std::move(file)),
        texts_(std::move(texts)),
        ranges_(std::move(ranges)),
        piece_(piece),
        pool_(pool) {
    for (const std::string& text : texts_) length_ += text.size();
    for (const ByteRange& range : ranges_) length_ += range.length;
  }

  Task<std::string> read() override {
    if (current_.left > 0) {
      std::string bytes = co_await read_some(file_, current_, piece_, pool_);
      co_return bytes;
    }
    if (next_ == texts_.size()) co_return std::string();
    if (next_ < ranges_.size()) current_ = {file_->get(), ranges_[next_].first, ranges_[next_].length};
    co_return std::move(texts_[next_++]);
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  std::shared_ptr<const posix::Fd> file_;
  std::vector<std::string> texts_;
  std::vector<ByteRange> ranges_;
  std::size_t piece_;
  ThreadPool* pool_;
  std::uint64_t length_ = 0;
  std::size_t next_ = 0;
  FileRange current_{-1, 0, 0};
};

}  // namespace

Body file_body(std::shared_ptr<const posix::Fd> file, ByteRange range, std::size_t piece, ThreadPool* pool) {
  return Body(std::make_unique<FileSource>(std::move(file), range, piece, pool));
}

Result<std::string> read_whole(const posix::Fd& file, ByteRange range) {
  FileRange left{file.get(), range.first, range.length};
  std::string all;
  while (left.left > 0) {
    Result<std::string> bytes = read_from(left, static_cast<std::size_t>(left.left));
    if (!bytes) return bytes;
    advance(left, bytes->size());
    all += *bytes;
  }
  return all;
}

Body multipart_body(std::shared_ptr<const posix::Fd> file, std::uint64_t size,
                    const std::vector<ByteRange>& ranges, const RangeBorders& borders, std::size_t piece,
                    ThreadPool* pool) {
  std::vector<std::string> texts;
  for (const ByteRange& range : ranges) {
    std::string text = texts.empty() ? "--" : "\r\n--";
    text += borders.boundary;
    if (!borders.content_type.empty()) text += "\r\nContent-Type: " + borders.content_type;
    text += "\r\nContent-Range: " + content_range(range, size) + "\r\n\r\n";
    texts.push_back(std::move(text));
  }
  texts.push_back("\r\n--" + borders.boundary + "--\r\n");
  return Body(std::make_unique<RangesSource>(std::move(file), std::move(texts), ranges, piece, pool));
}

std::string content_range(ByteRange range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + '-' + std::to_string(range.first + range.length - 1) + '/' +
         std::to_string(size);
}

}  // namespace escapement::http
