// Cookies: which are kept, where they are sent, limits, dates, and the text form.

#include <escapement/middleware/client/cookies.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/client/public_suffix.h>
#include <escapement/middleware/client/redirect.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::ask;

namespace {

const SystemTime now = *SystemTime::parse_rfc3339("2026-01-01T00:00:00Z");

// A jar that has seen one response, and what it then sends.
struct Seen {
  CookieJar jar;
  Seen& set(const std::string& url, std::initializer_list<std::string_view> fields, SystemTime at = now) {
    Headers headers;
    for (const std::string_view field : fields) headers.add("Set-Cookie", std::string(field));
    jar.store(*Url::parse(url), headers, at);
    return *this;
  }
  std::string sent(const std::string& url, SystemTime at = now) {
    return jar.header_for(*Url::parse(url), at);
  }
};

std::string sent_after(const std::string& from, std::string_view field, const std::string& to) {
  return Seen().set(from, {field}).sent(to);
}

}  // namespace

TEST_CASE("cookies: names, values and what is ignored") {
  struct Row {
    std::string_view field;
    std::string_view sent;
  };
  for (const Row& row :
       {Row{"a=b", "a=b"}, Row{" a = b c ", "a=b c"}, Row{"a=", "a="}, Row{"=b", "b"}, Row{"b", "b"},
        Row{"a=b=c", "a=b=c"}, Row{"a=\"b\"", "a=\"b\""}, Row{"", ""}, Row{"=", ""}, Row{";a=b", ""},
        Row{"a=b\x01", ""}, Row{"a=b; Nonsense; x=y", "a=b"}, Row{"a=\xc3\xa4", "a=\xc3\xa4"}}) {
    CHECK(sent_after("http://h.test/", row.field, "http://h.test/") == row.sent);
  }
  CHECK(sent_after("http://h.test/", std::string(2000, 'n') + '=' + std::string(2096, 'v'), "http://h.test/")
            .size() == 4097);
  CHECK(sent_after("http://h.test/", std::string(2000, 'n') + '=' + std::string(2097, 'v'), "http://h.test/")
            .empty());
}

TEST_CASE("cookies: domains") {
  struct Row {
    std::string_view domain;
    std::string from;
    std::string to;
    bool sent;
  };
  for (const Row& row :
       {Row{"", "a.test.example", "a.test.example", true},
        Row{"", "a.test.example", "b.a.test.example", false},
        Row{"test.example", "a.test.example", "b.test.example", true},
        Row{".Test.Example", "a.test.example", "test.example", true},
        Row{"test.example", "a.test.example", "xtest.example", false},
        Row{"a.test.example", "test.example", "a.test.example", false},
        Row{"other.example", "a.test.example", "other.example", false},
        Row{"example", "a.example", "b.example", false}, Row{"1.2.3.4", "1.2.3.4", "1.2.3.4", true},
        Row{"3.4", "1.2.3.4", "1.2.3.4", false}, Row{"localhost", "localhost", "localhost", true},
        Row{"localhost", "localhost", "a.localhost", false}}) {
    const std::string field = "a=b" + (row.domain.empty() ? "" : "; Domain=" + std::string(row.domain));
    INFO(field << " from " << row.from << " to " << row.to);
    CHECK((sent_after("http://" + row.from + '/', field, "http://" + row.to + '/') == "a=b") == row.sent);
  }
}

TEST_CASE("cookies: public suffixes, by the list if there is one") {
  CHECK(is_public_suffix("com"));
  CHECK_FALSE(is_public_suffix("example.com"));
  CHECK(is_public_suffix("com."));
  CHECK_FALSE(is_public_suffix("example.com."));
  CHECK(sent_after("http://a.test./", "a=b; Domain=test.", "http://b.test./").empty());
  if (!has_public_suffix_list()) {
    WARN("skipped: built without libpsl");  // SKIP throws, which wasm cannot
    return;
  }
  CHECK(is_public_suffix("co.uk"));
  CHECK(is_public_suffix("github.io"));
  CHECK(is_public_suffix("co.uk."));
  CHECK(sent_after("http://a.co.uk./", "a=b; Domain=co.uk.", "http://b.co.uk./").empty());
  CHECK(sent_after("http://a.co.uk/", "a=b; Domain=co.uk", "http://b.co.uk/").empty());
  CHECK(sent_after("http://me.github.io/", "a=b; Domain=github.io", "http://you.github.io/").empty());
  CHECK(sent_after("http://github.io/", "a=b; Domain=github.io", "http://github.io/") == "a=b");
  CHECK(sent_after("http://github.io/", "a=b; Domain=github.io", "http://you.github.io/").empty());
}

