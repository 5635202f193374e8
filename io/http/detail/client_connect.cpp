#include <escapement/io/http/detail/client_connect.h>

#include <utility>

#include <escapement/io/http/detail/client_pool.h>
#include <escapement/timers/timeout.h>

namespace escapement::http::detail {

using escapement::detail::LimitName;
using escapement::detail::within;

namespace {

// The handshake has its own limit, within that of connecting, which counts from `began`.
Task<std::unique_ptr<Stream>> encrypted(Pool& pool, std::unique_ptr<Stream> stream, std::string host,
                                        Instant began) {
  Reactor& reactor = co_await this_reactor;
  const Instant now = reactor.precise_now();
  Duration limit = pool.options().connect_timeout;
  if (now + pool.options().handshake_timeout < began + limit) {
    limit = pool.options().handshake_timeout;
    began = now;
  }
  Task<std::unique_ptr<Stream>> handshake = pool.options().encrypt(std::move(stream), host);
  const LimitName name{TimeLimit::handshake, "not finished"};
  Result<std::unique_ptr<Stream>> done = co_await within(limit, name, std::move(handshake), began).result();
  if (!done && done.error().limit() == TimeLimit::handshake && done.error().peer().empty()) {
    co_return std::move(done).error().context("TLS handshake with " + host).nothing_sent();
  }
  co_return std::move(done);
}

Task<std::unique_ptr<Stream>> open_stream(Pool& pool, const Url& url, Connecting& progress, Instant began) {
  const Duration limit = pool.options().connect_timeout;
  progress.waits_for(TimeLimit::connect);
  const ClientRoute* const route = pool.options().route.get();
  Task<std::unique_ptr<Stream>> connecting = route != nullptr
                                                 ? route->connect(pool.network, pool.options(), url, limit)
                                                 : pool.network.connect_within(limit, url.host(), url.port());
  std::unique_ptr<Stream> stream = co_await std::move(connecting);
  if (url.scheme() != "https") co_return std::move(stream);
  progress.waits_for(TimeLimit::handshake);
  co_return co_await encrypted(pool, std::move(stream), url.host(), began);
}

}  // namespace

Task<std::unique_ptr<ClientConnection>> open_connection(Pool& pool, Url url, Connecting& progress) {
  if (url.scheme() == "https" && !pool.options().encrypt) {
    co_return Error(Errc::unsupported, "https is not available: this client was made without TLS")
        .nothing_sent();
  }
  Reactor& reactor = co_await this_reactor;
  const Instant began = reactor.precise_now();
  Result<std::unique_ptr<Stream>> stream = co_await open_stream(pool, url, progress, began).result();
  while (!stream && stream.error() == Errc::overloaded && pool.close_oldest_idle()) {
    stream = co_await open_stream(pool, url, progress, began).result();
  }
  if (!stream) co_return std::move(stream).error();
  co_return make_client_connection(*std::move(stream), pool.shared);
}

}  // namespace escapement::http::detail
