// The rules of caching, row by row: the examples of RFC 9111 and RFC 5861, and cases of the http-wg's
// cache-tests.

#include <escapement/middleware/cache/cache_policy.h>

#include <catch2/catch_test_macros.hpp>

using namespace escapement;
using namespace escapement::http;

namespace {

// Tue, 24 Nov 2026 09:00:00 GMT
const SystemTime noon = *SystemTime::parse_http_date("Tue, 24 Nov 2026 09:00:00 GMT", SystemTime());

std::string at(Duration after) { return (noon + after).http_date(); }

CacheRules shared() {
  CacheRules rules;
  rules.shared = true;
  return rules;
}

// A response that was received at `noon`, in no time.
StoredHead head(Headers headers, int status = 200) {
  StoredHead stored(status, std::move(headers));
  stored.requested = noon;
  stored.received = noon;
  return stored;
}

Headers control(const char* value) { return Headers{{"Cache-Control", value}}; }

bool stores(Headers response, CacheRules rules = {}, Headers request = {}, int status = 200,
            const char* method = "GET") {
  return may_store(Method(method), request, status, response, rules);
}

// In seconds.
std::int64_t life(Headers headers, CacheRules rules = {}, int status = 200) {
  return fresh_for(head(std::move(headers), status), rules) / Duration(1s);
}

// The use of a response for a request, so long after it was received.
Reuse use(Headers response, Duration later, const char* asked = "", CacheRules rules = {}) {
  const Headers request = *asked == 0 ? Headers() : control(asked);
  return decide_reuse(head(std::move(response)), CacheControl::of_request(request), rules, noon + later)
      .reuse;
}

}  // namespace

TEST_CASE("cache policy: what may be stored, by a user's cache and by a shared one") {
  struct Row {
    const char* what;
    Headers response;
    Headers request;
    int status;
    bool user;
    bool shared;
  };
  const Row rows[] = {
      {"a plain 200", {}, {}, 200, true, true},
      {"a 404", {}, {}, 404, true, true},
      {"a 302 that says nothing", {}, {}, 302, false, false},
      {"a 302 with a lifetime", control("max-age=9"), {}, 302, true, true},
      {"a 500 with a lifetime", control("max-age=9"), {}, 500, true, true},
      {"a 599 with a lifetime", control("max-age=9"), {}, 599, true, true},
      {"a 500 that says nothing", {}, {}, 500, false, false},
      {"an Expires of any kind", Headers{{"Expires", "0"}}, {}, 302, true, true},
      {"s-maxage alone", control("s-maxage=9"), {}, 302, false, true},
      {"public alone", control("public"), {}, 302, true, true},
      {"private", control("private"), {}, 200, true, false},
      {"private, a list", control("private=\"set-cookie, x\""), {}, 200, true, false},
      {"no-store", control("max-age=9, no-store"), {}, 200, false, false},
      {"No-StOrE", control("No-StOrE"), {}, 200, false, false},
      {"no-store in a quoted text", control("x=\"no-store, y\", max-age=9"), {}, 200, true, true},
      {"no-store of the request", control("max-age=9"), control("no-store"), 200, false, false},
      {"no-cache", control("no-cache"), {}, 200, true, true},
      {"must-understand over no-store", control("must-understand, no-store"), {}, 200, true, true},
      {"must-understand, an unknown status", control("must-understand, max-age=9"), {}, 599, false, false},
      {"a part", control("max-age=9"), {}, 206, false, false},
      {"a 304", control("max-age=9"), {}, 304, false, false},
      {"Vary: *", Headers{{"Cache-Control", "max-age=9"}, {"Vary", "Accept, *"}}, {}, 200, false, false},
      {"Authorization", control("max-age=9"), Headers{{"Authorization", "x"}}, 200, true, false},
      {"Authorization, public", control("public"), Headers{{"Authorization", "x"}}, 200, true, true},
      {"Authorization, s-maxage", control("s-maxage=9"), Headers{{"Authorization", "x"}}, 200, true, true},
      {"Authorization, must-revalidate", control("must-revalidate"), Headers{{"Authorization", "x"}}, 200,
       true, true},
      {"Set-Cookie", Headers{{"Set-Cookie", "a=b"}, {"Cache-Control", "max-age=9"}}, {}, 200, true, false},
      {"Set-Cookie, public",
       Headers{{"Set-Cookie", "a=b"}, {"Cache-Control", "public"}},
       {},
       200,
       true,
       true},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK(stores(row.response, {}, row.request, row.status) == row.user);
    CHECK(stores(row.response, shared(), row.request, row.status) == row.shared);
  }
  for (const char* method : {"HEAD", "POST", "PUT", "QUERY", "get"}) {
    CHECK_FALSE(stores(control("max-age=9"), {}, {}, 200, method));
  }
}

