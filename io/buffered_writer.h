// BufferedWriter: gathers small writes into few large ones.
//
//     BufferedWriter writer(stream);
//     for (const Entry& entry : entries) co_await writer.write(entry.text);
//     co_await writer.flush();
//
// Nothing is sent before the buffer is full or `flush` is called.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/io/stream.h>

namespace escapement {

class BufferedWriter {
 public:
  // `high_water` is the number of bytes that the buffer holds at most; a write that would pass it sends them
  // first, and so waits for the peer. 0 sends every write at once. `stream` must outlive the writer.
  explicit BufferedWriter(Stream& stream, std::size_t high_water = 16 * KiB);
  // Writes to a stream that it keeps: a std::unique_ptr<Stream> that was moved here, or a shared one.
  explicit BufferedWriter(std::shared_ptr<Stream> stream, std::size_t high_water = 16 * KiB);
  BufferedWriter(const BufferedWriter&) = delete;
  BufferedWriter& operator=(const BufferedWriter&) = delete;
  // Offers the bytes that were not flushed to the transport, without waiting. If it does not take them all,
  // Errc::reset is reported as an unhandled failure (Reactor::on_unhandled_failure; printed if only
  // `write_now` was used). Says nothing if an operation has failed or was cancelled, whose caller knows, or
  // after `discard`.
  ~BufferedWriter();

  // Adds `bytes`, which must outlive the task. Waits only if the buffer is full. Writes of `high_water` bytes
  // and more are not copied. Fails as Stream::write does; from then on every operation fails like that. If it
  // is cancelled while it waits, an unknown part is sent, and the following operations fail with Errc::reset.
  Task<> write(Bytes bytes);
  ESC_CORO_WRAPPER Task<> write(std::string_view text) { return write(as_bytes(text)); }
  // Adds bytes without waiting. Returns false, with nothing added, if they would pass the high-water mark or
  // an operation has failed: `write` them then, which waits or fails.
  bool write_now(Bytes bytes);
  bool write_now(std::string_view text) { return write_now(as_bytes(text)); }

  // Sends what is buffered; finishes when the transport has taken it. Fails, and may be cancelled, as
  // `write`.
  Task<> flush();
  // Flushes, then Stream::shutdown_write.
  Task<> shutdown_write();

  // Returns the number of bytes that wait for a flush.
  std::size_t buffered() const { return buffer_.size(); }
  // Drops what is buffered.
  void discard() { buffer_.clear(); }

 private:
  Task<> send(Bytes bytes);

  std::shared_ptr<Stream> kept_;
  Stream& stream_;
  std::size_t high_water_;
  std::string buffer_;
  Reactor* reactor_ = nullptr;  // of the tasks that wrote
  bool sending_ = false;        // also after a write that was cancelled
  std::optional<Error> failure_;
};

}  // namespace escapement
