// Trace: the beginning and the end of each request.

#include <escapement/middleware/observe/trace.h>

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/limits/timeout.h>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::MockService;
using escapement::test::Step;

namespace {

Error sent(Errc code) { return Error(code, "x"); }

}  // namespace

TEST_CASE("trace: beginning and end of each, whichever way it ends, without secrets") {
  Sim sim;
  std::vector<std::string> events;
  const Trace trace{[&](const TraceEvent& event) {
    const char* kinds[] = {"started", "answered", "failed", "cancelled"};
    events.push_back(std::string(kinds[static_cast<int>(event.kind)]) + ' ' + event.what + ' ' +
                     std::to_string(event.status));
  }};
  MockService mock(sim, {Step(200), Step(sent(Errc::reset)), Step::hang()});
  const Service service = layered(Timeout{1s}, trace, mock);
  for (int i = 0; i < 3; ++i) (void)sim.run(service(get("http://u:secret@h/x")));
  CHECK(events == std::vector<std::string>{"started GET http://h/x 0", "answered GET http://h/x 200",
                                           "started GET http://h/x 0", "failed GET http://h/x 0",
                                           "started GET http://h/x 0", "cancelled GET http://h/x 0"});
}

#ifdef __cpp_exceptions
TEST_CASE("trace: what its sink throws fails the request, or is dropped where that is cancelled") {
  Sim sim;
  const Trace trace{[](const TraceEvent& event) {
    if (event.kind != TraceEvent::Kind::started) throw std::runtime_error("on purpose");
  }};
  MockService mock(sim, {Step(200), Step::hang()});
  const Service service = layered(Timeout{1s}, trace, mock);
  CHECK(sim.run(service(get("http://h/"))).error() == Errc::exception);
  CHECK(sim.run(service(get("http://h/"))).error() == Errc::timed_out);
}
#endif