TEST_CASE("cache policy: freshness lifetimes") {
  CHECK(life(control("max-age=3600")) == 3600);
  CHECK(life(control("max-age=003600")) == 3600);
  CHECK(life(control("max-age=\"3600\"")) == 3600);
  CHECK(life(control("MaX-aGe=3600")) == 3600);
  CHECK(life(control("max-age=99999999999999999999")) == 2147483648);
  CHECK(life(control("a=\"b, max-age=1\", max-age=7")) == 7);
  CHECK(life(control("a=\"\\\", max-age=1\",,max-age=7")) == 7);
  for (const char* bad : {"max-age", "max-age=", "max-age=-1", "max-age=3600.0", "max-age=a3600",
                          "max-age=3600a", "max-age='3600'", "max-age =3600", "max-age= 3600"}) {
    INFO(bad);
    CHECK(life(Headers{{"Cache-Control", bad}, {"Expires", at(100s)}}) == 0);
  }
  // The first of several counts.
  CHECK(life(control("max-age=1, max-age=3600")) == 1);
  CHECK(life(Headers{{"Cache-Control", "max-age=1"}, {"Cache-Control", "max-age=9"}}) == 1);
  // s-maxage is for shared caches, and comes before max-age, which comes before Expires.
  CHECK(life(control("max-age=1, s-maxage=9")) == 1);
  CHECK(life(control("max-age=1, s-maxage=9"), shared()) == 9);
  CHECK(life(Headers{{"Cache-Control", "max-age=7"}, {"Expires", at(100s)}}) == 7);
  CHECK(life(Headers{{"Date", at(0s)}, {"Expires", at(100s)}}) == 100);
  CHECK(life(Headers{{"Date", at(50s)}, {"Expires", at(100s)}}) == 50);
  CHECK(life(Headers{{"Expires", at(100s)}}) == 100);
  CHECK(life(Headers{{"Expires", at(-100s)}}) == 0);
  for (const char* bad : {"0", "-1", "", "tomorrow"}) {
    CHECK(life(Headers{{"Expires", bad}, {"Last-Modified", at(-1000s)}}) == 0);
  }
  CHECK(life(Headers{{"Expires", at(100s)}, {"Expires", at(200s)}}) == 0);
  CHECK(life(Headers{{"Expires", at(100s)}, {"Expires", at(100s)}}) == 100);
}

TEST_CASE("cache policy: a guess where nothing is said") {
  CHECK(life(Headers{{"Last-Modified", at(-1000s)}}) == 100);
  CHECK(life(Headers{{"Last-Modified", at(-std::chrono::hours(24) * 365)}}) == 86400);
  CHECK(life(Headers{{"Last-Modified", at(1000s)}}) == 0);
  CHECK(life(Headers{}) == 0);
  CHECK(life(Headers{{"Last-Modified", at(-1000s)}}, {}, 302) == 0);
  CHECK(life(Headers{{"Last-Modified", at(-1000s)}, {"Cache-Control", "public"}}, {}, 302) == 100);
  CacheRules none;
  none.heuristic_share = 0;
  CHECK(life(Headers{{"Last-Modified", at(-1000s)}}, none) == 0);
}

