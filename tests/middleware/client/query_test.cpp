// Query: what is encoded, and that it comes back the same.

#include <escapement/middleware/client/query.h>

#include <catch2/catch_test_macros.hpp>

using namespace escapement;
using namespace escapement::http;

TEST_CASE("query: every byte but the unreserved is encoded, and decodes to itself") {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const std::string encoded = percent_encoded(all);
  CHECK(percent_decoded(encoded) == all);
  CHECK(percent_encoded("AZaz09-._~") == "AZaz09-._~");
  CHECK(percent_encoded(" +&=/?#%\xff") == "%20%2B%26%3D%2F%3F%23%25%FF");
  CHECK(percent_encoded("").empty());
}

TEST_CASE("query: pairs keep their order, and names may repeat") {
  Query query;
  CHECK(query.empty());
  query.add("q", "a & b").add("page", 2).add("q", "").add("min", -5).add("big", UINT64_MAX);
  CHECK(query.text() == "q=a%20%26%20b&page=2&q=&min=-5&big=18446744073709551615");
  CHECK(Query{{"a", "1"}, {"b=", "2"}}.text() == "a=1&b%3D=2");
}

TEST_CASE("query: goes behind the query that a URL has") {
  const Query query{{"x", "1 2"}};
  const auto joined = [&](const char* url) { return with_query(*Url::parse(url), query)->text(); };
  CHECK(joined("http://h/a/b") == "http://h/a/b?x=1%202");
  CHECK(joined("http://h/a?y=%2f") == "http://h/a?y=%2f&x=1%202");
  CHECK(joined("http://h/a?") == "http://h/a?x=1%202");
  CHECK(joined("http://u:p@h:81/a#f") == "http://u:p@h:81/a?x=1%202#f");
  CHECK(with_query(*Url::parse("http://h/a?b"), Query())->text() == "http://h/a?b");
  CHECK(with_query(*Url::parse("http://h/"), query)->query_parameter("x") == "1 2");
  Query large;
  large.add("x", std::string(Url::length_max, 'x'));
  CHECK(with_query(*Url::parse("http://h/"), large).error() == Errc::invalid_argument);
}

TEST_CASE("query: a form is a POST") {
  const Request request = post_form(*Url::parse("http://h/login"), Query{{"user", "a b"}, {"password", "&"}});
  CHECK(request.method == Method::post());
  CHECK(request.headers.get_or("content-type", "") == "application/x-www-form-urlencoded");
  CHECK(request.body.bytes() == "user=a%20b&password=%26");
}
