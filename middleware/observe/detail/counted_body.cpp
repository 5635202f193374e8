#include <escapement/middleware/observe/detail/counted_body.h>

namespace escapement::http {

namespace {

class CountingSource final : public BodySource {
 public:
  CountingSource(Body body, std::shared_ptr<BodyCount> count)
      : body_(std::move(body)), count_(std::move(count)) {}
  ~CountingSource() override { look_at_file(); }

  Task<std::string> read() override {
    std::string bytes = co_await body_.read();
    look_at_file();
    if (in_file_ == 0) {
      count_->bytes += bytes.size();
      count_->whole = bytes.empty();
    }
    co_return std::move(bytes);
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }
  Headers trailers() override { return body_.trailers(); }
  FileRange* file_range() override { return body_.file_range(); }

 private:
  // The file range's own position covers both ways of sending it.
  void look_at_file() {
    const FileRange* range = body_.file_range();
    if (range == nullptr) return;
    in_file_ = *body_.length();
    count_->bytes = in_file_ - range->left;
    count_->whole = range->left == 0;
  }

  Body body_;
  std::shared_ptr<BodyCount> count_;
  std::uint64_t in_file_ = 0;
};

}  // namespace

std::shared_ptr<const BodyCount> count(Body& body) {
  auto count = std::make_shared<BodyCount>();
  if (body.replayable()) {
    count->bytes = body.bytes().size();
    count->whole = true;
  } else {
    body = Body(std::make_unique<CountingSource>(std::move(body), count));
  }
  return count;
}

}  // namespace escapement::http
