#include <escapement/io/http/h1/server_request.h>

#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/io/stream.h>

namespace escapement::http::detail {

namespace {

using escapement::detail::PromiseBase;

class RequestBody final : public BodySource {
 public:
  RequestBody(std::shared_ptr<OpenBody> open, std::optional<std::uint64_t> length)
      : open_(std::move(open)), length_(length) {}

  Task<std::string> read() override { return OpenBody::read(open_); }
  std::optional<std::uint64_t> length() const override { return length_; }
  Headers trailers() override { return open_->take_trailers(); }

 private:
  std::shared_ptr<OpenBody> open_;
  std::optional<std::uint64_t> length_;
};

}  // namespace

void OpenBody::end() {
  from_ = nullptr;
  reading_.reset();
  if (reader_ != nullptr) reader_->reactor().ready(*std::exchange(reader_, nullptr));
}

Task<std::string> OpenBody::read(std::shared_ptr<OpenBody> open) {
  if (open->ended()) co_return Error(Errc::cancelled, "the request is over");
  PromiseBase& self = co_await escapement::detail::this_task;
  // Cancelled: the operation goes too.
  open->reader_ = &self;
  const Defer given_up([&open = *open] {
    open.reader_ = nullptr;
    open.reading_.reset();
  });
  open->reading_.emplace(open->from_->read_request_body(*open));
  open->reading_->start(self.reactor(), self);
  while (!open->ended() && !open->reading_->finished()) co_await escapement::detail::suspend_until_ready;
  if (open->ended()) co_return Error(Errc::cancelled, "the request is over");
  Result<std::string> bytes = open->reading_->take();
  if (bytes && bytes->empty()) open->trailers_ = open->from_->take_request_trailers();
  co_return std::move(bytes);
}

bool is_misdirected(const MessageHead& head, const Url& url, const Stream& stream) {
  const bool absolute = !head.target.starts_with('/') && head.target != "*";
  if (absolute && (url.scheme() == "https") != stream.encrypted()) return true;
  if (!stream.encrypted()) return false;
  if (!absolute) {
    // Mostly the very name: what the URL makes of it is asked for only if it is not.
    const std::string_view written = head.host.substr(0, head.host.find(':'));
    if (head.host.empty() || stream.serves(written)) return false;
  }
  std::string_view host = url.host();
  if (host.ends_with('.')) host.remove_suffix(1);
  return !stream.serves(host);
}

Body body_of(std::shared_ptr<OpenBody> open, std::optional<std::uint64_t> length) {
  return Body(std::make_unique<RequestBody>(std::move(open), length));
}

}  // namespace escapement::http::detail
