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

// A body whose beginning was read already.
class Rest final : public http::BodySource {
 public:
  Rest(std::string begun, http::Body rest) : begun_(std::move(begun)), rest_(std::move(rest)) {}
  Task<std::string> read() override {
    if (begun_.empty()) return rest_.read();
    return next_of(std::exchange(begun_, std::string()));
  }

 private:
  static Task<std::string> next_of(std::string begun) { co_return std::move(begun); }

  std::string begun_;
  http::Body rest_;
};

// Reads a body to its end, or up to the piece by which it is more than `most` bytes.
Task<std::string> beginning(http::Body& body, std::size_t most) {
  std::string bytes;
  while (bytes.size() <= most) {
    const std::string piece = co_await body.read();
    if (piece.empty()) break;
    bytes += piece;
  }
  co_return std::move(bytes);
}

std::string key_of(const http::Request& request) {
  return request.url.text() + '\n' + std::string(request.headers.get_or("Accept", "")) + '\n' +
         std::string(request.headers.get_or("Authorization", ""));
}

}  // namespace

class EtagCache::State {
 public:
  State(std::size_t bytes_max, std::size_t of_one) : entry_bytes_max(of_one), bytes_max_(bytes_max) {}
  State(const State&) = delete;

  // Returns what is kept, as the most recently used; null if there is none.
  std::shared_ptr<const Kept> find(const std::string& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return order_.front();
  }

  const std::size_t entry_bytes_max;
  std::size_t served = 0;

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

EtagCache::EtagCache(std::size_t bytes_max, std::size_t entry_bytes_max)
    : state_(std::make_shared<State>(bytes_max, entry_bytes_max)) {}

std::size_t EtagCache::served() const { return state_->served; }

Task<http::Response> EtagCache::operator()(http::Request request, const http::Service& next) const {
  const std::shared_ptr<State> state = state_;
  if (request.method != http::Method::get() || request.headers.has("If-None-Match") ||
      request.headers.has("Range")) {
    co_return co_await next(std::move(request));
  }
  const std::string key = key_of(request);
  const std::shared_ptr<const Kept> kept = state->find(key);
  if (kept != nullptr) request.headers.set("If-None-Match", kept->headers.get_or("ETag", ""));
  http::Response response = co_await next(std::move(request));
  if (response.status == 304 && kept != nullptr) {
    ++state->served;
    http::Headers headers = kept->headers;
    for (const http::Headers::Field& field : response.headers) headers.set(field.name, field.value);
    co_return http::Response(200, std::move(headers), kept->body);
  }
  const bool keeps = response.status == 200 && response.headers.has("ETag") &&
                     response.body.length().value_or(0) <= state->entry_bytes_max;
  if (!keeps) co_return std::move(response);
  std::string bytes = co_await beginning(response.body, state->entry_bytes_max);
  if (bytes.size() > state->entry_bytes_max) {
    response.body = http::Body(std::make_unique<Rest>(std::move(bytes), std::move(response.body)));
    co_return std::move(response);
  }
  auto fresh = std::make_shared<Kept>();
  fresh->key = key;
  fresh->headers = response.headers;
  fresh->body = std::move(bytes);
  state->keep(fresh);
  http::Response whole(200, std::move(response.headers), fresh->body);
  co_return std::move(whole);
}

}  // namespace escapement::github
