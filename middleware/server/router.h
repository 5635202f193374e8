// Router: chooses a handler by method and path.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <escapement/io/http/service.h>

namespace escapement::http {

// The values of a pattern's parameters in one request's path, decoded: "a%2Fb" is "a/b" here, so a value may
// hold any byte. Refers to the router for names: valid during the call.
class PathParams {
 public:
  PathParams() = default;
  // Made by a Router; `values` in the order of `names`.
  PathParams(std::string_view pattern, const std::vector<std::string>& names, std::vector<std::string> values)
      : pattern_(pattern), names_(&names), values_(std::move(values)) {}

  // Returns the value of ":name" or "*name", or empty if the pattern has no such parameter. Valid as long as
  // this object.
  std::string_view operator[](std::string_view name) const;
  // Returns the pattern that matched: "/repos/:owner/:name". There are few patterns, so they make good labels
  // for metrics.
  std::string_view pattern() const { return pattern_; }
  std::size_t size() const { return values_.size(); }

 private:
  std::string_view pattern_;
  const std::vector<std::string>* names_ = nullptr;
  std::vector<std::string> values_;
};

// A method, a pattern and a handler: a callable `Task<Response>(Request)` or `Task<Response>(Request,
// PathParams)`. The rules that Service states for callables apply.
class Route {
 public:
  // The form in which a route keeps its handler.
  using Handler = std::function<Task<Response>(Request, PathParams)>;

  // The method "*" stands for every method.
  template <class F>
    requires std::is_invocable_r_v<Task<Response>, const F&, Request, PathParams>
  Route(std::string on_method, std::string path_pattern, F callable)
      : method(std::move(on_method)),
        pattern(std::move(path_pattern)),
        code(detail::code_of_callable(callable)),
        handler(std::move(callable)) {}

  template <class F>
    requires std::is_invocable_r_v<Task<Response>, const F&, Request>
  Route(std::string on_method, std::string path_pattern, F callable)
      : method(std::move(on_method)),
        pattern(std::move(path_pattern)),
        code(detail::code_of_callable(callable)),
        handler([callable = std::move(callable)](Request request, PathParams) {
          return callable(std::move(request));
        }) {}

  // Explains the mistake, for something that is no handler.
  template <class F>
    requires(!std::is_invocable_r_v<Task<Response>, const F&, Request, PathParams>) &&
            (!std::is_invocable_r_v<Task<Response>, const F&, Request>)
  Route(std::string, std::string, F) {
    static_assert(
        escapement::detail::never<F>,
        "a route's handler is a callable Task<Response>(Request) or Task<Response>(Request, PathParams) "
        "that is const: let it take its parameters by value and return Task<http::Response>");
  }

  std::string method;   // as in the request line; "*": every one
  std::string pattern;  // as in Router's example
  const void* code;  // where the handler's code begins, as in Service::handler_code; taken before the handler
                     // is moved
  Handler handler;   // called with the request and its parameters
};

// A Service made of routes.
//
//     Result<Router> router = Router::make({
//         {"GET", "/repos/:owner/:name", show_repository},   // ":x": one segment, not empty
//         {"PUT", "/repos/:owner/:name", make_repository},
//         {"GET", "/files/*path", files},                    // "*x", last: all the rest, may be empty
//     });
//
// Segments are compared in their normal spelling (url.h), byte for byte, so "/%7ea" is "/~a"; "/a" and "/a/"
// are different paths. If several patterns match, the first segment in which they differ decides: text before
// a parameter before a rest. Of the patterns that match, in this order, the first that has the request's
// method is used, so the order of the list means nothing. Without a route:
//
//     HEAD, where GET has a route   that route; it sees HEAD, and the server leaves out the body
//     OPTIONS                       204 with Allow; for "*" every method that the router knows
//     the path has other methods    405 with Allow
//     no pattern matches            `otherwise`, or 404
//
// A look-up walks a trie: it examines each segment once for every pattern that may still match, and allocates
// nothing but the parameters. Copies share the routes.
class Router {
 public:
  // Errors: invalid_argument, naming the route: a pattern that does not begin with '/', a parameter without a
  // name or with a name used twice, anything behind a rest, text that no path can contain, a method that is
  // not a token, or the same method and pattern twice.
  static Result<Router> make(std::vector<Route> routes);
  static Result<Router> make(std::vector<Route> routes, Service otherwise);

  Task<Response> operator()(Request request) const;

 private:
  class Table;
  explicit Router(std::shared_ptr<const Table> table) : table_(std::move(table)) {}

  std::shared_ptr<const Table> table_;
};

}  // namespace escapement::http
