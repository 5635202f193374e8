#include "tools/fetch/watched_network.h"

#include "tools/fetch/story.h"

namespace escapement {

namespace {

Task<std::unique_ptr<Stream>> noted(Task<std::unique_ptr<Stream>> connecting) {
  const std::shared_ptr<Story>* const found = co_await local(this_story);
  const std::shared_ptr<Story> story = found != nullptr ? *found : std::make_shared<Story>();
  Reactor& reactor = co_await this_reactor;
  if (story->attempts.empty()) story->attempts.emplace_back();
  story->attempts.back().connect_began = reactor.precise_now();
  Result<std::unique_ptr<Stream>> stream = co_await std::move(connecting).result();
  if (stream) {
    story->attempts.back().connected = reactor.precise_now();
    story->attempts.back().peer = (*stream)->peer();
  }
  co_return std::move(stream);
}

Task<std::unique_ptr<Stream>> noted_handshake(Task<std::unique_ptr<Stream>> handshake) {
  const std::shared_ptr<Story>* const found = co_await local(this_story);
  const std::shared_ptr<Story> story = found != nullptr ? *found : std::make_shared<Story>();
  Reactor& reactor = co_await this_reactor;
  Result<std::unique_ptr<Stream>> stream = co_await std::move(handshake).result();
  story->handshake_failed = !stream;
  if (stream && !story->attempts.empty()) story->attempts.back().encrypted = reactor.precise_now();
  co_return std::move(stream);
}

}  // namespace

Task<std::unique_ptr<Stream>> WatchedNetwork::connect(std::string host, std::uint16_t port) {
  return noted(inner_.connect(std::move(host), port));
}

Task<std::unique_ptr<Stream>> WatchedNetwork::connect_within(Duration limit, std::string host,
                                                             std::uint16_t port) {
  return noted(inner_.connect_within(limit, std::move(host), port));
}

http::Encrypt watched(http::Encrypt encrypt) {
  if (!encrypt) return nullptr;
  return [encrypt](std::unique_ptr<Stream> stream, std::string host) {
    return noted_handshake(encrypt(std::move(stream), std::move(host)));
  };
}

}  // namespace escapement
