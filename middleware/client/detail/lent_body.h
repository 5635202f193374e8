// A streamed request body that several attempts may have, until one of them begins to send it.

#pragma once

#include <memory>

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// Lends one body to attempt after attempt. A body that was begun is gone: what was read of it is not there
// any more.
class LentBody {
 public:
  explicit LentBody(Body body) : lent_(std::make_shared<Lent>(std::move(body))) {}

  // Returns a body that reads this one, which must not have begun. Does not refer to this object.
  Body lend() const { return Body(std::make_unique<Source>(lent_)); }
  // Returns whether anything may have been read.
  bool begun() const { return lent_->begun; }

 private:
  struct Lent {
    explicit Lent(Body b) : body(std::move(b)) {}
    Body body;
    bool begun = false;
  };
  class Source final : public BodySource {
   public:
    explicit Source(std::shared_ptr<Lent> lent) : lent_(std::move(lent)) {}
    Task<std::string> read() override {
      lent_->begun = true;
      return lent_->body.read();
    }
    std::optional<std::uint64_t> length() const override { return lent_->body.length(); }
    Headers trailers() override { return lent_->body.trailers(); }
    int host_handle() override {
      const int handle = lent_->body.host_handle();
      lent_->begun |= handle != 0;
      return handle;
    }
    FileRange* file_range() override {
      FileRange* const range = lent_->body.file_range();
      lent_->begun |= range != nullptr;
      return range;
    }

   private:
    std::shared_ptr<Lent> lent_;
  };

  std::shared_ptr<Lent> lent_;
};

}  // namespace escapement::http::detail