TEST_CASE("cookies: paths") {
  struct Row {
    std::string_view path;
    std::string from;
    std::string to;
    bool sent;
  };
  for (const Row& row :
       {Row{"", "/a/b", "/a", true}, Row{"", "/a/b", "/a/c/d", true}, Row{"", "/a/b", "/ab", false},
        Row{"", "/a", "/z", true}, Row{"; Path=/x", "/", "/x", true}, Row{"; Path=/x", "/", "/x/y", true},
        Row{"; Path=/x", "/", "/xy", false}, Row{"; Path=/x/", "/", "/x/y", true},
        Row{"; Path=/x/", "/", "/x", false}, Row{"; Path=x", "/a/b", "/a/z", true},
        Row{"; Path=/; Path=/q", "/", "/a", false}}) {
    const std::string field = "a=b" + std::string(row.path);
    INFO(field << " from " << row.from << " to " << row.to);
    CHECK((sent_after("http://h.test" + row.from, field, "http://h.test" + row.to) == "a=b") == row.sent);
  }
}

TEST_CASE("cookies: longer paths first, then the older ones") {
  Seen seen;
  seen.set("http://h.test/", {"one=1; Path=/"}).set("http://h.test/", {"two=2; Path=/a"}, now + 1s);
  seen.set("http://h.test/", {"three=3; Path=/"}, now + 2s)
      .set("http://h.test/", {"one=4; Path=/"}, now + 3s);
  CHECK(seen.sent("http://h.test/a", now + 4s) == "two=2; one=4; three=3");
}

TEST_CASE("cookies: Secure goes by https alone, and is not replaced from http") {
  CHECK(sent_after("https://h.test/", "a=b; Secure", "https://h.test/") == "a=b");
  CHECK(sent_after("https://h.test/", "a=b; Secure", "http://h.test/").empty());
  CHECK(sent_after("http://h.test/", "a=b; Secure", "https://h.test/").empty());
  Seen seen;
  seen.set("https://h.test/", {"a=good; Secure; Domain=h.test"})
      .set("http://x.h.test/", {"a=bad; Domain=h.test"});
  CHECK(seen.sent("https://h.test/") == "a=good");
  seen.set("http://h.test/", {"a=bad"});
  CHECK(seen.sent("https://h.test/") == "a=good");
  seen.set("http://h.test/", {"b=fine"});
  CHECK(seen.sent("https://h.test/") == "a=good; b=fine");
}

TEST_CASE("cookies: the prefixes __Secure- and __Host-") {
  const auto kept = [](const char* field, const char* url = "https://h.test/") {
    return !sent_after(url, field, url).empty();
  };
  CHECK(kept("__Secure-a=b; Secure"));
  CHECK_FALSE(kept("__Secure-a=b"));
  CHECK_FALSE(kept("__SECURE-a=b"));
  CHECK(kept("__Host-a=b; Secure; Path=/"));
  CHECK_FALSE(kept("__Host-a=b; Secure"));
  CHECK_FALSE(kept("__Host-a=b; Secure; Path=/a", "https://h.test/a"));
  CHECK_FALSE(kept("__Host-a=b; Secure; Path=/; Domain=h.test"));
  CHECK_FALSE(kept("__Host-a=b; Path=/"));
  CHECK_FALSE(kept("=__Host-a=b; Secure; Path=/"));
  CHECK_FALSE(kept("__Secure-x; Secure"));
}

TEST_CASE("cookies: expiry, by age before date, 400 days at most") {
  Seen seen;
  seen.set("http://h.test/", {"a=b; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT"});
  CHECK(seen.sent("http://h.test/", now + 9s) == "a=b");
  CHECK(seen.sent("http://h.test/", now + 10s).empty());
  CHECK(sent_after("http://h.test/", "a=b; Max-Age=0", "http://h.test/").empty());
  CHECK(sent_after("http://h.test/", "a=b; Max-Age=-1", "http://h.test/").empty());
  CHECK(sent_after("http://h.test/", "a=b; Max-Age=x", "http://h.test/") == "a=b");
  CHECK(sent_after("http://h.test/", "a=b; Expires=nonsense", "http://h.test/") == "a=b");
  Seen deleted;
  deleted.set("http://h.test/", {"a=b"}).set("http://h.test/", {"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"});
  CHECK(deleted.jar.all().empty());
  Seen far;
  far.set("http://h.test/",
          {"a=b; Max-Age=99999999999999999999", "c=d; Expires=Fri, 31 Dec 9999 23:59:59 GMT"});
  for (const Cookie& cookie : far.jar.all()) CHECK(cookie.expires == now + 24h * 400);
}

