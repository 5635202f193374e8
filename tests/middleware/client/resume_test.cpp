// Resume: what the vectors do not say: deadlines, budgets, cancelling, and a body that breaks many times.

#include <escapement/middleware/client/resume.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;

namespace {

// Some bytes of a file, which break off after so many.
class Part final : public BodySource {
 public:
  Part(std::string bytes, std::size_t breaks_after) : bytes_(std::move(bytes)), left_(breaks_after) {}
  Task<std::string> read() override {
    if (at_ == bytes_.size()) co_return std::string();
    if (left_ == 0) co_return Error(Errc::reset, "broken");
    const std::size_t size = std::min({left_, bytes_.size() - at_, std::size_t{1000}});
    left_ -= size;
    at_ += size;
    co_return bytes_.substr(at_ - size, size);
  }
  std::optional<std::uint64_t> length() const override { return bytes_.size(); }

 private:
  std::string bytes_;
  std::size_t left_;
  std::size_t at_ = 0;
};

// A file on a server whose connections break after so many bytes.
struct FileServer {
  std::string file;
  std::size_t breaks_after;
  int requests = 0;
  Task<Response> serve(Request request) {
    ++requests;
    std::size_t first = 0;
    if (const std::string* range = request.headers.get("range")) first = std::stoul(range->substr(6));
    Response response(first == 0 ? 200 : 206, Headers{{"ETag", "\"v1\""}}, Body());
    if (first != 0) {
      response.headers.add("Content-Range", "bytes " + std::to_string(first) + '-' +
                                                std::to_string(file.size() - 1) + '/' +
                                                std::to_string(file.size()));
    }
    response.body = Body(std::make_unique<Part>(file.substr(first), breaks_after));
    co_return std::move(response);
  }
};

Task<std::string> fetched(const Service& service, Request request) {
  Response response = co_await service(std::move(request));
  std::string text = co_await response.body.text(16 * MiB);
  co_return std::move(text);
}

// Responses in order, all with the same ETag, whose bodies have no length.
struct Script {
  struct Part {
    int status;
    std::string range;  // of Content-Range
    std::string bytes;
    bool breaks = false;
  };
  std::vector<Part> parts;
  std::vector<std::string> asked = {};  // Range
  Task<Response> serve(Request request) {
    const Part part = parts.at(asked.size());
    asked.emplace_back(request.headers.get_or("range", "-"));
    Response response(part.status, Headers{{"ETag", "\"v1\""}}, Body());
    if (!part.range.empty()) response.headers.add("Content-Range", "bytes " + part.range);
    response.body = test::pieces({part.bytes}, {}, part.breaks);
    co_return std::move(response);
  }
};

// Returns the whole body, or how it failed.
std::string outcome(Script& script, Request request = get("http://h/")) {
  Sim sim;
  const Service service = layered(Resume{}, [&](Request asked) { return script.serve(std::move(asked)); });
  Result<std::string> text = sim.run(fetched(service, std::move(request)));
  return text ? *text : std::string(name(text.error().code())) + ": " + to_string(text.error());
}

std::string numbers(std::size_t bytes) {
  std::string text;
  for (int i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ' ';
  text.resize(bytes);
  return text;
}

}  // namespace

TEST_CASE("resume: a body that breaks five times is whole, and nothing waits while there is progress") {
  Sim sim;
  FileServer server{numbers(600'000), 110'000};
  const Service service =
      layered(Resume{}, [&](Request request) { return server.serve(std::move(request)); });
  Result<std::string> text = sim.run(fetched(service, get("http://h/")));
  REQUIRE(text);
  CHECK(*text == server.file);
  CHECK(server.requests == 6);
  CHECK(sim.elapsed() == Duration());
}

TEST_CASE("resume: the budget, the deadline and the number of requests end it with the first error") {
  for (const int what : {0, 1, 2}) {
    CAPTURE(what);
    Sim sim;
    FileServer server{numbers(50'000), 1'000};
    Resume resume;
    Request request = get("http://h/");
    if (what == 0) {
      RetryBudgetOptions options;
      options.ratio = 3;
      options.per_second_min = 0;
      resume.budget.emplace(options);
    }
    if (what == 1) resume.requests_max = 3;
    if (what == 2) request.deadline = sim.reactor().precise_now();
    const Service service = layered(resume, [&](Request asked) { return server.serve(std::move(asked)); });
    Result<std::string> text = sim.run(fetched(service, std::move(request)));
    CHECK(text.error() == Errc::reset);
    CHECK(server.requests == (what == 2 ? 1 : 4));
  }
}

TEST_CASE("resume: a reader that goes away while it waits leaves nothing") {
  Sim sim;
  int requests = 0;
  const Service service = layered(Resume{}, [&](Request) -> Task<Response> {
    if (++requests > 1) co_return Response(503, Headers{{"Retry-After", "30"}}, Body());
    Response response(200, Headers{{"ETag", "\"v1\""}}, Body());
    response.body = Body(std::make_unique<Part>(numbers(5000), 1000));
    co_return std::move(response);
  });
  {
    Scope scope(sim.reactor());
    const auto read = [](const Service& from) -> Task<> {
      (void)co_await fetched(from, get("http://h/")).result();
    };
    scope.spawn(read(service));
    sim.advance(1s);
    CHECK(requests == 2);
    CHECK(sim.timers().size() == 1);
  }
  CHECK(sim.timers().size() == 0);
}

TEST_CASE("resume: a read that is given up while the rest is awaited does not end the body") {
  Sim sim;
  FileServer server{numbers(2000), 1000};
  int calls = 0;
  const Service service = layered(Resume{}, [&](Request request) -> Task<Response> {
    if (++calls == 2) co_await sleep(10s);
    Response response = co_await server.serve(std::move(request));
    co_return std::move(response);
  });
  const auto read = [](const Service& service) -> Task<std::string> {
    Response response = co_await service(get("http://h/"));
    std::string text = co_await response.body.read();
    for (int given_up = 0; text.size() < 2000 && given_up < 5;) {
      Result<std::string> piece = co_await with_timeout(1s, response.body.read()).result();
      if (!piece) {
        ++given_up;
      } else if (piece->empty()) {
        co_return "ended early after " + std::to_string(text.size());
      } else {
        text += *piece;
      }
    }
    co_return std::move(text);
  };
  const Result<std::string> text = sim.run(read(service));
  REQUIRE(text);
  CHECK(*text == server.file);
}

TEST_CASE("resume: a rest that ends before the whole does is not the end") {
  Script part{{{200, "", "01234", true}, {206, "5-7/10", "567"}}};  // no length, and then less than the rest
  CHECK(outcome(part).find("it has changed since") != std::string::npos);
  CHECK(part.asked.size() == 2);
  Script unknown{{{200, "", "01234", true}, {206, "5-7/*", "567"}}};
  CHECK(outcome(unknown).starts_with("reset"));
  Script closed{{{200, "", "01234", true}, {206, "5-9/10", "56"}, {206, "7-9/10", "789"}}};
  CHECK(outcome(closed) == "0123456789");
  CHECK(closed.asked == std::vector<std::string>{"-", "bytes=5-", "bytes=7-"});
  Script of_part{{{206, "2-8/10", "234"}, {206, "5-8/10", "5678"}}};
  Request request = get("http://h/");
  request.headers.set("Range", "bytes=2-8");
  CHECK(outcome(of_part, std::move(request)) == "2345678");
  Script whole{
      {{200, "", "01234", true}, {206, "5-9/10", "5", true}, {200, "", "012345678"}, {206, "9-9/10", "9"}}};
  CHECK(outcome(whole) == "0123456789");
}

TEST_CASE("resume: more bytes than the rest has are a failure, for a later read too") {
  Script script{{{200, "", "01234", true}, {206, "5-9/10", "56789x"}}};
  CHECK(outcome(script).starts_with("reset"));  // the first error
  Script again{{{206, "0-4/5", "01"}, {206, "2-4/5", "2345"}}};
  Sim sim;
  const Service service = layered(Resume{}, [&](Request asked) { return again.serve(std::move(asked)); });
  const auto read = [](const Service& from) -> Task<> {
    Response response = co_await from(get("http://h/"));
    std::string first = co_await response.body.read();
    CHECK(first == "01");
    for (int i = 0; i < 3; ++i) {
      Result<std::string> more = co_await response.body.read().result();
      CHECK(more.error() == Errc::reset);
    }
  };
  CHECK(sim.run(read(service)));
  CHECK(again.asked.size() == 2);
}

TEST_CASE("resume: a part whose length is not that of its Content-Range stays as it is") {
  Sim sim;
  int requests = 0;
  const Service service = layered(Resume{}, [&](Request) -> Task<Response> {
    ++requests;
    Response response(206, Headers{{"ETag", "\"v1\""}, {"Content-Range", "bytes 0-99/100"}}, Body());
    response.body = Body(std::make_unique<Part>(numbers(50), 50));
    co_return std::move(response);
  });
  CHECK(sim.run(fetched(service, get("http://h/")))->size() == 50);
  CHECK(requests == 1);
}
