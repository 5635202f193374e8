#include <escapement/middleware/cache/detail/storing_body.h>

namespace escapement::http::detail {

namespace {

class StoringSource final : public BodySource {
 public:
  StoringSource(Body body, std::unique_ptr<CacheStore::Writer> writer, std::shared_ptr<void> held)
      : held_(std::move(held)), body_(std::move(body)), writer_(std::move(writer)) {}

  // A read that was cancelled while the store wrote its bytes is repeated with the same bytes, and nothing is
  // stored.
  Task<std::string> read() override {
    if (writing_) give_up();
    if (taken_.empty() && !ended_) {
      Result<std::string> bytes = co_await body_.read().result();
      if (!bytes) {
        give_up();
        co_return std::move(bytes).error();
      }
      taken_ = *std::move(bytes);
      ended_ = taken_.empty();
    }
    if (writer_ != nullptr) {
      writing_ = true;
      Task<bool> storing = ended_ ? writer_->commit() : writer_->write(taken_);
      Result<bool> stored = co_await std::move(storing).result();
      writing_ = false;
      if (ended_ || !stored || !*stored) give_up();
    }
    co_return std::exchange(taken_, std::string());
  }
  std::optional<std::uint64_t> length() const override { return body_.length(); }
  Headers trailers() override { return body_.trailers(); }

 private:
  void give_up() {
    writer_.reset();
    held_.reset();
    writing_ = false;
  }

  std::shared_ptr<void> held_;
  Body body_;
  std::unique_ptr<CacheStore::Writer> writer_;
  std::string taken_;  // read, and not passed on yet
  bool ended_ = false;
  bool writing_ = false;
};

}  // namespace

Body storing_body(Body body, std::unique_ptr<CacheStore::Writer> writer, std::shared_ptr<void> held) {
  return Body(std::make_unique<StoringSource>(std::move(body), std::move(writer), std::move(held)));
}

}  // namespace escapement::http::detail
