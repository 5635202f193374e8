// The table of orders that are never right; tests/must_not_compile has the sentences.

#include <escapement/middleware/client/layer_order.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/timeout.h>

using namespace escapement::http;

TEST_CASE("layer order: a layer without a role, and one that is listed for nothing, goes anywhere") {
  for (int outer = 0; outer <= static_cast<int>(LayerRole::retry); ++outer) {
    const LayerRole role = static_cast<LayerRole>(outer);
    CHECK(!never_right(LayerRole::none, role));
    CHECK(!never_right(role, LayerRole::none));
    // Two layers that exclude each other in both orders could never be used together.
    for (int inner = 0; inner <= static_cast<int>(LayerRole::retry); ++inner) {
      const LayerRole other = static_cast<LayerRole>(inner);
      if (role != other) CHECK(!(never_right(role, other) && never_right(other, role)));
    }
  }
  static_assert(detail::role_of<Retry>() == LayerRole::retry);
  static_assert(detail::role_of<Timeout>() == LayerRole::none);
  static_assert(detail::has_role<LayerRole::hedge, Timeout, Hedge, Redirect>);
}
