// A Stream that notes every write, and that fails or waits when a test says so.

#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/event.h>
#include <escapement/io/stream.h>

namespace escapement::test {

class RecordingStream final : public Stream {
 public:
  RecordingStream() { may_write.set(); }

  Task<std::size_t> read_task(MutableBytes) override { co_return std::size_t{0}; }
  Task<> write_task(Bytes bytes) override {
    co_await may_write.wait();
    if (fails) co_await Error(Errc::reset, "the peer is gone");
    written.emplace_back(as_text(bytes));
  }
  std::size_t write_now(Bytes bytes) override {
    if (!takes_at_once) return 0;
    written.emplace_back(as_text(bytes));
    return bytes.size();
  }
  Task<> shutdown_write() override {
    written.emplace_back("end");
    co_return;
  }
  bool readable_or_closed() override { return false; }
  std::string peer() const override { return "recorded"; }

  std::vector<std::string> written;  // one entry for each write
  Event may_write;
  bool fails = false;
  bool takes_at_once = false;
};

}  // namespace escapement::test
