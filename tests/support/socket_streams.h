// The kinds of Stream that need an operating system. Native tests only.

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <escapement/io/native/loop.h>

#include "support/backends.h"
#include "support/streams.h"

namespace escapement::test {

class LoopWorld final : public StreamWorld {
 public:
  explicit LoopWorld(std::string backend) : loop_(*Loop::make(options(std::move(backend)))) {}
  Reactor& reactor() override { return loop_->reactor(); }
  Task<StreamPair> open() override { return connect_through(loop_->network(), "127.0.0.1"); }

 private:
  static LoopOptions options(std::string backend) {
    LoopOptions options;
    options.backend = std::move(backend);
    return options;
  }

  std::unique_ptr<Loop> loop_;
};

inline StreamKind tcp_streams(std::string backend) {
  return {"TCP over " + backend, [backend] { return std::make_unique<LoopWorld>(backend); }};
}

inline std::vector<StreamKind> socket_streams() {
  std::vector<StreamKind> kinds;
  for (const std::string& backend : backends()) kinds.push_back(tcp_streams(backend));
  return kinds;
}

}  // namespace escapement::test
