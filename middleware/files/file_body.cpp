#include <escapement/middleware/files/file_body.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace escapement::http {

namespace {

class PooledFileSource final : public BodySource {
 public:
  PooledFileSource(File file, ByteRange range, std::size_t piece)
      : file_(std::move(file)), rest_(range), length_(range.length), piece_(piece) {}

  Task<std::string> read() override {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(piece_, rest_.length));
    if (most == 0) co_return std::string();
    std::string bytes = co_await file_.read_at(rest_.first, most);
    if (bytes.empty()) {
      co_await Error(Errc::reset, "read " + file_.path() + ": it became shorter while it was sent");
    }
    rest_.first += bytes.size();
    rest_.length -= bytes.size();
    co_return bytes;
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  File file_;
  ByteRange rest_;
  std::uint64_t length_;
  std::size_t piece_;
};

}  // namespace

Body file_body(File file, ByteRange range, std::size_t piece) {
  ESC_CHECK(piece > 0, "a file is read in pieces of one byte or more");
  if (range.length == 0) return Body();
  return Body(std::make_unique<PooledFileSource>(std::move(file), range, piece));
}

Task<Body> whole_file_body(File file, std::size_t piece) {
  ByteRange all;
  all.length = co_await file.size();
  co_return file_body(std::move(file), all, piece);
}

}  // namespace escapement::http
