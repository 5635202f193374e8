// A body whose beginning was read by a layer.

#pragma once

#include <memory>
#include <string>
#include <utility>

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// Returns a body of `beginning`, which was read from `rest`, and what is left of that. An error that came
// when the beginning was read comes after it.
class BegunBody final : public BodySource {
 public:
  BegunBody(std::string beginning, Body rest, std::optional<Error> failure)
      : beginning_(std::move(beginning)), rest_(std::move(rest)), failure_(std::move(failure)) {}

  Task<std::string> read() override {
    if (!beginning_.empty()) co_return std::exchange(beginning_, std::string());
    if (failure_) co_return *failure_;
    std::string bytes = co_await rest_.read();
    co_return std::move(bytes);
  }
  Headers trailers() override { return rest_.trailers(); }

 private:
  std::string beginning_;
  Body rest_;
  std::optional<Error> failure_;
};

// Reads up to about `most` bytes of `body`, and puts them back. Returns them.
inline Task<std::string> peek(Body& body, std::size_t most) {
  if (body.replayable()) co_return std::string(body.bytes().substr(0, most));
  std::string beginning;
  std::optional<Error> failure;
  bool ended = false;
  while (beginning.size() < most && !ended && !failure) {
    Result<std::string> piece = co_await body.read().result();
    if (!piece) {
      failure.emplace(std::move(piece).error());
    } else {
      ended = piece->empty();
      beginning += *piece;
    }
  }
  Body whole(std::make_unique<BegunBody>(beginning, std::move(body), std::move(failure)));
  body = std::move(whole);
  co_return std::move(beginning);
}

}  // namespace escapement::http::detail
