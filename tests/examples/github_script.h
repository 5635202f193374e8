// Shared by the tests of the GitHub client: a server that responds by a script, and generators read to their
// ends.

#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <escapement/core/generator.h>
#include <escapement/io/sim/sim.h>

#include "github/github.h"

namespace escapement::github {

// Responds to the n-th request with the n-th response, or the last one.
struct Script {
  Script& then(int status, http::Headers headers, std::string body) {
    responses.push_back(http::Response(status, std::move(headers), std::move(body)));
    return *this;
  }
  Script& then(int status, std::string body) { return then(status, http::Headers(), std::move(body)); }

  // Refers to this.
  http::Service service() {
    return [this](http::Request request) { return answer(*this, std::move(request)); };
  }
  static Task<http::Response> answer(Script& self, http::Request request) {
    Reactor& reactor = co_await this_reactor;
    std::string body = co_await request.body.text(1 * MiB);
    self.asked.push_back(std::string(request.method.text()) + ' ' + request.url.target() +
                         (body.empty() ? "" : ' ' + body));
    self.heads.push_back(request.headers);
    self.origins.push_back(request.url.origin());
    self.at.push_back(reactor.precise_now());
    const http::Response& next = self.responses.at(std::min(self.asked.size(), self.responses.size()) - 1);
    co_return http::Response(next.status, next.headers, std::string(next.body.bytes()));
  }

  std::vector<http::Response> responses;
  std::vector<std::string> asked;  // "GET /repos/o/r body"
  std::vector<http::Headers> heads;
  std::vector<std::string> origins;
  std::vector<Instant> at;
};

// A client without waits for itself: no retries, and no second between writes.
inline Settings impatient() {
  Settings settings;
  settings.stack.attempts = 1;
  settings.stack.queue.between_writes = Duration();
  return settings;
}

// Reads a generator to its end.
template <class T>
Task<std::vector<T>> all_of(Generator<T> generator) {
  std::vector<T> all;
  for (;;) {
    std::optional<T> next = co_await generator.next();
    if (!next) break;
    all.push_back(*std::move(next));
  }
  co_return std::move(all);
}

}  // namespace escapement::github
