#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/message.h>
#include <escapement/io/http/url.h>

using namespace escapement;
using namespace escapement::http;

TEST_CASE("Url: taken apart; scheme, host and dots are normalised, the rest is as it was given") {
  const Url url = *Url::parse("HTTP://u:p@ExAmple.COM:8080/a/./b/../c%7e%2f?q=1&x=%c3%a9#f");
  CHECK(url.scheme() == "http");
  CHECK(url.userinfo() == "u:p");
  CHECK(url.host() == "example.com");
  CHECK(url.port() == 8080);
  CHECK(url.path() == "/a/c%7e%2f");
  CHECK(url.query() == "q=1&x=%c3%a9");
  CHECK(url.fragment() == "f");
  CHECK(url.target() == "/a/c%7e%2f?q=1&x=%c3%a9");
  CHECK(url.authority() == "example.com:8080");
  CHECK(url.without_credentials() == "http://example.com:8080/a/c%7e%2f?q=1&x=%c3%a9");
  CHECK(Url::parse("https://[::1]/")->authority() == "[::1]");
  CHECK(Url::parse("http://h:80")->text() == "http://h/");
  CHECK(Url::parse("http://h/?a=b+c%20d&e")->query_parameter("a") == "b c d");
  CHECK(Url::parse("http://h/{x}|y")->path() == "/%7Bx%7D%7Cy");
}

// A signature may cover the text of a URL.
TEST_CASE("Url: what is legal is sent as it was given") {
  for (const char* target :
       {"/f%2Dile%7E?sig=a%2Db%3d&x=%2e", "/%61%41%7e%7E", "/a%2fb%2Fc", "/?a=%2F&b=/", "/?%61=1#%2d",
        "/-._~!$&'()*+,;=:@", "/?-._~!$&'()*+,;=:@/?", "/a//b", "/a/...", "/%2e%2ea", "/?/../%2e%2e/"}) {
    CAPTURE(target);
    const Url url = *Url::parse(std::string("http://h") + target);
    CHECK(url.text() == std::string("http://h") + target);
    CHECK(Url::parse("http://h/x")->resolve(target)->text() == url.text());
    CHECK(Url::parse("http://x/")->resolve(url.text())->text() == url.text());
    CHECK(Url::of_request(Url::Origin(false, "h"), target)->text() == url.text());
  }
}

TEST_CASE("Url: dots are dots in every spelling") {
  for (const char* path : {"/a/../b", "/a/%2e%2e/b", "/a/.%2E/b", "/a/%2e./b", "/./b", "/%2e/b",
                           "/a/%2E%2e/./b", "/../b", "/%2e%2e/b"}) {
    CAPTURE(path);
    CHECK(Url::parse(std::string("http://h") + path)->path() == "/b");
    CHECK(Url::parse("http://h/x/")->resolve(path)->path() == "/b");
  }
  CHECK(Url::parse("http://h/a/%2e%2e")->path() == "/");
  CHECK(Url::parse("http://h/a/b/%2e")->path() == "/a/b/");
}

TEST_CASE("Url: a query takes what browsers send") {
  const std::pair<const char*, const char*> rows[] = {
      {"x=100%", "x=100%"}, {"q=%zz", "q=%zz"},  {"%", "%"},
      {"%2", "%2"},         {"%%41", "%%41"},    {"a%", "a%"},
      {"%u00e9", "%u00e9"}, {"a=\\b", "a=%5Cb"}, {"a[]={1}|\"", "a%5B%5D=%7B1%7D%7C%22"},
  };
  for (const auto& [query, sent] : rows) {
    CAPTURE(query);
    const Result<Url> url = Url::parse(std::string("http://h/?") + query);
    REQUIRE(url);
    CHECK(url->query() == sent);
    CHECK(Url::parse(url->text())->query() == sent);
    CHECK(Url::parse(std::string("http://h/#") + query)->fragment() == sent);
  }
  CHECK(Url::parse("http://h/?x=100%")->query_parameter("x") == "100%");
  CHECK(Url::parse("http://h/?q=%zz&%71=%4")->query_parameter("q") == "%zz");
  CHECK(Url::parse("http://h/?%71=%4")->query_parameter("q") == "%4");
  CHECK(Url::parse("http://h/?a+b=1&c%2Bd=2")->query_parameter("a b") == "1");
  CHECK(Url::parse("http://h/?a+b=1&c%2Bd=2")->query_parameter("c+d") == "2");
  CHECK(Url::parse("http://h/?a+b=1")->query_parameter("a+b").empty());
  CHECK(Url::parse("http://h/?a=%2B+%2b")->query_parameter("a") == "+ +");
  CHECK(Url::parse("http://h/?q=a\\b")->query_parameter("q") == "a\\b");
}

