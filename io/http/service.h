// Service: the one shape of everything that responds to a request. Client, server handler, middleware, mock
// and Worker are all a callable `Request -> Task<Response>`.
//
// Functions that a layer is given to call (the sink of a log or a trace, Retry::observer,
// ErrorResponses::tell, RateLimits::key) run within the task that the request belongs to. They must not
// destroy that task, nor cancel the scope that it runs in: the program ends with a sentence that says so.
// An observer that a server calls outside of its handlers may cancel the task that serves (server.h).

#pragma once

#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include <escapement/core/task.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

class Service;

namespace detail {

// Returns the address at which the code of a callable begins, to name it by; for layers, that of the
// innermost service. Null if it is not known.
template <class F>
const void* code_of_callable(const F& function) {
  if constexpr (requires { function.handler_code(); }) {
    return function.handler_code();
  } else if constexpr (std::is_pointer_v<F>) {
    return reinterpret_cast<const void*>(function);
  } else if constexpr (!std::is_polymorphic_v<F> && requires { &F::operator(); }) {
    // A pointer to a member function that is not virtual begins with its address (Itanium C++ ABI and its
    // variants, as g++ and clang have them).
    const auto call = &F::operator();
    const void* code = nullptr;
    std::memcpy(&code, &call, sizeof code);
    return code;
  } else {
    return nullptr;
  }
}

// Anything that can be called with some arguments, as a layer or not.
template <class F>
concept CallableAsLayer = std::is_invocable_v<const F&, Request, const Service&>;
template <class F>
concept CallableSomehow = CallableAsLayer<F> || std::is_invocable_v<F&, Request> || std::is_invocable_v<F&> ||
                          std::is_function_v<std::remove_pointer_t<F>> || requires { &F::operator(); };

// Makes the request that a callable is given where the callable takes it, instead of moving it there.
class RequestMaker {
 public:
  // Returns the request. Called once, unless `kept` is.
  virtual Request make() = 0;
  // Returns the request for a callable that takes a reference. It lives as long as the caller of the Service
  // keeps it.
  virtual Request& kept() = 0;

 protected:
  ~RequestMaker() = default;
};

// A request that exists already.
class MovedRequest final : public RequestMaker {
 public:
  explicit MovedRequest(Request& from) : from_(from) {}
  Request make() override { return std::move(from_); }
  Request& kept() override { return from_; }

 private:
  Request& from_;
};

template <class Function>
inline constexpr bool takes_rvalue = false;
template <class R>
inline constexpr bool takes_rvalue<R (*)(Request&&)> = true;
template <class R>
inline constexpr bool takes_rvalue<R (*)(Request&&) noexcept> = true;
template <class R, class C>
inline constexpr bool takes_rvalue<R (C::*)(Request&&) const> = true;
template <class R, class C>
inline constexpr bool takes_rvalue<R (C::*)(Request&&) const noexcept> = true;

// Returns whether the callable takes a reference to the request, and not the request.
template <class F>
consteval bool takes_reference() {
  if constexpr (std::is_invocable_v<const F&, Request&>) {
    return true;
  } else if constexpr (requires { &F::operator(); }) {
    return takes_rvalue<decltype(&F::operator())>;
  } else {
    return takes_rvalue<F>;
  }
}

}  // namespace detail

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

  // Explains the mistake, for something callable that is no handler.
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Service>) &&
            (!std::is_invocable_r_v<Task<Response>, const std::decay_t<F>&, Request>) &&
            detail::CallableSomehow<std::decay_t<F>>
  Service(F&&) {
    static_assert(!detail::CallableAsLayer<std::decay_t<F>>,
                  "this is a layer, not a service: layered(Layer{}, ..., service) takes the service last");
    static_assert(
        detail::CallableAsLayer<std::decay_t<F>>,
        "a Service is made of a callable Task<Response>(Request) that is const: let the handler take an "
        "http::Request by value and return Task<http::Response>, and do not make its lambda mutable");
  }

  Task<Response> operator()(Request&& request) const {
    detail::MovedRequest moved(request);
    return callable_->call(moved);
  }
  // The same with a request that is made for it: for servers.
  Task<Response> operator()(detail::RequestMaker& request) const { return callable_->call(request); }

  // Returns the address at which the code of the callable begins, for layers that of the innermost service,
  // to name it by (io/native/code_location.h); null if it is not known. A Router knows more
  // (RequestContext::note_handler_code).
  const void* handler_code() const { return callable_->handler_code(); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual Task<Response> call(detail::RequestMaker& request) const = 0;
    virtual const void* handler_code() const = 0;
  };
  template <class F>
  struct Callable final : Base {
    explicit Callable(F f) : function(std::move(f)) {}
    Task<Response> call(detail::RequestMaker& request) const override {
      if constexpr (detail::takes_reference<F>()) {
        return function(std::move(request.kept()));
      } else {
        return function(request.make());
      }
    }
    const void* handler_code() const override { return detail::code_of_callable(function); }
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
  const void* handler_code() const { return next_.handler_code(); }

 private:
  Layer layer_;
  Service next_;
};

}  // namespace detail

// The innermost part alone is a service.
inline Service layered(Service service) { return service; }

// Layers from the outside in, the service last:
//     layered(Timeout{2s}, Retry{}, Timeout{250ms}, Client(network))
// The first layer sees the request first and the response last. A layer that is never right around certain
// others has `template <class... Inner> static consteval void check_order()`, which says so when it is
// compiled; middleware/client/layer_order.h has the list.
template <class Layer, class... Rest>
  requires(sizeof...(Rest) > 0)
Service layered(Layer layer, Rest... rest) {
  static_assert(
      std::is_invocable_r_v<Task<Response>, const Layer&, Request, const Service&>,
      "layered(...) takes layers first, each a callable Task<Response>(Request, const Service& next) that is "
      "const, and the service last");
  if constexpr (requires { Layer::template check_order<Rest...>(); }) Layer::template check_order<Rest...>();
  return Service(detail::Layered<Layer>(std::move(layer), layered(std::move(rest)...)));
}

}  // namespace escapement::http
