#include "github/etag_cache.h"

#include <list>
#include <map>
#include <string>
#include <utility>

namespace escapement::github {

namespace {

struct Kept {
  std::string key;
  http::Headers headers;
  std::string body;

  std::size_t bytes() const { return key.size() + body.size() + 1 * KiB; }
};

std::string key_of(const http::Request& request) {
  return request.url.text() + '\n' + std::string(request.headers.get_or("Accept", "")) + '\n' +
         std::string(request.headers.get_or("Authorization", ""));
}

}  // namespace

class EtagCache::State {
 public:
  explicit State(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  State(const State&) = delete;

  std::size_t most() const { return bytes_max_; }

  // Returns what is kept, as the most recently used; null if there is none.
  std::shared_ptr<const Kept> find(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return order_.front();
  }

  void keep(std::shared_ptr<const Kept> kept) {
    drop(kept->key);
    bytes_ += kept->bytes();
    order_.push_front(kept);
    by_key_[kept->key] = order_.begin();
    while (bytes_ > bytes_max_) drop(std::string(order_.back()->key));
  }

 private:
  void drop(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    bytes_ -= (*found->second)->bytes();
    order_.erase(found->second);
    by_key_.erase(found);
  }

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<std::shared_ptr<const Kept>> order_;  // the most recently used first
  std::map<std::string, std::list<std::shared_ptr<const Kept>>::iterator> by_key_;
};

EtagCache::EtagCache(std::size_t bytes_max) : state_(std::make_shared<State>(bytes_max)) {}

Task<http::Response> EtagCache::operator()(http::Request request, const http::Service& next) const {
  const std::shared_ptr<State> state = state_;
  if (request.method != http::Method::get() || request.headers.has("If-None-Match")) {
    co_return co_await next(std::move(request));
  }
  const std::string key = key_of(request);
  const std::shared_ptr<const Kept> kept = state->find(key);
  if (kept != nullptr) request.headers.set("If-None-Match", kept->headers.get_or("ETag", ""));
  http::Response response = co_await next(std::move(request));
  if (response.status == 304 && kept != nullptr) {
    http::Headers headers = kept->headers;
    for (const http::Headers::Field& field : response.headers) headers.set(field.name, field.value);
    co_return http::Response(200, std::move(headers), kept->body);
  }
  const bool keeps = response.status == 200 && response.headers.has("ETag") &&
                     response.body.length().value_or(state->most()) < state->most();
  if (!keeps) co_return std::move(response);
  auto fresh = std::make_shared<Kept>();
  fresh->key = key;
  fresh->headers = response.headers;
  fresh->body = co_await response.body.text(state->most());
  state->keep(fresh);
  http::Response whole(200, std::move(response.headers), fresh->body);
  co_return std::move(whole);
}

}  // namespace escapement::github