TEST_CASE("Url: names as RFC 3986 has them, one in every spelling") {
  const std::pair<const char*, const char*> rows[] = {
      {"a=b", "a=b"},
      {"a,b", "a,b"},
      {"a%41", "aa"},
      {"%41%2e%62", "a.b"},
      {"A_b~c", "a_b~c"},
      {"!$&'()*+;", "!$&'()*+;"},
      {"caf%c3%A9.test", "caf%C3%A9.test"},
      {"%3d", "%3D"},
      {"1%2e2.3.4", "1.2.3.4"},
  };
  for (const auto& [host, expected] : rows) {
    CAPTURE(host);
    const Result<Url> url = Url::parse(std::string("http://") + host + ":81/");
    REQUIRE(url);
    CHECK(url->host() == expected);
    CHECK(*Url::parse(url->text()) == *url);
  }
  for (const char* host :
       {"a%",    "a%4",  "a%zz", "a%2fb", "a%2Fb",  "a%40b",     "a%3a81", "a%23", "a%3f",     "a%5c", "a%00",
        "a%20b", "a%0a", "a%7f", "a%25",  "a%252e", "%5b::1%5d", "1%2e2",  "%31",  "a%2e%2eb", "%2e"}) {
    CAPTURE(host);
    CHECK(!Url::parse(std::string("http://") + host + "/"));
  }
}

TEST_CASE("Url: the normal spelling makes equal what means the same") {
  CHECK(normal_spelling("/%7ea%2f%41%C3%a9%/%4") == "/~a%2FA%C3%A9%/%4");
  CHECK(normal_spelling("") == "");
}

TEST_CASE("Url: a Location is read as browsers read it") {
  const Url base = *Url::parse("http://a/b/c?q");
  const std::pair<const char*, const char*> rows[] = {
      {"/caf\xc3\xa9", "http://a/caf%C3%A9"},
      {"/caf\xe9", "http://a/caf%E9"},
      {"caf\xc3\xa9:x", "http://a/b/caf%C3%A9:x"},
      {"/a b", "http://a/a%20b"},
      {"a b:c", "http://a/b/a%20b:c"},
      {"1:2", "http://a/b/1:2"},
      {" /a ", "http://a/a"},
      {"/a?q=50%", "http://a/a?q=50%"},
      {"/50%", "http://a/50%"},
      {"/%zz/%2", "http://a/%zz/%2"},
      {"/a?q=x y\xe9", "http://a/a?q=x%20y%E9"},
      {"?x y", "http://a/b/c?x%20y"},
      {"/a\\b", "http://a/a/b"},
      {"\\b", "http://a/b"},
      {"x\\..\\y", "http://a/b/y"},
      {"/a?\\#\\", "http://a/a?%5C#%5C"},
      {"//o/a b\\c", "http://o/a%20b/c"},
      {"https://o/\xc3\xa9?\xc3\xa9#\xc3\xa9", "https://o/%C3%A9?%C3%A9#%C3%A9"},
      {"http://o?a b", "http://o/?a%20b"},
      {"HTTP://O/a b", "http://o/a%20b"},
      {"/a/..\\\\x", "http://a//x"},
      {"/\xff\"<>", "http://a/%FF%22%3C%3E"},
  };
  for (const auto& [location, expected] : rows) {
    CAPTURE(location);
    const Result<Url> url = base.resolve(location);
    REQUIRE(url);
    CHECK(url->text() == expected);
    CHECK(url->resolve("")->text() == expected);
  }
  for (const char* location : {"/\\o/",         "\\\\o/",        "\\/o/",
                               "//o\\@a/",      "//a\\o/",       "http:\\\\o/",
                               "http:/\\o/",    "http:/o",       "http:o",
                               "http://a\\@o/", "http://a\\.o/", "http://caf\xc3\xa9/",
                               "http://a b/",   "http://a%20b/", "http://a@b@c/",
                               "http://a:x/",   "http://",       "//",
                               "///x",          "http:///x",     "mailto:x",
                               "javascript:x",  "/a\tb",         "/a\nb",
                               "/\t/o/",        "ht\ttp://o/",   "/a\x7f",
                               "http://u%@o/",  "http://[::1/"}) {
    CAPTURE(location);
    CHECK(!base.resolve(location));
  }
  CHECK(Url::parse("http://u:p@a/b")->resolve("c d")->text() == "http://u:p@a/c%20d");
}

