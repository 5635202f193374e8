// CountedBody: the number of a body's bytes that were sent.

#include <escapement/middleware/observe/detail/counted_body.h>

#include <stdexcept>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/timers/timeout.h>

#include "support/answers.h"
#include "support/from_peer.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::pieces;

TEST_CASE("counted body: memory, streams, and files that are sent without being read") {
  class FileLike final : public BodySource {
   public:
    Task<std::string> read() override {
      range_.left -= 10;
      co_return std::string(10, 'x');
    }
    std::optional<std::uint64_t> length() const override { return 100; }
    FileRange* file_range() override { return &range_; }

   private:
    FileRange range_{-1, 0, 100};
  };
  Sim sim;
  Body memory("12345");
  CHECK(count(memory)->bytes == 5);
  CHECK(memory.replayable());
  Body stream = pieces({"abc", "d"});
  const std::shared_ptr<const BodyCount> of_stream = count(stream);
  CHECK(of_stream->bytes == 0);
  CHECK(*sim.run(stream.text(10)) == "abcd");
  CHECK(of_stream->bytes == 4);
  CHECK(of_stream->whole);
  Body file(std::make_unique<FileLike>());
  const std::shared_ptr<const BodyCount> of_file = count(file);
  CHECK(sim.run(file.read()));
  CHECK(of_file->bytes == 10);
  file.file_range()->left = 25;  // what sendfile does
  file = Body();
  CHECK(of_file->bytes == 75);
  CHECK(!of_file->whole);
}
