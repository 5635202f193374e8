#include <catch2/catch_test_macros.hpp>

#include <escapement/io/sim/sim.h>
#include <escapement/middleware/server/router.h>

using namespace escapement;
using namespace escapement::http;

namespace {

// Responds with the pattern and what its parameters stand for.
Route route(const char* method, const char* pattern, std::vector<std::string> names = {}) {
  const std::string who = std::string(method) + ' ' + pattern;
  return Route(method, pattern, [who, names](Request, PathParams params) -> Task<Response> {
    std::string body = who;
    for (const std::string& name : names) body += ' ' + name + '=' + std::string(params[name]);
    co_return Response(200, body);
  });
}

std::string ask(const Router& router, const char* method, const std::string& path, const char* target = "") {
  Sim sim;
  Request request(method, *Url::parse("http://h" + path));
  request.target = target;
  Result<Response> response = sim.run(router(std::move(request)));
  if (!response) return to_string(response.error());
  if (response->status == 200) return std::string(response->body.bytes());
  const std::string allow(response->headers.get_or("allow", ""));
  return std::to_string(response->status) + (allow.empty() ? "" : ' ' + allow);
}

}  // namespace

TEST_CASE("router: text, parameters and rest, decoded") {
  const Router router = *Router::make({
      route("GET", "/"),
      route("GET", "/repos/:owner/:name", {"owner", "name", "absent"}),
      route("GET", "/repos/:owner/:name/issues", {"owner", "name"}),
      route("GET", "/files/*path", {"path"}),
      route("POST", "/a/b/"),
  });
  CHECK(ask(router, "GET", "/") == "GET /");
  CHECK(ask(router, "GET", "/?query") == "GET /");
  CHECK(ask(router, "GET", "/repos/o/n") == "GET /repos/:owner/:name owner=o name=n absent=");
  CHECK(ask(router, "GET", "/repos/a%2Fb/%C3%BC%20x") ==
        "GET /repos/:owner/:name owner=a/b name=\xC3\xBC x absent=");
  CHECK(ask(router, "GET", "/repos/o/n/issues") == "GET /repos/:owner/:name/issues owner=o name=n");
  CHECK(ask(router, "GET", "/%72epos/%6f/n%2e%7e/%69ssues") ==
        "GET /repos/:owner/:name/issues owner=o name=n.~");
  CHECK(ask(router, "GET", "/files/") == "GET /files/*path path=");
  CHECK(ask(router, "GET", "/files/a/b%20c/") == "GET /files/*path path=a/b c/");
  CHECK(ask(router, "POST", "/a/b/") == "POST /a/b/");
  for (const char* nowhere : {"/files", "/repos", "/repos/o", "/repos//n", "/repos/o/n/", "/repos/o/n/x",
                              "/a/b", "/x", "//", "/a/b//"}) {
    CAPTURE(nowhere);
    CHECK(ask(router, "GET", nowhere) == "404");
  }
}

TEST_CASE("router: text before parameter before rest, whatever the order of the list") {
  std::vector<const char*> patterns{"/a/b/c", "/a/b/:z", "/a/:y/c", "/a/:y/:z", "/:x/b/c", "/a/*r", "/*r"};
  const std::pair<const char*, const char*> rows[] = {
      {"/a/b/c", "GET /a/b/c"},   {"/a/b/d", "GET /a/b/:z"}, {"/a/d/c", "GET /a/:y/c"},
      {"/a/d/d", "GET /a/:y/:z"}, {"/d/b/c", "GET /:x/b/c"}, {"/a/b", "GET /a/*r"},
      {"/d/b", "GET /*r"},        {"/a/b/c/d", "GET /a/*r"},
  };
  for (int rotation = 0; rotation < 7; ++rotation) {
    std::vector<Route> routes;
    for (const char* pattern : patterns) routes.push_back(route("GET", pattern));
    const Router router = *Router::make(std::move(routes));
    for (const auto& [path, answer] : rows) {
      CAPTURE(rotation, path);
      CHECK(ask(router, "GET", path) == answer);
    }
    std::rotate(patterns.begin(), patterns.begin() + 1, patterns.end());
  }
}

