#include <escapement/io/native/file_stream.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace escapement {

namespace {

constexpr std::size_t read_piece = 64 * KiB;
constexpr std::size_t write_piece = 256 * KiB;

class FileStream final : public Stream {
 public:
  FileStream(File file, FilePositions from) : file_(std::move(file)), from_(from) {}

  std::optional<std::size_t> read_now(MutableBytes into) override { return take(into); }
  Task<std::size_t> read_task(MutableBytes into) override;
  Task<> write_task(Bytes bytes) override;
  Task<> shutdown_write() override {
    write_ended_ = true;
    co_return;
  }
  bool readable_or_closed() override { return false; }
  bool write_closed() const override { return write_ended_; }
  bool read_closed() const override { return read_ended_; }
  std::string peer() const override { return file_.path(); }

 private:
  // Takes bytes that were read ahead.
  std::size_t take(MutableBytes into) {
    const std::size_t count = std::min(into.size(), ahead_.size() - taken_);
    if (count != 0) std::memcpy(into.data(), ahead_.data() + taken_, count);
    taken_ += count;
    return count;
  }

  File file_;
  FilePositions from_;
  std::string ahead_;
  std::size_t taken_ = 0;
  bool read_ended_ = false;
  bool write_ended_ = false;
};

Task<std::size_t> FileStream::read_task(MutableBytes into) {
  ESC_CHECK(!into.empty());
  if (!take_turn()) co_await yield();
  if (taken_ == ahead_.size() && !read_ended_) {
    std::string bytes = co_await file_.read_at(from_.read, std::max(read_piece, into.size()));
    from_.read += bytes.size();
    read_ended_ = bytes.empty();
    ahead_ = std::move(bytes);
    taken_ = 0;
  }
  co_return take(into);
}

Task<> FileStream::write_task(Bytes bytes) {
  if (!take_turn()) co_await yield();
  if (write_ended_) co_await Error(Errc::reset, "write " + file_.path() + ": after shutdown_write");
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(write_piece, bytes.size()));
    std::string copy(as_text(piece));
    if (file_.appends()) {
      co_await file_.append(std::move(copy));
    } else {
      co_await file_.write_at(from_.write, std::move(copy));
    }
    from_.write += piece.size();
    bytes = bytes.subspan(piece.size());
  }
}

}  // namespace

std::unique_ptr<Stream> file_stream(File file, FilePositions from) {
  return std::make_unique<FileStream>(std::move(file), from);
}

}  // namespace escapement
