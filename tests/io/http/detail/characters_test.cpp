#include <string>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/detail/characters.h>

using escapement::http::detail::same;

TEST_CASE("characters: texts are the same only if each of their bytes is, whatever their size") {
  for (std::size_t size = 0; size <= 70; ++size) {
    const std::string text(size, 'a');
    CHECK(same(text, std::string(size, 'a')));
    CHECK(!same(text, text + 'a'));
    for (std::size_t at = 0; at < size; ++at) {
      std::string other = text;
      other[at] = 'b';
      CHECK(!same(text, other));
    }
  }
}