TEST_CASE("cookies: dates as they are sent") {
  for (const char* text : {"Wed, 09 Jun 2021 10:18:14 GMT", "Wednesday, 09-Jun-21 10:18:14 GMT",
                           "Wed Jun  9 10:18:14 2021", "9 june 2021 10:18:14", "10:18:14 09 JUN 21",
                           "2021 9 Jun 10:18:14 x", "Wed, 09-Jun-2021 10:18:14 +0500"}) {
    INFO(text);
    const Result<SystemTime> date = http::detail::parse_cookie_date(text);
    REQUIRE(date);
    CHECK(date->rfc3339() == "2021-06-09T10:18:14.000Z");
  }
  for (const char* text :
       {"", "Wed, 09 Jun 2021", "10:18:14 Jun 2021", "09 Jun 10:18:14", "09 2021 10:18:14",
        "32 Jun 2021 10:18:14", "30 Feb 2021 10:18:14", "09 Jun 2021 24:18:14", "09 Jun 1600 10:18:14"}) {
    INFO(text);
    CHECK_FALSE(http::detail::parse_cookie_date(text));
  }
  CHECK(http::detail::parse_cookie_date("1 Jan 1965 00:00:00")->unix_milliseconds() == 0);
  CHECK(http::detail::parse_cookie_date("1 Jan 70 00:00:01")->unix_milliseconds() == 1000);
}

TEST_CASE("cookies: limits drop expired ones, then those not used for longest, Secure ones last") {
  CookieJarOptions options;
  options.cookies_per_domain_max = 3;
  options.cookies_max = 4;
  CookieJar jar(options);
  const auto set = [&](const std::string& url, const std::string& field, SystemTime at) {
    jar.store(*Url::parse(url), Headers{{"Set-Cookie", field}}, at);
  };
  set("https://h.test/", "s=1; Secure", now);
  set("https://h.test/", "a=1; Path=/a", now + 1s);
  set("https://h.test/", "b=1; Path=/b", now + 2s);
  CHECK(jar.header_for(*Url::parse("http://h.test/a"), now + 3s) == "a=1");
  set("https://h.test/", "c=1; Path=/c", now + 4s);
  CHECK(jar.all().size() == 3);
  CHECK(jar.header_for(*Url::parse("https://h.test/b"), now + 4s) == "s=1");
  CHECK(jar.header_for(*Url::parse("https://h.test/a"), now + 4s) == "a=1; s=1");
  set("http://one.test/", "x=1; Max-Age=1", now + 5s);
  set("http://two.test/", "y=1", now + 10s);
  CHECK(jar.all().size() == 4);
  CHECK(jar.header_for(*Url::parse("http://one.test/"), now + 5s).empty());
}

TEST_CASE("cookies: kept as text, in curl's format") {
  Seen seen;
  seen.set("https://h.test/a/b",
           {"one=1; Max-Age=100; Secure; HttpOnly", "two=2; Max-Age=100; Domain=h.test; Path=/", "session=3",
            "tab=a\tb; Max-Age=100"});
  const std::string text = seen.jar.text();
  CHECK(text ==
        "# Netscape HTTP Cookie File\n"
        "#HttpOnly_h.test\tFALSE\t/a\tTRUE\t1767225700\tone\t1\n"
        ".h.test\tTRUE\t/\tFALSE\t1767225700\ttwo\t2\n");
  CookieJar again;
  CHECK(again.restore(text));
  CHECK(again.text() == text);
  CHECK(again.header_for(*Url::parse("https://h.test/a"), now) == "one=1; two=2");
  CHECK(again.restore("x.test\tFALSE\t/\tFALSE\t0\ts\tv\r\n# comment\n\n"));
  CHECK(again.header_for(*Url::parse("http://x.test/"), now) == "s=v");
  again.clear_session();
  CHECK(again.header_for(*Url::parse("http://x.test/"), now).empty());
  for (const char* wrong : {"nonsense", "h\tFALSE\t/\tFALSE\tx\ta\tb", "h\tFALSE\t/\tFALSE\t-1\ta\tb",
                            "\tFALSE\t/\tFALSE\t1\ta\tb", "h\tFALSE\t/\tFALSE\t1\ta\tb\tc"}) {
    const std::size_t before = again.all().size();
    CHECK(again.restore(std::string("y.test\tFALSE\t/\tFALSE\t0\ts\tv\n") + wrong).error() ==
          Errc::invalid_argument);
    CHECK(again.all().size() == before);
  }
}

TEST_CASE("cookies: a layer inside a redirect sends each hop its own") {
  Sim sim;
  std::vector<std::string> seen;
  auto jar = std::make_shared<CookieJar>();
  const Service site = layered(Redirect{}, Cookies(jar), [&](Request request) -> Task<Response> {
    seen.push_back(request.url.host() + ' ' + std::string(request.headers.get_or("Cookie", "-")));
    if (request.url.path() == "/login") {
      co_return Response(
          302, Headers{{"Location", "http://b.test/"}, {"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}}, "");
    }
    if (request.url.host() == "b.test")
      co_return Response(302, Headers{{"Location", "http://a.test/in"}}, "");
    co_return Response(200, "in");
  });
  Request request = get("http://a.test/login");
  request.headers.set("Cookie", "own=0");
  CHECK(sim.run(ask(site, std::move(request)))->body == "in");
  CHECK(seen == std::vector<std::string>{"a.test own=0", "b.test -", "a.test a=1; b=2"});
}
