#include <escapement/io/buffered_writer.h>

#include <string>
#include <utility>

#include <escapement/core/detail/check.h>

namespace escapement {

BufferedWriter::BufferedWriter(Stream& stream, std::size_t high_water)
    : stream_(stream), high_water_(high_water) {}

BufferedWriter::BufferedWriter(std::shared_ptr<Stream> stream, std::size_t high_water)
    : kept_(std::move(stream)), stream_(*kept_), high_water_(high_water) {}

BufferedWriter::~BufferedWriter() {
  if (buffer_.empty() || sending_ || failure_) return;
  const std::size_t left = buffer_.size() - stream_.write_now(as_bytes(buffer_));
  if (left == 0) return;
  const std::string message = "a BufferedWriter was destroyed with " + std::to_string(left);
  const Error lost(Errc::reset, message + " bytes that were not flushed");
  if (reactor_ != nullptr) {
    reactor_->report_unhandled(lost);
  } else {
    detail::print_unhandled(lost);
  }
}

bool BufferedWriter::write_now(Bytes bytes) {
  if (sending_ || failure_ || bytes.size() > high_water_ - buffer_.size()) return false;
  buffer_ += as_text(bytes);
  return true;
}

Task<> BufferedWriter::write(Bytes bytes) {
  Reactor& reactor = co_await this_reactor;
  reactor_ = &reactor;
  if (write_now(bytes)) co_return;
  co_await flush();
  if (write_now(bytes)) co_return;
  co_await send(bytes);
}

Task<> BufferedWriter::flush() {
  co_await send(as_bytes(buffer_));
  buffer_.clear();
}

Task<> BufferedWriter::shutdown_write() {
  co_await flush();
  co_await stream_.shutdown_write();
}

Task<> BufferedWriter::send(Bytes bytes) {
  if (failure_) co_await Error(*failure_);
  if (sending_) co_await Error(Errc::reset, "a write before this one was given up, or still runs");
  if (bytes.empty()) co_return;
  sending_ = true;
  Result<> sent = co_await stream_.write(bytes).result();
  sending_ = false;
  if (sent) co_return;
  failure_ = std::move(sent).error();
  co_await Error(*failure_);
}

}  // namespace escapement
