// Messages in memory: what stays one block until it is changed must not show that it does.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/message.h>

using namespace escapement;
using namespace escapement::http;

namespace {

std::string text_of(const Headers& headers) {
  std::string text;
  for (const Headers::Field& field : headers) text += field.name + '=' + field.value + ' ';
  std::string same;
  headers.each([&same](std::string_view name, std::string_view value) {
    (same += name) += '=';
    (same += value) += ' ';
  });
  CHECK(same == text);
  return text;
}

Headers received() {
  // As the parser gives them: places in a text that has more than the fields.
  const std::string_view text = "GET / HTTP/1.1\r\nA:  1 \r\nb:\r\na: 2\r\n\r\n";
  const std::vector<Headers::Place> places = {{16, 1, 20, 1}, {24, 1, 26, 0}, {28, 1, 31, 1}};
  return Headers::received(places, text);
}

}  // namespace

TEST_CASE("http message: headers that came as a block, and those that were put together, are the same") {
  Headers built;
  built.add("A", "1");
  built.add("b", "");
  built.add("a", "2");
  for (const Headers& headers : {received(), Headers{{"A", "1"}, {"b", ""}, {"a", "2"}}, built}) {
    CHECK(headers.size() == 3);
    CHECK(headers.count("a") == 2);
    CHECK(headers.joined("a") == "1, 2");
    CHECK(headers.has("B"));
    CHECK(headers.get_or("B", "none").empty());
    CHECK(headers.get_or("c", "none") == "none");
    CHECK(headers.get("c") == nullptr);
    CHECK(*headers.get("a") == "1");
    CHECK(text_of(headers) == "A=1 b= a=2 ");
    CHECK(text_of(Headers(headers)) == "A=1 b= a=2 ");
  }
  CHECK(Headers{{"A", "1"}, {"b", ""}}.as_sent() == "A: 1\r\nb: \r\n");
  CHECK(received().as_sent().empty());
  CHECK(built.as_sent().empty());
  CHECK(Headers().empty());
  CHECK(text_of(Headers()).empty());
}

TEST_CASE("http message: headers change, and views on them hold until then") {
  for (Headers headers : {received(), Headers{{"A", "1"}, {"b", ""}, {"a", "2"}}}) {
    const std::string_view first = headers.get_or("a", "");
    const std::string* found = headers.get("a");
    CHECK(first == "1");
    CHECK(*found == "1");
    CHECK(headers.remove("c") == 0);
    CHECK(first == "1");
    const Headers before = headers;
    headers.set("b", headers.get_or("a", ""));  // from itself
    CHECK(text_of(headers) == "A=1 a=2 b=1 ");
    CHECK(headers.as_sent().empty());
    CHECK(headers.remove("A") == 2);
    headers.add("c", "3");
    CHECK(text_of(Headers(headers)) == "b=1 c=3 ");
    CHECK(text_of(before) == "A=1 b= a=2 ");
    Headers moved = std::move(headers);
    CHECK(moved.size() == 2);
    CHECK(headers.empty());  // NOLINT(bugprone-use-after-move): a moved-from one is empty
    headers.set("d", "4");
    CHECK(text_of(headers) == "d=4 ");
  }
}

TEST_CASE("http message: a method that differs from a known one in a letter is another") {
  for (const char* name : {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "QUERY"}) {
    const Method known(name);
    CHECK(known.text() == name);
    for (std::size_t at = 0; at < std::string_view(name).size(); ++at) {
      std::string other = name;
      other[at] = 'x';
      CHECK(Method(other) != known);
      CHECK(Method(other).text() == other);
    }
  }
}

TEST_CASE("http message: methods, known or not, are their text") {
  CHECK(Method("GET") == Method::get());
  CHECK(Method("get") != Method::get());
  CHECK(Method("get").text() == "get");
  CHECK(Method("").text().empty());
  const Method rare("PROPFIND");
  const Method copy = rare;
  CHECK(copy == rare);
  CHECK(copy.text() == "PROPFIND");
  CHECK(Method::delete_().idempotent());
  CHECK(!Method::post().idempotent());
  CHECK(Method("QUERY").safe());
}

TEST_CASE("http message: bodies without bytes hold guards too") {
  class Guard final : public BodyAttachment {
   public:
    explicit Guard(int& gone) : gone_(gone) {}
    ~Guard() override { ++gone_; }

   private:
    int& gone_;
  };
  int gone = 0;
  {
    Body empty;
    CHECK(empty.length() == 0u);
    CHECK(empty.replayable());
    empty.attach(std::make_unique<Guard>(gone));
    Body other("x");
    other.take_attachments(empty);
    empty = Body();
    CHECK(gone == 0);
    CHECK(other.bytes() == "x");
    CHECK(other.copy().bytes() == "x");
  }
  CHECK(gone == 1);
}

TEST_CASE("http::Headers: set and remove, given a view of a name in them") {
  for (const bool set : {false, true}) {
    http::Headers headers;
    headers.add("X-One", "1");
    headers.add("X-Two-with-a-name-that-is-not-short", "2");
    headers.add("X-One", "3");
    headers.add("X-Three-with-a-name-that-is-not-short", "4");
    const std::string_view name = headers.begin()->name;
    if (set) {
      headers.set(name, "new");
    } else {
      CHECK(headers.remove(name) == 2);
    }
    CHECK(headers.count("X-One") == (set ? 1 : 0));
    CHECK(headers.get_or("X-Two-with-a-name-that-is-not-short", "") == "2");
    CHECK(headers.get_or("X-Three-with-a-name-that-is-not-short", "") == "4");
    CHECK(headers.get_or("X-One", "") == (set ? "new" : ""));
  }
}

TEST_CASE("error_status: what may be tried again is a 503") {
  CHECK(http::error_status(Error::out_of_memory()) == 503);
  CHECK(http::error_status(Error(Errc::timed_out)) == 503);
  CHECK(http::error_status(Error(Errc::internal)) == 500);
}
