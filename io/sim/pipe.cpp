#include <escapement/io/sim/pipe.h>

#include <algorithm>
#include <string>

#include <escapement/core/detail/check.h>
#include <escapement/io/sim/detail/receive_buffer.h>

namespace escapement {

namespace {

using detail::ReceiveBuffer;

class PipeStream final : public Stream {
 public:
  PipeStream(std::shared_ptr<ReceiveBuffer> in, std::shared_ptr<ReceiveBuffer> out,
             const PipeOptions& options)
      : in_(std::move(in)), out_(std::move(out)), options_(options) {}

  // Lets the other end read what it was sent; nobody will read what it sends.
  ~PipeStream() override {
    in_->forget_watcher();
    if (reset_on_close_) out_->reset();
    out_->end();
    in_->reset();
  }

  Task<std::size_t> read_task(MutableBytes into) override;
  Task<> write_task(Bytes bytes) override;
  std::optional<std::size_t> read_now(MutableBytes into) override {
    if (in_->write_closed || (in_->ended && in_->size() == 0)) return 0;
    if (in_->size() == 0) return std::nullopt;
    return take(into);
  }
  std::size_t write_now(Bytes bytes) override {
    if (out_->write_closed || out_->ended) return 0;
    const std::size_t count = std::min(options_.capacity - out_->size(), bytes.size());
    if (count != 0) out_->put(bytes.first(count));
    return count;
  }
  bool watch(Reactor& reactor, Runnable* waiter) override {
    in_->watch(reactor, waiter);
    return true;
  }
  bool write_closed() const override { return in_->write_closed; }
  bool read_closed() const override { return in_->write_closed || in_->ended; }
  Task<> shutdown_write() override;
  bool readable_or_closed() override { return in_->size() != 0 || in_->ended || in_->write_closed; }
  void reset_on_close() override { reset_on_close_ = true; }
  std::string peer() const override { return "pipe"; }

 private:
  std::size_t take(MutableBytes into) {
    return in_->take(into.first(std::min(into.size(), options_.read_max)));
  }

  std::shared_ptr<ReceiveBuffer> in_;
  std::shared_ptr<ReceiveBuffer> out_;
  PipeOptions options_;
  bool reset_on_close_ = false;
};

Task<std::size_t> PipeStream::read_task(MutableBytes into) {
  ESC_CHECK(!into.empty());
  if (!take_turn()) co_await yield();
  while (in_->size() == 0 && !in_->ended && !in_->write_closed) {
    ReceiveBuffer::Waiting waiting = in_->reads();
    co_await waiting.wait();
  }
  if (in_->write_closed) co_await Error(Errc::reset, "pipe: the other end was reset");
  co_return take(into);
}

Task<> PipeStream::write_task(Bytes bytes) {
  if (!take_turn()) co_await yield();
  for (;;) {
    if (out_->write_closed) co_await Error(Errc::reset, "pipe: the other end is closed");
    if (out_->ended) co_await Error(Errc::reset, "pipe: write after shutdown_write");
    bytes = bytes.subspan(write_now(bytes));
    if (bytes.empty()) break;
    ReceiveBuffer::Waiting waiting = out_->writes();
    co_await waiting.wait();
  }
}

Task<> PipeStream::shutdown_write() {
  if (out_->write_closed) co_await Error(Errc::reset, "pipe: the other end is closed");
  out_->end();
}

}  // namespace

PipeEnds pipe(PipeOptions options) {
  ESC_CHECK(options.capacity != 0 && options.read_max != 0);
  auto one = std::make_shared<ReceiveBuffer>();
  auto two = std::make_shared<ReceiveBuffer>();
  return {std::make_unique<PipeStream>(one, two, options), std::make_unique<PipeStream>(two, one, options)};
}

}  // namespace escapement
