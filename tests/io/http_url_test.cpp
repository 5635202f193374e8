#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/message.h>
#include <escapement/io/http/url.h>

using namespace escapement;
using namespace escapement::http;

TEST_CASE("Url: taken apart and normalised") {
  const Url url = *Url::parse("HTTP://u:p@ExAmple.COM:8080/a/./b/../c%7e%2f?q=1&x=%c3%a9#f");
  CHECK(url.scheme() == "http");
  CHECK(url.userinfo() == "u:p");
  CHECK(url.host() == "example.com");
  CHECK(url.port() == 8080);
  CHECK(url.path() == "/a/c~%2F");
  CHECK(url.query() == "q=1&x=%C3%A9");
  CHECK(url.fragment() == "f");
  CHECK(url.target() == "/a/c~%2F?q=1&x=%C3%A9");
  CHECK(url.authority() == "example.com:8080");
  CHECK(url.without_credentials() == "http://example.com:8080/a/c~%2F?q=1&x=%C3%A9");
  CHECK(Url::parse("https://[::1]/")->authority() == "[::1]");
  CHECK(Url::parse("http://h:80")->text() == "http://h/");
  CHECK(Url::parse("http://h/?a=b+c%20d&e")->query_parameter("a") == "b c d");
  CHECK(Url::parse("http://h/{x}|y")->path() == "/%7Bx%7D%7Cy");
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
                           "http://h:99999/",
                           "http://h:-1/",
                           "http://h:8 0/",
                           "http://[::1",
                           "http://[::1]x/",
                           "http://[1::2::3]/",
                           "http://[12345::]/",
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
  CHECK(!Url::parse("http://h/" + std::string(http::Url::length_max, 'a')));
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

// What comes from a peer and is taken apart only later must be what parse accepts: there is no error then.
TEST_CASE("Url: of a request, the same as parsed") {
  for (const std::string& host : texts(5, {"a", "A", "0", "-", ".", ":", "_", "256", "65536"}))
    check_of_request(host, "/");
  for (const std::string& target : texts(5, {"/", ".", "a", "?", "#", "%41", "%2e", "\"", "\\"}))
    check_of_request("a", target);
  for (const std::size_t length : {62, 63, 64, 253, 254, 4095, 4096, 8185, 8192}) {
    check_of_request(std::string(length, 'a'), "/");
    check_of_request(std::string(length, '0'), "/");
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
