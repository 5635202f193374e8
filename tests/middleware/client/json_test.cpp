// JSON by choice: values, types, and text that is none.

#include <escapement/middleware/client/json.h>

#include <catch2/catch_test_macros.hpp>

#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;

namespace {

struct User {
  std::string name;
  int age = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(User, name, age)
};

// Responds with the body that it was sent, or with `text`.
Service answering(std::string text, Headers* seen = nullptr) {
  return [text, seen](Request request) -> Task<Response> {
    if (seen != nullptr) *seen = request.headers;
    std::string body = co_await request.body.text(1 * MiB);
    co_return Response(200, body.empty() ? text : body);
  };
}

}  // namespace

TEST_CASE("json: one line to get and to post") {
  Sim sim;
  Headers seen;
  const Calls api(answering(R"({"name": "me", "age": 7})", &seen), "http://h/");
  const Json user = *sim.run(api.get("user").json());
  CHECK(user["age"] == 7);
  CHECK(seen.get_or("Accept", "") == "application/json");
  const Json back = *sim.run(api.post_json("user", Json{{"a", {1, 2}}}).json());
  CHECK(back.dump() == R"({"a":[1,2]})");
  CHECK(seen.get_or("Content-Type", "") == "application/json");
  CHECK(sim.run(api.put_json("user", Json(1)).json())->dump() == "1");
  CHECK(sim.run(api.patch_json("user", Json(nullptr)).json())->dump() == "null");
}

TEST_CASE("json: types of the program's own") {
  Sim sim;
  const Calls api(answering(R"({"name": "me", "age": 7})"), "http://h/");
  const User user = *sim.run(api.get("user").json<User>());
  CHECK(user.name == "me");
  User other;
  other.name = "you";
  CHECK(sim.run(api.post_json("user", other).json<User>())->name == "you");
  CHECK(sim.run(api.post_json("n", std::vector<int>{1, 2}).json<std::vector<int>>())->size() == 2);
  const Result<int> wrong = sim.run(api.get("user").json<int>());
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message().find("type_error") != std::string::npos);
}

TEST_CASE("json: text that is none fails with the place of the mistake") {
  for (const char* text : {"", "{", "[1,]", "nul", "{\"a\":1}x", "\"\xff\"", "01"}) {
    Sim sim;
    const Result<Json> json = sim.run(Calls(answering(text)).get("http://h/").json());
    REQUIRE_FALSE(json);
    CHECK(json.error() == Errc::bad_message);
    CHECK(json.error().message().find("GET http://h/: not JSON, at byte ") == 0);
  }
  CHECK(json_text(Json("\xff")) == "\"\xef\xbf\xbd\"");
}
