// Cache, request by request in simulated time.

#include <escapement/middleware/cache/cache.h>

#include <deque>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>
#include <escapement/middleware/cache/memory_cache_store.h>
#include <escapement/middleware/limits/concurrency_limit.h>

#include "support/answers.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::Answer;
using escapement::test::ask;
using escapement::test::pieces;
using escapement::test::request;

namespace {

// An origin that plays its responses in order, the last one again, and notes what it was asked.
class Origin {
 public:
  struct Reply {
    Reply(int s, Headers h, std::string b = {}, Duration d = {})
        : status(s), headers(std::move(h)), body(std::move(b)), delay(d) {}
    int status;  // 0: fails
    Headers headers;
    std::string body;
    Duration delay;
  };

  Task<Response> operator()(Request request) const { return answer(state_, std::move(request)); }

  void then(int status, Headers headers, std::string body = {}, Duration delay = {}) {
    state_->replies.emplace_back(status, std::move(headers), std::move(body), delay);
  }
  std::size_t calls() const { return state_->asked.size(); }
  const Headers& last() const { return state_->asked.back().headers; }

 private:
  struct State {
    std::deque<Reply> replies;
    std::vector<Request> asked;
  };
  static Task<Response> answer(std::shared_ptr<State> state, Request request) {
    const Reply reply = state->replies.front();
    if (state->replies.size() > 1) state->replies.pop_front();
    state->asked.push_back(request.copy_without_body());
    if (reply.delay > Duration()) co_await sleep(reply.delay);
    if (reply.status == 0) co_return Error(Errc::reset, "broken on purpose");
    Response response(reply.status, reply.headers, Body());
    if (request.method != Method::head()) response.body = Body(reply.body);
    co_return std::move(response);
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

CacheOptions named(bool shared = false) {
  CacheOptions options;
  options.name = "c";
  options.rules.shared = shared;
  return options;
}

struct World {
  explicit World(CacheOptions options = named(), CacheStoreLimits limits = CacheStoreLimits())
      : store(std::make_shared<MemoryCacheStore>(limits)),
        service(layered(Cache(store, std::move(options)), origin)) {}

  Answer get(Headers headers = {}, const std::string& path = "/") {
    return *sim.run(ask(service, request("GET", path, std::move(headers))));
  }
  Answer send(const char* method, const std::string& path = "/", Headers headers = {}) {
    return *sim.run(ask(service, request(method, path, std::move(headers))));
  }

  Sim sim;
  Origin origin;
  std::shared_ptr<MemoryCacheStore> store;
  Service service;
};

Headers fresh(const char* seconds = "10") {
  return Headers{{"Cache-Control", std::string("max-age=") + seconds}, {"ETag", "\"1\""}};
}

std::string status(const Answer& answer) { return answer.field("Cache-Status"); }

}  // namespace

TEST_CASE("cache: a fresh response is served again, with its age, until it is stale") {
  World world;
  world.origin.then(200, fresh(), "one");
  const Answer first = world.get();
  CHECK(first.body == "one");
  CHECK(status(first) == "c; fwd=uri-miss; fwd-status=200; stored");
  CHECK_FALSE(first.headers.has("Age"));
  world.sim.advance(9s);
  const Answer second = world.get();
  CHECK(second.body == "one");
  CHECK(second.field("Age") == "9");
  CHECK(status(second) == "c; hit; ttl=1");
  CHECK(world.origin.calls() == 1);
  world.sim.advance(1s);
  (void)world.get();
  CHECK(world.origin.calls() == 2);
}

TEST_CASE("cache: a stale response is validated; a 304 freshens it, another response replaces it") {
  World world;
  world.origin.then(200,
                    Headers{{"Cache-Control", "max-age=10"},
                            {"ETag", "\"1\""},
                            {"Last-Modified", "Mon, 23 Nov 2026 09:00:00 GMT"},
                            {"X", "old"}},
                    "one");
  world.origin.then(304, Headers{{"Cache-Control", "max-age=20"}, {"ETag", "\"1\""}, {"X", "new"}});
  world.origin.then(200, Headers{{"Cache-Control", "max-age=10"}, {"ETag", "\"2\""}}, "two");
  (void)world.get();
  world.sim.advance(11s);
  const Answer again = world.get();
  CHECK(again.status == 200);
  CHECK(again.body == "one");
  CHECK(again.field("X") == "new");
  CHECK(again.field("Age") == "0");
  CHECK(status(again) == "c; fwd=stale; fwd-status=304; stored");
  CHECK(world.origin.last().get_or("If-None-Match", "") == "\"1\"");
  CHECK(world.origin.last().get_or("If-Modified-Since", "") == "Mon, 23 Nov 2026 09:00:00 GMT");
  world.sim.advance(19s);
  CHECK(world.get().body == "one");
  CHECK(world.origin.calls() == 2);
  world.sim.advance(1s);
  CHECK(status(world.get()) == "c; fwd=stale; fwd-status=200; stored");
  CHECK(world.get().body == "two");
  CHECK(world.origin.calls() == 3);
  CHECK(world.store->size() == 1);
}

TEST_CASE("cache: a 304 about another response is not believed") {
  World world;
  world.origin.then(200, fresh(), "one");
  world.origin.then(304, Headers{{"ETag", "\"other\""}});
  world.origin.then(200, Headers{{"Cache-Control", "max-age=10"}, {"ETag", "\"2\""}}, "two");
  (void)world.get();
  world.sim.advance(11s);
  CHECK(world.get().body == "two");
  CHECK_FALSE(world.origin.last().has("If-None-Match"));
}

TEST_CASE("cache: a 304 that is not believed gives back its place before the next request") {
  Sim sim;
  Origin origin;
  origin.then(200, fresh(), "one");
  origin.then(304, Headers{{"ETag", "\"other\""}});
  origin.then(200, fresh(), "two");
  ConcurrencyLimits one;
  one.running_max = 1;
  const Service service =
      layered(Cache(std::make_shared<MemoryCacheStore>(), named()), ConcurrencyLimit(one), origin);
  (void)*sim.run(ask(service, get("http://h/")));
  sim.advance(11s);
  CHECK(sim.run(ask(service, get("http://h/")))->body == "two");
  CHECK(sim.elapsed() == 11s);
}

TEST_CASE("cache: a 304 that forbids storing is the last use of a response") {
  World world;
  world.origin.then(200, fresh(), "one");
  world.origin.then(304, Headers{{"Cache-Control", "no-store"}});
  (void)world.get();
  world.sim.advance(11s);
  CHECK(world.get().body == "one");
  CHECK(world.store->size() == 0);
}

TEST_CASE("cache: a response that may not be stored takes the place of the stale one") {
  World world;
  world.origin.then(200, fresh(), "one");
  world.origin.then(200, Headers{{"Cache-Control", "no-store"}}, "secret");
  (void)world.get();
  world.sim.advance(11s);
  CHECK(world.get().body == "secret");
  CHECK(world.store->size() == 0);
}

TEST_CASE("cache: Vary tells responses apart, and so do a user's credentials") {
  World world;
  world.origin.then(200, Headers{{"Cache-Control", "max-age=10"}, {"Vary", "Accept-Language"}}, "deutsch");
  world.origin.then(200, Headers{{"Cache-Control", "max-age=10"}, {"Vary", "Accept-Language"}}, "english");
  world.origin.then(200, Headers{{"Cache-Control", "max-age=10"}, {"Vary", "Accept-Language"}}, "none");
  CHECK(world.get({{"Accept-Language", "de"}}).body == "deutsch");
  const Answer english = world.get({{"Accept-Language", "en"}});
  CHECK(english.body == "english");
  CHECK(status(english) == "c; fwd=vary-miss; fwd-status=200; stored");
  CHECK(world.get().body == "none");
  CHECK(world.get({{"accept-language", "de"}}).body == "deutsch");
  CHECK(world.origin.calls() == 3);

  World users;
  users.origin.then(200, fresh(), "alice's");
  users.origin.then(200, fresh(), "bob's");
  CHECK(users.get({{"Authorization", "Bearer a"}}).body == "alice's");
  CHECK(users.get({{"Authorization", "Bearer b"}}).body == "bob's");
  CHECK(users.get({{"Authorization", "Bearer a"}}).body == "alice's");
  CHECK(users.get({{"Authorization", "Bearer a"}, {"Cookie", "x"}}).body == "bob's");
  CHECK(users.origin.calls() == 3);

  World shared(named(true));
  shared.origin.then(200, Headers{{"Cache-Control", "public, max-age=10"}}, "for all");
  (void)shared.get({{"Authorization", "Bearer a"}});
  CHECK(status(shared.get({{"Authorization", "Bearer b"}})) == "c; hit; ttl=10");
  World closed(named(true));
  closed.origin.then(200, fresh(), "for one");
  (void)closed.get({{"Authorization", "Bearer a"}});
  CHECK(closed.store->size() == 0);
}

TEST_CASE("cache: no digest of a credential is the credential") {
  World world;
  world.origin.then(200, fresh(), "x");
  (void)world.get({{"Authorization", "abc"}});
  const CacheStore::Found found = *world.sim.run(world.store->find("http://h/"));
  REQUIRE(found.size() == 1);
  // FIPS 180-4's example.
  CHECK(found[0]->varying[0].second ==
        "sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK_FALSE(found[0]->varying[1].second);
}

TEST_CASE("cache: directives of the request") {
  World world;
  world.origin.then(200, fresh(), "one");
  CHECK(world.get({{"Cache-Control", "only-if-cached"}}).status == 504);
  CHECK(world.origin.calls() == 0);
  (void)world.get();
  CHECK(world.get({{"Cache-Control", "only-if-cached"}}).body == "one");
  CHECK(status(world.get({{"Cache-Control", "no-cache"}})) == "c; fwd=request; fwd-status=200; stored");
  CHECK(world.origin.last().get_or("If-None-Match", "") == "\"1\"");
  world.sim.advance(15s);
  CHECK(status(world.get({{"Cache-Control", "max-stale=5"}})) == "c; hit; ttl=-5");
  CHECK(world.get({{"Cache-Control", "only-if-cached"}}).status == 504);
  CHECK(world.origin.calls() == 2);
}

TEST_CASE("cache: the caller's own conditions") {
  World world;
  world.origin.then(200, fresh(), "one");
  (void)world.get();
  const Answer same = world.get({{"If-None-Match", "\"0\", W/\"1\""}});
  CHECK(same.status == 304);
  CHECK(same.body.empty());
  CHECK(same.field("ETag") == "\"1\"");
  CHECK(world.get({{"If-None-Match", "\"0\""}}).body == "one");
  CHECK(world.origin.calls() == 1);
  world.sim.advance(11s);
  (void)world.get({{"If-None-Match", "\"0\""}});
  CHECK(world.origin.last().get_or("If-None-Match", "") == "\"0\"");
}

TEST_CASE("cache: HEAD is served from a GET, and asks for itself otherwise") {
  World world;
  world.origin.then(200, fresh(), "one");
  CHECK(world.send("HEAD").status == 200);
  CHECK(world.store->size() == 0);
  (void)world.get();
  const Answer head = world.send("HEAD");
  CHECK(head.field("Age") == "0");
  CHECK(head.body.empty());
  CHECK(world.origin.calls() == 2);
}

TEST_CASE("cache: unsafe methods that succeed drop what they may have changed") {
  World world;
  world.origin.then(200, fresh("100"), "a");
  world.origin.then(200, fresh("100"), "b");
  world.origin.then(500, {});
  world.origin.then(201, Headers{{"Location", "/b"}, {"Content-Location", "http://other/"}});
  world.origin.then(200, fresh("100"), "new");
  (void)world.get();
  (void)world.get({}, "/b");
  CHECK(status(world.send("POST")) == "c; fwd=method");
  CHECK(world.store->size() == 2);  // it failed
  (void)world.send("DELETE");
  CHECK(world.store->size() == 0);
  CHECK(world.get().body == "new");
  CHECK(world.send("OPTIONS").status == 200);
  CHECK(world.store->size() == 1);
}

TEST_CASE("cache: what a change names at another origin is not dropped, though it is stored") {
  World world;
  world.origin.then(200, fresh("100"), "theirs");
  world.origin.then(201, Headers{{"Location", "http://other/"}, {"Content-Location", "//other/"}});
  (void)*world.sim.run(ask(world.service, http::get("http://other/")));
  CHECK(world.send("POST").status == 201);
  CHECK(world.sim.run(ask(world.service, http::get("http://other/")))->body == "theirs");
  CHECK(world.origin.calls() == 2);
}

TEST_CASE("cache: a failure is passed on to a request that wants no cache, if nobody has named a time") {
  World world;
  world.origin.then(200, fresh("100"), "one");
  world.origin.then(503, {}, "down");
  (void)world.get();
  CHECK(world.get({{"Cache-Control", "no-cache"}}).status == 503);
  CHECK(world.get({{"Cache-Control", "max-age=0"}}).status == 503);
  CHECK(world.get({{"Cache-Control", "no-cache, stale-if-error=60"}}).body == "one");
  CHECK(world.get().body == "one");
}

TEST_CASE("cache: ranges, bodies and user information pass by") {
  World world;
  world.origin.then(200, fresh(), "one");
  (void)world.get();
  CHECK(status(world.get({{"Range", "bytes=0-1"}})) == "c; fwd=bypass");
  CHECK(status(world.get({{"If-Match", "\"1\""}})) == "c; fwd=bypass");
  CHECK(status(*world.sim.run(ask(world.service, request("GET", "/", {}, Body("x"))))) == "c; fwd=bypass");
  CHECK(status(*world.sim.run(ask(world.service, http::get("http://u:p@h/")))) == "c; fwd=bypass");
  CHECK(status(world.send("QUERY")) == "c; fwd=method");
  CHECK(world.origin.calls() == 6);
}

TEST_CASE("cache: stale-if-error covers failures, statuses of the server, and nothing else") {
  for (const int failure : {0, 500, 502, 503, 504}) {
    World world;
    world.origin.then(200, Headers{{"Cache-Control", "max-age=10, stale-if-error=20"}, {"ETag", "\"1\""}},
                      "one");
    world.origin.then(failure, {}, "broken");
    (void)world.get();
    world.sim.advance(30s);
    const Answer stale = world.get();
    CHECK(stale.body == "one");
    CHECK(status(stale) == "c; hit; ttl=-20; detail=stale-if-error");
    world.sim.advance(1s);
    const Answer late = world.get();
    CHECK(late.status == failure);
  }
  World gone;
  gone.origin.then(200, Headers{{"Cache-Control", "max-age=10, stale-if-error=20"}, {"ETag", "\"1\""}},
                   "one");
  gone.origin.then(404, {}, "gone");
  (void)gone.get();
  gone.sim.advance(11s);
  CHECK(gone.get().status == 404);
}

TEST_CASE("cache: stale-while-revalidate serves at once and validates beside, once") {
  Sim sim;
  Scope scope(sim.reactor(), nullptr);
  Origin origin;
  const Headers fields{{"Cache-Control", "max-age=10, stale-while-revalidate=20"}, {"ETag", "\"1\""}};
  origin.then(200, fields, "one");
  origin.then(200, fields, "two", 500ms);
  CacheOptions options = named();
  options.background = [&scope](Task<> task) { scope.spawn(std::move(task)); };
  const Service service = layered(Cache(std::make_shared<MemoryCacheStore>(), options), origin);
  (void)sim.run(ask(service, get("http://h/")));
  sim.advance(15s);
  for (int i = 0; i < 3; ++i) {
    const Answer stale = *sim.run(ask(service, get("http://h/")));
    CHECK(stale.body == "one");
    CHECK(status(stale) == "c; hit; ttl=-5");
  }
  CHECK(sim.elapsed() == 15s);
  sim.advance(500ms);
  CHECK(origin.calls() == 2);
  CHECK(sim.run(ask(service, get("http://h/")))->body == "two");
  CHECK(scope.empty());

  World without;
  without.origin.then(200, fields, "one");
  without.origin.then(200, fields, "two");
  (void)without.get();
  without.sim.advance(15s);
  CHECK(without.get().body == "two");
}

TEST_CASE("cache: one validation at a time for a URL; the others wait for it") {
  World world;
  world.origin.then(200, fresh(), "one");
  world.origin.then(304, fresh(), "", 1s);
  (void)world.get();
  world.sim.advance(11s);
  int served = 0;
  Scope scope(world.sim.reactor());
  auto call = [&]() -> Task<> {
    const Answer answer = co_await ask(world.service, get("http://h/"));
    served += answer.body == "one" ? 1 : 0;
  };
  for (int i = 0; i < 10; ++i) scope.spawn(call);
  CHECK(world.sim.run(scope.join()));
  CHECK(served == 10);
  CHECK(world.origin.calls() == 2);
}

TEST_CASE("cache: who validates may leave, or take too long; others do it then") {
  World world;
  world.origin.then(200, fresh(), "one");
  world.origin.then(304, fresh(), "", std::chrono::hours(1));
  world.origin.then(304, fresh(), "", 1s);
  (void)world.get();
  world.sim.advance(11s);
  auto call = [&]() -> Task<> {
    const Answer answer = co_await ask(world.service, get("http://h/"));
    CHECK(answer.body == "one");
  };
  {
    Scope leaving(world.sim.reactor());
    leaving.spawn(call);
    world.sim.settle();
    Scope scope(world.sim.reactor());
    scope.spawn(call);
    world.sim.advance(5s);
    CHECK(world.origin.calls() == 2);
    world.sim.advance(5s);  // wait_max
    CHECK(world.origin.calls() == 3);
    CHECK(world.sim.run(scope.join()));
  }
  CHECK(world.get().body == "one");
  CHECK(world.origin.calls() == 3);
}

TEST_CASE("cache: a streamed body is stored at its end, and never a part of it") {
  Sim sim;
  auto store = std::make_shared<MemoryCacheStore>();
  int calls = 0;
  bool fails = false;
  const Service origin = [&](Request) -> Task<Response> {
    ++calls;
    co_return Response(200, fresh(), pieces({"12345", "67890"}, 1ms, fails));
  };
  const Service service = layered(Cache(store, named()), origin);
  fails = true;
  CHECK(sim.run(ask(service, get("http://h/")))->error.starts_with("reset"));
  CHECK(store->size() == 0);
  fails = false;
  auto part = [&]() -> Task<> {
    Response response = co_await service(get("http://h/"));
    std::string bytes = co_await response.body.read();
    CHECK(bytes == "12345");
  };
  CHECK(sim.run(part()));
  CHECK(store->size() == 0);
  CHECK(sim.run(ask(service, get("http://h/")))->body == "1234567890");
  CHECK(store->size() == 1);
  CHECK(sim.run(ask(service, get("http://h/")))->body == "1234567890");
  CHECK(calls == 3);
}

TEST_CASE("cache: a body beyond the limit passes whole, and is not stored") {
  CacheStoreLimits limits;
  limits.entry_bytes_max = 8;
  World world(named(), limits);
  world.origin.then(200, fresh(), "123456789");
  CHECK(world.get().body == "123456789");
  const Service streaming = [](Request) -> Task<Response> {
    co_return Response(200, fresh(), pieces({"12345", "6789"}));
  };
  const Service service = layered(Cache(world.store), streaming);
  CHECK(world.sim.run(ask(service, get("http://h/x")))->body == "123456789");
  CHECK(world.store->size() == 0);
}

TEST_CASE("cache: the memory store keeps its bounds, the most recently used first") {
  CacheStoreLimits limits;
  limits.entries_max = 2;
  World world(named(), limits);
  world.origin.then(200, fresh("100"), "x");
  for (const char* path : {"/a", "/b", "/a", "/c"}) (void)world.get({}, path);
  CHECK(world.store->size() == 2);
  CHECK(world.origin.calls() == 3);
  (void)world.get({}, "/a");
  CHECK(world.origin.calls() == 3);
  (void)world.get({}, "/b");
  CHECK(world.origin.calls() == 4);

  CacheStoreLimits small;
  small.bytes_max = 3000;
  World bytes(named(), small);
  bytes.origin.then(200, fresh("100"), std::string(500, 'x'));
  for (int i = 0; i < 20; ++i) (void)bytes.get({}, "/" + std::to_string(i));
  CHECK(bytes.store->bytes() <= 3000);
  CHECK(bytes.store->size() == 2);

  CacheStoreLimits few;
  few.variants_max = 2;
  World variants(named(), few);
  variants.origin.then(200, Headers{{"Cache-Control", "max-age=100"}, {"Vary", "X"}}, "x");
  for (int i = 0; i < 5; ++i) (void)variants.get({{"X", std::to_string(i)}});
  CHECK(variants.store->size() == 2);
}

TEST_CASE("cache: a long body is shared by its readers, also when its entry is gone") {
  World world;
  const std::string body(200 * KiB, 'x');
  world.origin.then(200, fresh(), body);
  (void)world.get();
  auto read = [&]() -> Task<> {
    Response response = co_await world.service(get("http://h/"));
    CHECK(response.body.length() == body.size());
    co_await world.store->remove("http://h/", 0);
    std::string all = co_await response.body.text(1 * MiB);
    CHECK(all == body);
  };
  CHECK(world.sim.run(read()));
  CHECK(world.store->size() == 0);
}

TEST_CASE("cache: a store that fails costs no request") {
  class Broken final : public CacheStore {
   public:
    Task<Found> find(std::string) override { co_return Error(Errc::unavailable, "no disk"); }
    Task<std::optional<Body>> open(std::string, std::uint64_t) override {
      co_return Error(Errc::unavailable, "no disk");
    }
    Task<std::unique_ptr<Writer>> store(std::string, StoredHead, std::optional<std::uint64_t>) override {
      co_return Error(Errc::unavailable, "no disk");
    }
    Task<> freshen(std::string, StoredHead) override { co_await Error(Errc::unavailable, "no disk"); }
    Task<> remove(std::string, std::uint64_t) override { co_await Error(Errc::unavailable, "no disk"); }
  };
  Sim sim;
  Origin origin;
  origin.then(200, fresh(), "one");
  const Service service = layered(Cache(std::make_shared<Broken>()), origin);
  CHECK(sim.run(ask(service, get("http://h/")))->body == "one");
  CHECK(sim.run(ask(service, request("DELETE", "/")))->status == 200);
}

TEST_CASE("cache: a Host of the caller's own is another server, and passes by") {
  World world;
  world.origin.then(200, fresh(), "a's");
  world.origin.then(200, fresh(), "b's");
  CHECK(world.get().body == "a's");
  CHECK(world.get(Headers{{"Host", "b.test"}}).body == "b's");
  CHECK(world.get().body == "a's");
  CHECK(world.origin.calls() == 2);
}

TEST_CASE("cache: a 304 may bring another Vary, which counts from then on") {
  World world;
  world.origin.then(200, fresh(), "German");
  Headers varies = fresh();
  varies.set("Vary", "Accept-Language");
  world.origin.then(304, varies);
  world.origin.then(200, varies, "English");
  CHECK(world.get(Headers{{"Accept-Language", "de"}}).body == "German");
  world.sim.advance(11s);
  CHECK(world.get(Headers{{"Accept-Language", "de"}}).body == "German");
  CHECK(world.get(Headers{{"Accept-Language", "en"}}).body == "English");
  CHECK(world.origin.calls() == 3);
}
