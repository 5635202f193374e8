// GitHubLimits: the bodies that it looks into stay whole. The rows are in tests/vectors/behaviour.txt.

#include <escapement/middleware/client/github_limits.h>

#include <catch2/catch_test_macros.hpp>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;

namespace {

class Pieces final : public BodySource {
 public:
  explicit Pieces(std::vector<std::string> pieces, bool breaks = false)
      : pieces_(std::move(pieces)), breaks_(breaks) {}
  Task<std::string> read() override {
    if (at_ < pieces_.size()) co_return pieces_[at_++];
    if (breaks_) co_return Error(Errc::reset, "broken");
    co_return std::string();
  }

 private:
  std::vector<std::string> pieces_;
  bool breaks_;
  std::size_t at_ = 0;
};

Answer answer_of(int status, std::vector<std::string> pieces, bool breaks = false, int attempt = 0,
                 const char* url = "http://h/", const char* method = "GET") {
  Sim sim;
  const Service service = layered(GitHubLimits{}, [&](Request) -> Task<Response> {
    co_return Response(status, {}, Body(std::make_unique<Pieces>(pieces, breaks)));
  });
  Request request(method, *Url::parse(url));
  request.attempt = attempt;
  Result<Answer> answer = sim.run(test::ask(service, std::move(request)));
  return *answer;
}

}  // namespace

TEST_CASE("GitHub limits: a message in pieces is found, and the body is whole") {
  const Answer found = answer_of(403, {"a SECOND", "ARY rate limit"});
  CHECK(found.field("Retry-After") == "60");
  CHECK(found.body == "a SECONDARY rate limit");
  CHECK(answer_of(403, {"secondary rate"}, false, 3).field("Retry-After") == "240");
  CHECK(answer_of(429, {"secondary rate"}).field("Retry-After") == "60");
  CHECK(answer_of(500, {"secondary rate"}).field("Retry-After").empty());
  CHECK(answer_of(403, {"no permission"}).field("Retry-After").empty());
}

TEST_CASE("GitHub limits: only the beginning counts; what follows, and an error in it, comes after it") {
  const Answer late = answer_of(403, {std::string(70'000, 'x'), "secondary rate"});
  CHECK(late.field("Retry-After").empty());
  CHECK(late.body.size() == 70'014);
  const Answer broken = answer_of(403, {"secondary rate"}, true);
  CHECK(broken.error.find("broken") != std::string::npos);
}

TEST_CASE("GitHub limits: GraphQL's error is found with any spacing, and only there") {
  const char* text = "{ \"errors\" : [ {\n \"type\" : \"RATE_LIMITED\" } ] }";
  CHECK(answer_of(200, {text}, false, 0, "http://h/graphql", "POST").status == 429);
  CHECK(answer_of(200, {text}, false, 0, "http://h/graphql", "GET").status == 200);
  CHECK(answer_of(200, {text}, false, 0, "http://h/other", "POST").status == 200);
}

TEST_CASE("GitHub limits: a GraphQL query that GitHub could not execute is a 500") {
  const auto status = [](const char* text) {
    return answer_of(200, {text}, false, 0, "http://h/graphql", "POST").status;
  };
  CHECK(status(R"({"data": null, "errors": [{"message": "Something went wrong while executing your query.)"
               R"( This may be the result of a timeout"}]})") == 500);
  CHECK(status(R"({"data":{"commit":{"message":"Something went wrong while executing your query."}},)"
               R"("errors":[{"message":"another"}]})") == 200);
  CHECK(status(R"({"data":{"message":"Something went wrong while executing your query."}})") == 200);
  CHECK(
      status(
          R"({"errors":[{"message":"see: \"message\":\"Something went wrong while executing your query"}]})") ==
      200);
}