TEST_CASE("router: a pattern that fails further on gives its parameters back") {
  const Router router = *Router::make({route("GET", "/:a/x/y", {"a"}), route("GET", "/:a/:b/z", {"a", "b"}),
                                       route("GET", "/*rest", {"rest"})});
  CHECK(ask(router, "GET", "/1/x/y") == "GET /:a/x/y a=1");
  CHECK(ask(router, "GET", "/1/x/z") == "GET /:a/:b/z a=1 b=x");
  CHECK(ask(router, "GET", "/1/x/w") == "GET /*rest rest=1/x/w");
}

TEST_CASE("router: methods: HEAD by GET, OPTIONS, 405 with Allow, the method of another pattern") {
  const Router router = *Router::make({route("GET", "/users/me"), route("DELETE", "/users/:id"),
                                       route("*", "/any"), route("PUT", "/any"), route("OPTIONS", "/own")});
  CHECK(ask(router, "HEAD", "/users/me") == "GET /users/me");
  CHECK(ask(router, "DELETE", "/users/me") == "DELETE /users/:id");
  CHECK(ask(router, "POST", "/users/me") == "405 GET, HEAD, DELETE, OPTIONS");
  CHECK(ask(router, "GET", "/users/7") == "405 DELETE, OPTIONS");
  CHECK(ask(router, "get", "/users/me") == "405 GET, HEAD, DELETE, OPTIONS");
  CHECK(ask(router, "OPTIONS", "/users/me") == "204 GET, HEAD, DELETE, OPTIONS");
  CHECK(ask(router, "OPTIONS", "/own") == "OPTIONS /own");
  CHECK(ask(router, "OPTIONS", "/none") == "404");
  CHECK(ask(router, "OPTIONS", "/", "*") == "204 GET, HEAD, DELETE, PUT, OPTIONS");
  CHECK(ask(router, "BREW", "/any") == "* /any");
  CHECK(ask(router, "PUT", "/any") == "PUT /any");
}

TEST_CASE("router: bad patterns are errors that name the route") {
  const std::pair<const char*, const char*> rows[] = {
      {"", "a pattern must begin with '/'"},
      {"a", "a pattern must begin with '/'"},
      {"/:", "a parameter without a name"},
      {"/*", "a parameter without a name"},
      {"/:a/:a", "two parameters named \"a\""},
      {"/:a/*a", "two parameters named \"a\""},
      {"/*a/b", "nothing may follow \"*a\""},
      {"/a b", "\"a b\" is not valid in a path"},
      {"/a?b", "\"a?b\" is not valid in a path"},
      {"/a#b", "\"a#b\" is not valid in a path"},
      {"/%7ea", "\"%7ea\" in a path is \"~a\""},
      {"/a/../b", "\"..\" in a path is \"\""},
      {"/1/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/:q", "more than 16 parameters"},
  };
  for (const auto& [pattern, why] : rows) {
    CAPTURE(pattern);
    Result<Router> router = Router::make({route("GET", pattern)});
    REQUIRE(!router);
    CHECK(router.error() == Errc::invalid_argument);
    CHECK(router.error().message() == std::string("route GET ") + pattern + ": " + why);
  }
  CHECK(Router::make({route("G T", "/")}).error().message() == "route G T /: the method is not a token");
  CHECK(Router::make({route("GET", "/:a"), route("GET", "/:b")}).error().message() ==
        "route GET /:b: the same as /:a");
}

TEST_CASE("router: another service for what no pattern matches") {
  const Service otherwise = [](Request request) -> Task<Response> {
    co_return Response(200, "otherwise " + request.url.path());
  };
  const Router router = *Router::make({route("GET", "/a")}, otherwise);
  CHECK(ask(router, "GET", "/b") == "otherwise /b");
  CHECK(ask(router, "PUT", "/a") == "405 GET, HEAD, OPTIONS");
}
