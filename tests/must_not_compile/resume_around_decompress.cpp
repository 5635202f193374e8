// Resume counts the bytes that were sent.
#include <escapement/middleware/client/layer_order.h>
#include <escapement/middleware/client/resume.h>

using namespace escapement;

Task<http::Response> peer(http::Request);

// A layer of the user's own, which says what it is.
struct MyDecompress {
  static constexpr http::LayerRole role = http::LayerRole::decompress;
  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    return next(std::move(request));
  }
};

void user() {
#ifdef MUST_NOT_COMPILE
  http::Service wrong = http::layered(http::Resume{}, MyDecompress{}, peer);
#endif
  http::Service right = http::layered(MyDecompress{}, http::Resume{}, peer);
}
