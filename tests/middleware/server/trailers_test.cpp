// Layers that put another body in the place of one: what comes behind it stays.

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/limits/body_limit.h>
#include <escapement/middleware/observe/access_log.h>
#include <escapement/middleware/observe/metrics.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::request;

namespace {

// One piece of unknown length, and a field behind it.
class Trailed final : public BodySource {
 public:
  Task<std::string> read() override { co_return std::exchange(piece_, {}); }
  Headers trailers() override { return Headers{{"Digest", "1"}}; }

 private:
  std::string piece_ = "piece";
};

Body trailed() { return Body(std::make_unique<Trailed>()); }

Task<Response> sends_back(Request request) {
  co_return Response(200, Headers{{"Content-Type", "text/plain"}}, std::move(request.body));
}

Task<std::string> digest(const Service& service) {
  Response response = co_await service(request("POST", "/", {}, trailed()));
  std::string text = co_await response.body.text(1 * MiB);
  CHECK(!text.empty());
  co_return std::string(response.body.trailers().get_or("digest", "none"));
}

}  // namespace

TEST_CASE("trailers: a layer that limits, counts or logs a body keeps the fields behind it") {
  Sim sim;
  AccessLog log;
  log.sink = [](std::string_view) {};
  CHECK(*sim.run(digest(layered(BodyLimit{100}, sends_back))) == "1");
  CHECK(*sim.run(digest(layered(log, sends_back))) == "1");
  CHECK(*sim.run(digest(layered(Metrics(), sends_back))) == "1");
}
