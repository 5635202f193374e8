// split: the two directions of a Stream as two objects, for two tasks that live apart.
//
//     StreamHalves halves = split(std::move(stream));
//     scope.spawn(receive(std::move(halves.reader)));
//     scope.spawn(send(std::move(halves.writer)));

#pragma once

#include <memory>
#include <string>
#include <utility>

#include <escapement/core/detail/check.h>
#include <escapement/io/stream.h>

namespace escapement {

// The receiving direction of a stream that was split. Shares the stream with the other half.
class ReadHalf {
 public:
  // Made by `split`.
  explicit ReadHalf(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ReadHalf(ReadHalf&&) noexcept = default;
  ReadHalf& operator=(ReadHalf&&) noexcept = default;

  // As Stream::read. The half must outlive the operation.
  Reading read(MutableBytes into) { return stream_->read(into); }
  std::string peer() const { return stream_->peer(); }

  // Gives the half up for its share of the stream: `BufferedReader reader(std::move(half).stream());`
  std::shared_ptr<Stream> stream() && { return std::move(stream_); }

 private:
  std::shared_ptr<Stream> stream_;
};

// The sending direction of a stream that was split.
class WriteHalf {
 public:
  // Made by `split`.
  explicit WriteHalf(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  WriteHalf(WriteHalf&&) noexcept = default;
  WriteHalf& operator=(WriteHalf&&) noexcept = default;

  // As Stream::write. The half must outlive the operation.
  Writing write(Bytes bytes) { return stream_->write(bytes); }
  // As Stream::shutdown_write.
  ESC_CORO_WRAPPER Task<> shutdown_write() { return stream_->shutdown_write(); }
  std::string peer() const { return stream_->peer(); }

  // Gives the half up for its share of the stream: `BufferedWriter writer(std::move(half).stream());`
  std::shared_ptr<Stream> stream() && { return std::move(stream_); }

 private:
  std::shared_ptr<Stream> stream_;
};

// The two halves that `split` returns.
struct StreamHalves {
  // Made by `split`.
  StreamHalves(ReadHalf r, WriteHalf w) : reader(std::move(r)), writer(std::move(w)) {}
  ReadHalf reader;   // to move to the task that receives
  WriteHalf writer;  // to move to the task that sends
};

// Splits a stream. The connection closes when both halves are gone. Destroying one of them alone sends
// nothing: to tell the peer that no more bytes follow, await `shutdown_write` first.
inline StreamHalves split(std::shared_ptr<Stream> stream) {
  return StreamHalves(ReadHalf(stream), WriteHalf(stream));
}

}  // namespace escapement