TEST_CASE("Url: what is none, or could be read as two hosts, is refused with a sentence") {
  for (const char* text : {"",
                           "h",
                           "/a",
                           "ftp://h/",
                           "http:/h",
                           "http:h",
                           "http://",
                           "http:///a",
                           "http://a@b@c/",
                           "http://a\\@b/",
                           "http://a\\b/?q",
                           "http://h/\\?q",
                           "http://h:99999/",
                           "http://h:-1/",
                           "http://h:8 0/",
                           "http://[::1",
                           "http://[::1]x/",
                           "http://[1::2::3]/",
                           "http://[12345::]/",
                           "http://[1:2:3:4:5:6:7::8]/",
                           "http://[::1:2:3:4:5:6:7:8]/",
                           "http://[1:2:3:4:5:6:7:8:9]/",
                           "http://[1:2:3:4:5:6:7]/",
                           "http://[::1:2:3:4:5:6:1.2.3.4]/",
                           "http://[1:2:3:4:5:1.2.3.4]/",
                           "http://1.2.3.4.5/",
                           "http://256.1.1.1/",
                           "http://0x7f.1/",
                           "http://1/",
                           "http://a b/",
                           "http://a\tb/",
                           "http://h/a b",
                           "http://h/%",
                           "http://h/%2",
                           "http://h/%zz",
                           "http://h\x7f/",
                           "http://\xc3\xa9/",
                           "http://-./ ",
                           "http://a..b/",
                           "http://h/\\",
                           "http://.h/"}) {
    CAPTURE(text);
    Result<Url> url = Url::parse(text);
    CHECK(!url);
    if (!url) CHECK(url.error() == Errc::invalid_argument);
  }
}

TEST_CASE("Url: each limit, and one more") {
  const auto of_length = [](std::size_t length) {
    return Url::parse("http://h/" + std::string(length - std::string_view("http://h/").size(), 'a'));
  };
  CHECK(of_length(Url::length_max));
  CHECK(!of_length(Url::length_max + 1));
  const std::string label(63, 'a');
  CHECK(Url::parse("http://" + label + "/"));
  CHECK(Url::parse("http://b." + label + "/"));
  CHECK(!Url::parse("http://a" + label + "/"));
  CHECK(!Url::parse("http://b.a" + label + "/"));
  const std::string name = label + '.' + label + '.' + label + '.' + std::string(61, 'a');
  CHECK(Url::parse("http://" + name + "/"));
  CHECK(!Url::parse("http://" + name + "a/"));
  CHECK(Url::parse("http://h:65535/")->port() == 65535);
  CHECK(!Url::parse("http://h:65536/"));
  for (const char* address : {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::1:2:3:4:5:6:7", "1:2:3:4:5:6:1.2.3.4",
                              "::2:3:4:5:6:1.2.3.4"}) {
    CAPTURE(address);
    CHECK(Url::parse(std::string("http://[") + address + "]/"));
  }
}

namespace {

// Every text of up to `length` of the given pieces.
std::vector<std::string> texts(std::size_t length, const std::vector<std::string>& pieces) {
  std::vector<std::string> all{""};
  for (std::size_t begin = 0; length > 0; --length) {
    const std::size_t end = all.size();
    for (; begin < end; ++begin) {
      for (const std::string& piece : pieces) all.push_back(all[begin] + piece);
    }
  }
  return all;
}

void check_of_request(const std::string& host, const std::string& target) {
  const Result<Url> quick = Url::of_request(Url::Origin(false, host), target);
  const Result<Url> slow = Url::parse("http://" + host + target);
  if (static_cast<bool>(quick) == static_cast<bool>(slow) && (!quick || *quick == *slow)) return;
  FAIL("host \"" << host << "\", target \"" << target << "\"");
}

}  // namespace

// A URL that comes from a peer and is parsed only later must be one that parse accepts: there is no error
// then.
TEST_CASE("Url: of a request, the same as parsed") {
  for (const std::string& host : texts(5, {"a", "A", "0", "-", ".", ":", "=", "%41", "256", "65536"}))
    check_of_request(host, "/");
  for (const std::string& target : texts(5, {"/", ".", "a", "?", "#", "%", "2", "%2e", "\"", "\\"}))
    check_of_request("a", target);
  for (const std::size_t length : {62, 63, 64, 253, 254, 4095, 4096, 8185, 8192}) {
    check_of_request(std::string(length, 'a'), "/");
    check_of_request(std::string(length, '0'), "/");
    check_of_request(std::string(length, 'a') + ".b", "/");
    check_of_request("b." + std::string(length, 'a') + ".b:1", "/");
    check_of_request("a", "/" + std::string(length, 'a'));
  }
  std::string dots;
  for (int i = 0; i < 130; ++i) check_of_request(dots += i == 0 ? "a" : ".a", "/");
}

