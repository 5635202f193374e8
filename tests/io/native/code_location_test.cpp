#include <catch2/catch_test_macros.hpp>

#include <escapement/core/task.h>
#include <escapement/io/native/code_location.h>

using namespace escapement;

namespace {

Task<> nothing() { co_return; }

}  // namespace

TEST_CASE("code place: a task's code lies in this program, at an offset that addr2line takes") {
  Task<> task = nothing();
  const Runnable& runnable = task.promise();
  const std::string place = code_location(runnable.code());
  CAPTURE(place);
  CHECK(place.find("io_test+0x") != place.npos);
  CHECK(place.substr(place.rfind('+')) != "+0x0");
  CHECK(code_location(nullptr) == "unknown code");
}