TEST_CASE("cache policy: age, as RFC 9111 section 4.2.3 adds it up") {
  const auto old = [](Headers headers, Duration delay, Duration later) {
    StoredHead stored = head(std::move(headers));
    stored.requested = noon + (Duration() - delay);
    return age(stored, noon + later) / Duration(1s);
  };
  CHECK(old({}, {}, 0s) == 0);
  CHECK(old({}, {}, 30s) == 30);
  CHECK(old(Headers{{"Date", at(-60s)}}, {}, 30s) == 90);
  CHECK(old(Headers{{"Date", at(60s)}}, {}, 30s) == 30);  // a clock that is ahead
  CHECK(old(Headers{{"Age", "100"}}, {}, 30s) == 130);
  CHECK(old(Headers{{"Age", "100"}, {"Date", at(-60s)}}, 5s, 30s) == 135);
  CHECK(old(Headers{{"Age", "50"}, {"Date", at(-60s)}}, 5s, 30s) == 90);
  CHECK(old(Headers{{"Age", "7, 100"}}, {}, 0s) == 7);
  CHECK(old(Headers{{"Age", "-7"}}, {}, 0s) == 0);
  CHECK(old(Headers{{"Age", "7.0"}}, {}, 0s) == 0);
  CHECK(old(Headers{{"Age", "99999999999"}}, {}, 0s) == 2147483648);
  CHECK(old({}, {}, -30s) == 0);  // the wall clock was put back
}

TEST_CASE("cache policy: whether a stored response may be used") {
  const Headers ten = control("max-age=10");
  CHECK(use(ten, 9s) == Reuse::fresh);
  CHECK(use(ten, 10s) == Reuse::validate);
  CHECK(use(control("max-age=10, no-cache"), 0s) == Reuse::validate);
  CHECK(use(control("max-age=10, no-cache=\"x\""), 0s) == Reuse::validate);
  CHECK(use(ten, 5s, "no-cache") == Reuse::validate);
  CHECK(use(ten, 5s, "max-age=5") == Reuse::fresh);
  CHECK(use(ten, 6s, "max-age=5") == Reuse::validate);
  CHECK(use(ten, 1s, "max-age=0") == Reuse::validate);
  CHECK(use(ten, 0s, "max-age=0") == Reuse::validate);
  CHECK(use(ten, 4s, "min-fresh=6") == Reuse::fresh);
  CHECK(use(ten, 5s, "min-fresh=6") == Reuse::validate);
  CHECK(use(ten, 15s, "max-stale") == Reuse::stale);
  CHECK(use(ten, 15s, "max-stale=5") == Reuse::stale);
  CHECK(use(ten, 16s, "max-stale=5") == Reuse::validate);
  CHECK(use(control("max-age=10, must-revalidate"), 11s, "max-stale") == Reuse::validate);
  CHECK(use(control("max-age=10, proxy-revalidate"), 11s, "max-stale") == Reuse::stale);
  CHECK(use(control("max-age=10, proxy-revalidate"), 11s, "max-stale", shared()) == Reuse::validate);
  CHECK(use(control("s-maxage=10"), 11s, "max-stale", shared()) == Reuse::validate);
  CHECK(use(control("max-age=10, stale-while-revalidate=5"), 15s) == Reuse::while_revalidating);
  CHECK(use(control("max-age=10, stale-while-revalidate=5"), 16s) == Reuse::validate);
  CHECK(use(control("max-age=10, stale-while-revalidate=5, must-revalidate"), 11s) == Reuse::validate);
  const ReuseDecision by_request =
      decide_reuse(head(ten), CacheControl::of_request(Headers{{"Pragma", "no-cache"}}), {}, noon);
  CHECK(by_request.reuse == Reuse::validate);
  CHECK(by_request.by_request);
  const Headers both{{"Pragma", "no-cache"}, {"Cache-Control", "max-stale"}};
  CHECK(decide_reuse(head(ten), CacheControl::of_request(both), {}, noon).reuse == Reuse::fresh);
}

