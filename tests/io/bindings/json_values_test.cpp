// JsonText: values by their pointers, and text that is no JSON.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/request_cf.h>

#include "support/platform_contracts.h"

using namespace escapement;

TEST_CASE("JsonValues: the contract, of a text") {
  CHECK(test::json_contract(JsonText(std::string(test::json_document))) == "");
}

TEST_CASE("JsonText: whole documents, spaces, escapes, the last of equal names") {
  CHECK(JsonText(" 17 ").number("") == 17);
  CHECK(JsonText("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"").text("") == "\"\\/\b\f\n\r\tA");
  CHECK(JsonText("\"\\ud83d\\u0041\"").text("") ==
        "\xef\xbf\xbd"
        "A");
  CHECK(JsonText("\"\\udc00\"").text("") == "\xef\xbf\xbd");
  CHECK(JsonText(" { \"a\" : [ 1 , { \"b\" : -2.5E+1 } ] } ").number("/a/1/b") == -25);
  CHECK(JsonText("{\"a\":1,\"a\":2}").number("/a") == 2);
  CHECK(JsonText("{\"\":{\"\":3}}").number("//") == 3);
  CHECK(JsonText("{\"a\": [1, 2]}").json("/a") == "[1, 2]");
  CHECK(json_string("a\"\\\n\x01") == "\"a\\\"\\\\\\u000a\\u0001\"");
}

TEST_CASE("JsonText: what is no JSON has no values") {
  for (const char* const text : {"",        " ",
                                 "nul",     "tru",
                                 "01x",     "-",
                                 "1.",      "1e",
                                 "1e+",     "\"",
                                 "\"\\x\"", "\"\\u12g4\"",
                                 "\"\\",    "\"\n\"",
                                 "[",       "[1",
                                 "[1,",     "[,]",
                                 "{",       "{\"a\"",
                                 "{\"a\":", "{\"a\":1",
                                 "{1:2}",   "{\"a\" 1}",
                                 "'a'",     "\"\\ud83d\\u00"}) {
    INFO(text);
    const JsonText json(text);
    CHECK_FALSE(json.text(""));
    CHECK_FALSE(json.boolean(""));
    CHECK_FALSE(json.at("/b"));
    CHECK_FALSE(json.at("/1"));
  }
  std::string deep(100'000, '[');
  CHECK_FALSE(JsonText(deep).at(""));
  CHECK_FALSE(JsonText("{\"a\": nul, \"b\": 1}").at("/b"));
}

TEST_CASE("RequestCf: fields of every type, and those that are not there") {
  const RequestCf cf(
      JsonText(R"({"colo": "FRA", "country": "DE", "isEUCountry": "1", "asn": 64500, "latitude": "52.5",
      "longitude": "east", "clientTcpRtt": 12, "botManagement": {"score": 30}})"));
  CHECK(cf.colo() == "FRA");
  CHECK(cf.country() == "DE");
  CHECK(cf.is_eu_country());
  CHECK(cf.asn() == 64500);
  CHECK(cf.latitude() == 52.5);
  CHECK_FALSE(cf.longitude());
  CHECK(cf.tcp_round_trip_ms() == 12);
  CHECK_FALSE(cf.city());
  CHECK_FALSE(cf.tls_version());
  CHECK(cf.fields().json("/botManagement") == "{\"score\": 30}");
  CHECK(cf.fields().number("/botManagement/score") == 30);
  CHECK_FALSE(RequestCf(JsonText("")).is_eu_country());
}
