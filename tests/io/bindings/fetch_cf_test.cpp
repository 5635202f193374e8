// FetchCf: the JSON of its properties.

#include <escapement/io/bindings/fetch_cf.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/json_values.h>

using namespace escapement;

TEST_CASE("FetchCf: properties as JSON") {
  CHECK(FetchCf().json() == "{}");
  FetchCf cf;
  cf.cache_everything(true).cache_ttl(90s).cache_key("page/17").resolve_override("origin.example");
  CHECK(cf.json() ==
        R"({"cacheEverything":true,"cacheTtl":90,"cacheKey":"page/17","resolveOverride":"origin.example"})");
  cf.cache_everything(false).cache_ttl(-1ms);
  CHECK(cf.json() ==
        R"({"cacheEverything":false,"cacheTtl":-1,"cacheKey":"page/17","resolveOverride":"origin.example"})");
  CHECK(FetchCf().cache_ttl(1999ms).json() == R"({"cacheTtl":1})");
  CHECK(FetchCf().cache_ttl(-2s).json() == R"({"cacheTtl":-2})");
  CHECK(FetchCf().cache_tags({}).json() == R"({"cacheTags":[]})");
  CHECK(FetchCf().cache_tags({"a", "b"}).set("image", R"({"width":100})").json() ==
        R"({"cacheTags":["a","b"],"image":{"width":100}})");
  CHECK(FetchCf()
            .cache_ttl_by_status("200-299", 1h)
            .cache_ttl_by_status("404", 0s)
            .cache_ttl_by_status("404", 1s)
            .json() == R"({"cacheTtlByStatus":{"200-299":3600,"404":1}})");
}

TEST_CASE("FetchCf: texts are quoted") {
  const std::string key("\"\\/\n\x1f\0\xc3\xa4", 8);
  const JsonText read(FetchCf().cache_key(key).json());
  CHECK(read.text("/cacheKey") == key);
}
