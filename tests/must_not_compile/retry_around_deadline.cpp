// Each attempt would get a new deadline for the whole call.
#include <escapement/middleware/client/layer_order.h>
#include <escapement/middleware/client/retry.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

// A layer of the user's own, which says what it is.
struct MyDeadline {
  static constexpr http::LayerRole role = http::LayerRole::deadline;
  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    return next(std::move(request));
  }
};

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Retry{}, MyDeadline{}, peer);
#endif
  http::Service right = http::layered(MyDeadline{}, http::Retry{}, peer);
}
