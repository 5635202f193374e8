// Http1States: the parsers and buffers that a client's HTTP/1.1 connections borrow while they are in use.

#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <escapement/io/http/client.h>
#include <escapement/io/http/h1/connection.h>

namespace escapement::http::detail {

// An idle connection has no parser and no buffer. The one that was given back last is lent first: it is still
// in the processor's cache.
class Http1States {
 public:
  // `options` must outlive it.
  explicit Http1States(const ClientOptions& options) : options_(options) { kept_.reserve(kept_max); }
  Http1States(const Http1States&) = delete;

  // Returns one that speaks over `stream`, which must outlive it or its release.
  std::unique_ptr<Http1Connection> acquire(Stream& stream);
  // Takes one back, whatever state it is in. Those beyond `kept_max` are freed.
  void release(std::unique_ptr<Http1Connection> state);

 private:
  static constexpr std::size_t kept_max = 8;  // some 20 KiB each

  const ClientOptions& options_;
  std::vector<std::unique_ptr<Http1Connection>> kept_;
};

inline std::unique_ptr<Http1Connection> Http1States::acquire(Stream& stream) {
  std::unique_ptr<Http1Connection> state;
  if (!kept_.empty()) {
    state = std::move(kept_.back());
    kept_.pop_back();
  } else {
    ParserLimits limits;
    limits.head_bytes_max = options_.head_bytes_max;
    limits.header_count_max = 1000;
    state = std::make_unique<Http1Connection>(Parser::Role::response, limits, options_.stall_timeout,
                                              options_.source_timeout);
  }
  state->attach(stream);
  return state;
}

inline void Http1States::release(std::unique_ptr<Http1Connection> state) {
  if (kept_.size() == kept_max) return;
  state->detach();
  kept_.push_back(std::move(state));
}

}  // namespace escapement::http::detail
