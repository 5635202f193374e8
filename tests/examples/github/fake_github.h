// FakeGitHub: GitHub's rules as a layer in front of recorded responses, for tests: tokens, the quota, ETags,
// and the faults of a busy service. It notes clients that do not keep to what they were told.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/core/random.h>
#include <escapement/io/http/service.h>

namespace escapement::github {

// The faults of one request.
enum class FakeFault {
  none,
  secondary_with_wait,   // 403 with Retry-After
  secondary_told,        // 403 that only its body tells from a refusal for good
  secondary_by_url,      // the same, by documentation_url
  primary,               // 403 with X-RateLimit-Remaining: 0 and X-RateLimit-Reset
  too_many,              // 429 with Retry-After
  refused_token,         // 401: the token is not valid any more
  bad_gateway,           // 502
  unavailable_for_wait,  // 503 with Retry-After
  broken,                // the connection breaks before the head
  graphql_limit,         // 200 with an error of the type RATE_LIMITED, and as `primary`
  graphql_failure,       // 200 with GitHub's "Something went wrong"
};

struct FakeGitHubOptions {
  std::vector<FakeFault> faults = {};  // of the first requests, in order; then none
  double fault_share = 0;              // of the later ones, drawn from all but the GraphQL ones
  std::uint64_t seed = 1;
  Duration wait = 1s;         // that a fault with a wait names
  std::int64_t quota = 5000;  // requests an hour
  bool wants_token = false;   // whether a request needs a token that was minted here
  Duration clock_ahead = {};  // of its wall clock, before the client's
};

// The record of a FakeGitHub.
struct FakeGitHubLog {
  int requests = 0;
  int counted = 0;                      // for the quota
  int not_modified = 0;                 // responses of 304
  int minted = 0;                       // tokens
  int early = 0;                        // requests that came before GitHub had allowed them
  std::vector<std::string> lines = {};  // "GET /repos/o/r 200"
};

// Copies share the record. Its state is plain data, so a Worker may keep it across requests.
class FakeGitHub {
 public:
  explicit FakeGitHub(FakeGitHubOptions options = FakeGitHubOptions());

  Task<http::Response> operator()(http::Request request, const http::Service& next) const;

  const FakeGitHubLog& log() const;
  // Returns the record without its lines: "12 requests, 9 counted, 2 of 304, 1 minted, 0 early".
  std::string summary() const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

}  // namespace escapement::github
