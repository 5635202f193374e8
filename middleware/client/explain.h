// explained: a stack whose calls can say what they waited for, and why they were or were not tried again.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <escapement/io/http/service.h>
#include <escapement/middleware/client/retry.h>

namespace escapement::http {

namespace detail {
class Story;
}

// The explanation of one call. Copies share it.
class Explanation {
 public:
  // For ExplainedService.
  explicit Explanation(std::shared_ptr<const detail::Story> story) : story_(std::move(story)) {}

  // Returns a line for each thing that happened, with the time since the call:
  //
  //     GET http://a.test/: 200 after 350ms, 2 requests
  //     +0ms     request 1: GET http://a.test/
  //     +250ms   request 1 failed: timed_out: http://a.test: no response within 250ms; it was connecting
  //     +250ms   Retry waits 100ms: the peer had received nothing, or may receive it again
  //     +350ms   request 2: GET http://a.test/
  //     +350ms   request 2: 200
  //     +350ms   Retry stops: no failure
  //              retry budget: 100 retries before, 99 after
  //
  // URLs come without credentials; header fields and bodies do not occur.
  std::string text() const;

  // Returns the number of requests that reached the innermost service.
  int requests() const;
  // Returns how long the call took, up to the response head or the failure.
  Duration elapsed() const;

 private:
  std::shared_ptr<const detail::Story> story_;
};

// The outcome of a call, and its explanation.
class ExplainedOutcome {
 public:
  // Holds both.
  ExplainedOutcome(Result<Response> o, Explanation e) : outcome(std::move(o)), explanation_(std::move(e)) {}
  Result<Response> outcome;  // the response, or the failure
  // Returns what led to it.
  const Explanation& explain() const { return explanation_; }

 private:
  Explanation explanation_;
};

namespace detail {

// Finds the story of a call by the progress that its requests share.
class Stories;

// Retry, with a note of each of its decisions.
class ExplainedRetry {
 public:
  ExplainedRetry(Retry retry, std::shared_ptr<Stories> stories)
      : retry_(std::move(retry)), stories_(std::move(stories)) {}
  Task<Response> operator()(Request request, const Service& next) const;

 private:
  Retry retry_;
  std::shared_ptr<Stories> stories_;
};

std::shared_ptr<Stories> make_stories();
// Returns `service`, with a note of each request that it gets.
Service noted(Service service, std::shared_ptr<Stories> stories);

template <class Layer>
Layer explained_layer(Layer layer, const std::shared_ptr<Stories>&) {
  return layer;
}
inline ExplainedRetry explained_layer(Retry layer, const std::shared_ptr<Stories>& stories) {
  return ExplainedRetry(std::move(layer), stories);
}

inline Service explained_layers(const std::shared_ptr<Stories>& stories, Service service) {
  return noted(std::move(service), stories);
}
template <class Layer, class... Rest>
  requires(sizeof...(Rest) > 0)
Service explained_layers(const std::shared_ptr<Stories>& stories, Layer layer, Rest... rest) {
  if constexpr (requires { Layer::template check_order<Rest...>(); }) Layer::template check_order<Rest...>();
  return layered(explained_layer(std::move(layer), stories), explained_layers(stories, std::move(rest)...));
}

}  // namespace detail

// A service that explains its calls.
class ExplainedService {
 public:
  // For `explained`.
  ExplainedService(Service service, std::shared_ptr<detail::Stories> stories)
      : service_(std::move(service)), stories_(std::move(stories)) {}

  // Sends `request`. The task does not fail: the outcome may be a failure. Cancelling it cancels the call.
  Task<ExplainedOutcome> operator()(Request request) const;

  // Returns the same as a Service, for layers and programs that know no explanations: `sink` gets each call's
  // when the response head or the failure is there. A call that is cancelled has none.
  Service with_sink(std::function<void(const Explanation&)> sink) const;

 private:
  Service service_;
  std::shared_ptr<detail::Stories> stories_;
};

// Composes as `layered` does, of the same layers in the same order, into a service that explains:
//
//     const http::ExplainedService api =
//         http::explained(http::Timeout{2s}, http::Retry{}, http::Timeout{250ms}, client);
//     http::ExplainedOutcome call = co_await api(http::get("http://a.test/"));
//     if (!call.outcome) std::puts(call.explain().text().c_str());
//
// It notes every request that reaches the innermost service, when it went, how long it waited in a queue for
// a connection, and how it ended: an error names the time limit that passed and what the request was waiting
// for then, and the peer. It notes each decision of Retry, and the budget before and after. A Retry inside of
// a Service that is given as a whole, such as a preset, is not seen; its requests are.
//
// Programs that do not use it have none of its code: the layers know nothing of it. A call takes a map entry
// and a line of text for each event. Belongs to one reactor's thread.
template <class... Layers>
ExplainedService explained(Layers... layers) {
  std::shared_ptr<detail::Stories> stories = detail::make_stories();
  Service service = detail::explained_layers(stories, std::move(layers)...);
  return ExplainedService(std::move(service), std::move(stories));
}

}  // namespace escapement::http
