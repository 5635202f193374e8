// Service: the one shape of everything that answers a request. Client, server handler, middleware, mock
// and Worker are all a callable `Request -> Task<Response>`.

#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <escapement/core/task.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// Any callable `Task<Response>(Request)`, type-erased. Copies share the callable.
//
// A call may refer to the callable until its task is gone, so keep a copy of the Service for as long. A
// coroutine lambda with captures is fine here for that reason: the captures live in the Service.
class Service {
 public:
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Service>) &&
            std::is_invocable_r_v<Task<Response>, const std::decay_t<F>&, Request>
  Service(F&& function) : callable_(std::make_shared<Callable<std::decay_t<F>>>(std::forward<F>(function))) {}

  Task<Response> operator()(Request&& request) const { return callable_->call(std::move(request)); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual Task<Response> call(Request&& request) const = 0;
  };
  template <class F>
  struct Callable final : Base {
    explicit Callable(F f) : function(std::move(f)) {}
    Task<Response> call(Request&& request) const override { return function(std::move(request)); }
    F function;
  };

  std::shared_ptr<const Base> callable_;
};

namespace detail {

// One layer around the next service. A layer is a struct of settings with
//     Task<Response> operator()(Request, const Service& next) const;
template <class Layer>
class Layered {
 public:
  Layered(Layer layer, Service next) : layer_(std::move(layer)), next_(std::move(next)) {}
  Task<Response> operator()(Request request) const { return layer_(std::move(request), next_); }

 private:
  Layer layer_;
  Service next_;
};

}  // namespace detail

// The innermost part alone is a service.
inline Service layered(Service service) { return service; }

// Layers from the outside in, the service last:
//     layered(Timeout{2s}, Retry{}, Timeout{250ms}, Client(network))
// The first layer sees the request first and the response last.
template <class Layer, class... Rest>
  requires(sizeof...(Rest) > 0)
Service layered(Layer layer, Rest... rest) {
  return Service(detail::Layered<Layer>(std::move(layer), layered(std::move(rest)...)));
}

}  // namespace escapement::http
