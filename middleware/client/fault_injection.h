// FaultInjection: makes a share of the calls slow, fail or break off, to see how a program takes it.

#pragma once

#include <memory>

#include <escapement/core/random.h>
#include <escapement/io/http/service.h>

namespace escapement::http {

// The share of calls that each fault befalls, from 0 to 1 (checked); each is drawn for itself.
class FaultOptions {
 public:
  double delayed = 0;      // waits for `delay` before the call
  Duration delay = 1s;     // not below zero
  double refused = 0;      // fails with Errc::unavailable: nothing was sent
  double lost = 0;         // makes the call, and fails with Errc::reset in place of its response
  double failed = 0;       // responds with `status` in place of the call
  int status = 503;        // 400 to 599 (checked)
  double truncated = 0;    // breaks the response's body off at a random place in its first 64 KiB
  std::uint64_t seed = 1;  // the same faults for the same calls in the same order
};

// Usable in front of a client, and of a server's handler. A body in memory that is truncated becomes one that
// breaks off. Copies share the draw, so their calls take turns. Works alike under simulated time and on wasm.
//
//     FaultOptions faults;
//     faults.lost = 0.01;
//     const Service api = layered(Retry{}, FaultInjection(faults), client);
class FaultInjection {
 public:
  // Makes a draw that copies share.
  explicit FaultInjection(FaultOptions options);

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  FaultOptions options_;
  std::shared_ptr<Random> random_;
};

}  // namespace escapement::http