TEST_CASE("cache policy: after an error") {
  const auto after = [](const char* response, Duration later, const char* asked = "x",
                        CacheRules rules = {}) {
    return may_use_after_error(head(control(response)), CacheControl::of_request(control(asked)), rules,
                               noon + later);
  };
  CHECK(after("max-age=10, stale-if-error=20", 30s));
  CHECK_FALSE(after("max-age=10, stale-if-error=20", 31s));
  CHECK_FALSE(after("max-age=10", 11s));
  // Still fresh: it was the request that wanted to know, so it does, unless somebody has named a time.
  CHECK_FALSE(after("max-age=10", 5s, "no-cache"));
  CHECK_FALSE(after("max-age=10", 5s, "max-age=0"));
  CHECK(after("max-age=10, stale-if-error=0", 5s, "no-cache"));
  CHECK(after("max-age=10", 5s, "no-cache, stale-if-error=1"));
  CHECK(after("max-age=10", 15s, "stale-if-error=5"));
  CHECK_FALSE(after("max-age=10, must-revalidate, stale-if-error=20", 11s));
  CHECK_FALSE(after("max-age=10, no-cache, stale-if-error=20", 5s));
  CacheRules rules;
  rules.stale_if_error = 60s;
  CHECK(after("max-age=10", 70s, "x", rules));
  CHECK_FALSE(after("max-age=10, stale-if-error=1", 70s, "x", rules));
}

TEST_CASE("cache policy: a 304 and what it is about") {
  const StoredHead strong = head(Headers{{"ETag", "\"a\""}, {"Last-Modified", at(-10s)}});
  CHECK(validates(strong, Headers{{"ETag", "\"a\""}}));
  CHECK(validates(strong, Headers{{"ETag", "W/\"a\""}}));
  CHECK_FALSE(validates(strong, Headers{{"ETag", "\"b\""}}));
  CHECK(validates(strong, Headers{}));
  CHECK_FALSE(validates(strong, Headers{{"Last-Modified", at(-5s)}}));
  CHECK_FALSE(validates(head({}), Headers{{"ETag", "\"a\""}}));

  StoredHead stored = head(Headers{{"Date", at(-60s)},
                                   {"Age", "9"},
                                   {"X-A", "1"},
                                   {"X-B", "1"},
                                   {"X-B", "2"},
                                   {"Content-Length", "5"},
                                   {"Content-Type", "text/plain"}});
  freshen(stored,
          Headers{{"X-B", "3"},
                  {"Content-Length", "0"},
                  {"Content-Type", "x/y"},
                  {"Connection", "X-C"},
                  {"X-C", "c"},
                  {"Cache-Control", "max-age=7"}},
          noon, noon + 10s);
  CHECK(stored.headers.get_or("X-A", "") == "1");
  CHECK(stored.headers.joined("X-B") == "3");
  CHECK(stored.headers.get_or("Content-Length", "") == "5");
  CHECK(stored.headers.get_or("Content-Type", "") == "text/plain");
  CHECK_FALSE(stored.headers.has("Age"));
  CHECK_FALSE(stored.headers.has("X-C"));
  CHECK(stored.headers.get_or("Date", "") == at(10s));
  CHECK(age(stored, noon + 10s) == 10s);
}

TEST_CASE("cache policy: fields of the connection are not stored, and a Date is") {
  const Headers stored = fields_to_store(Headers{{"Connection", "close, X-Mine"},
                                                 {"X-Mine", "1"},
                                                 {"Keep-Alive", "timeout=5"},
                                                 {"X-A", "1"},
                                                 {"Transfer-Encoding", "chunked"},
                                                 {"Proxy-Authenticate", "Basic"},
                                                 {"Set-Cookie", "a"},
                                                 {"Set-Cookie", "b"}},
                                         noon);
  CHECK(stored.size() == 4);
  CHECK(stored.count("Set-Cookie") == 2);
  CHECK(stored.get_or("Date", "") == at(0s));
  CHECK(*vary_fields(Headers{{"Vary", "Accept, ACCEPT-Encoding"}, {"Vary", "accept,, x"}}) ==
        std::vector<std::string>{"accept", "accept-encoding", "x"});
  CHECK(vary_fields({})->empty());
}