TEST_CASE("Url: references (RFC 3986 section 5.4)") {
  const Url base = *Url::parse("http://a/b/c/d;p?q");
  const std::pair<const char*, const char*> cases[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {";x", "http://a/b/c/;x"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"https://o/x", "https://o/x"},
  };
  for (const auto& [reference, expected] : cases) {
    CAPTURE(reference);
    CHECK(base.resolve(reference)->text() == expected);
  }
  CHECK(Url::parse("http://a/#f")->resolve("b")->text() == "http://a/b#f");
  CHECK(!base.resolve("mailto:x"));
}

TEST_CASE("Headers: without case, in order, several of a name") {
  Headers headers{{"A", "1"}, {"b", "2"}, {"a", "3"}};
  CHECK(*headers.get("a") == "1");
  CHECK(*headers.joined("A") == "1, 3");
  CHECK(headers.count("a") == 2);
  headers.set("A", "4");
  CHECK(headers.count("a") == 1);
  CHECK(headers.remove("b") == 1);
  CHECK(list_contains("keep-alive, Close", "close"));
  CHECK(!list_contains("closed", "close"));
}

TEST_CASE("A parameter of a list: by its whole name in any case, the first, without quotes") {
  CHECK(list_parameter("timeout=5, max=100", "max") == "100");
  CHECK(list_parameter(R"("a";r=0;t=30)", "t") == "30");
  CHECK(list_parameter("Timeout = \"7\" ,x", "timeout") == "7");
  CHECK(list_parameter("xtimeout=1, timeout=2, timeout=3", "timeout") == "2");
  CHECK(list_parameter("timeout=\"", "timeout") == "\"");
  CHECK(list_parameter(R"(a=", timeout=5)", "timeout") == "5");
  CHECK(list_parameter(R"(a="b;timeout=1,c", timeout="2;3,4")", "timeout") == "2;3,4");
  CHECK(list_parameter(R"(a="b\",timeout=1", timeout=2)", "timeout") == "2");
  for (const char* list : {"", ",;", "timeout", "timeout=", "xtimeout=1", "a=timeout=1"}) {
    CAPTURE(list);
    CHECK(list_parameter(list, "timeout").empty());
  }
}

TEST_CASE("Which statuses have a body") {
  for (const int status : {100, 103, 199, 204, 304}) CHECK_FALSE(may_have_body(status));
  for (const int status : {200, 205, 206, 303, 404, 599}) CHECK(may_have_body(status));
  for (const int status : {100, 204, 205, 304}) CHECK_FALSE(may_have_content(status));
  for (const int status : {200, 206, 404}) CHECK(may_have_content(status));
}

TEST_CASE("url: the message about one that is malformed does not show a user and a password") {
  const std::pair<const char*, const char*> rows[] = {
      {"http://user:secret@host:99999/", "http://***@host:99999/"},
      {"http://secret@host:99999/?q=a@b", "http://***@host:99999/?q=a@b"},
      {"ftp://user:secret@host/", "ftp://***@host/"},
      {"user:secret@host", "***@host"},
      {"http:user:secret@host", "***@host"},
      {"user:secret@host//x", "***@host//x"},
      {"http://user:se@cret@host/", "http://***@host/"},
      {"http://user:se/cret@host/", "http://***@host/"},
      {"http://user:se#cret@host/", "http://***@host/"},
      {"http://user:se?cret@host/", "http://***@host/"},
      {"http://user:sec ret@host/", "http://***@host/"},
      // None of these has any.
      {"http://host:99999/a@b", "http://host:99999/a@b"},
      {"http://ho st/a@b", "http://ho st/a@b"},
      {"nonsense", "nonsense"},
      {"", ""},
  };
  for (const auto& [text, shown] : rows) {
    CAPTURE(text);
    const Result<Url> parsed = Url::parse(text);
    REQUIRE(!parsed);
    CHECK(parsed.error().message().starts_with("malformed URL \"" + std::string(shown) + "\": "));
    const Result<Url> resolved = Url::parse("http://a/")->resolve(text);
    if (!resolved) CHECK(resolved.error().message().find("secret") == std::string::npos);
  }
  const Result<Url> lengthy = Url::parse("http://u:secret@" + std::string(70'000, 'h'));
  REQUIRE(!lengthy);
  CHECK(lengthy.error().message().size() < 200);
  CHECK(lengthy.error().message().find("secret") == std::string::npos);
}
