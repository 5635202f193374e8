// The handlers of a lifecycle game, as the path of the request says.

#include <stdexcept>

#include <escapement/core/combine.h>
#include <escapement/io/http/interim.h>
#include <escapement/io/http/upgrade.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "fuzz/lifecycle_world.h"

namespace escapement::test {

namespace {

// Pieces of 'x'; where `breaks`, it fails before the last.
class Pieces final : public http::BodySource {
 public:
  Pieces(LifecycleWorld& world, int count, bool breaks)
      : alive_(world.alive), left_(count), breaks_(breaks) {}
  Task<std::string> read() override {
    if (left_ % 3 == 1) co_await sleep(1ms);
    if (left_ % 3 == 2) co_await yield();
    if (left_ == 1 && breaks_) co_await Error(Errc::reset, "on purpose");
    if (left_ == 0) co_return std::string();
    --left_;
    co_return std::string(1000, 'x');
  }

 private:
  Alive alive_;
  int left_;
  bool breaks_;
};

// An entry of an access log: notified when the body goes.
class Entry final : public http::BodyAttachment {
 public:
  explicit Entry(LifecycleWorld& world) : world_(world), alive_(world.alive) {}
  ~Entry() override { world_.told(); }

 private:
  LifecycleWorld& world_;
  Alive alive_;
};

Task<> echo(LifecycleWorld& world, std::unique_ptr<Stream> stream) {
  Alive alive(world.alive);
  std::vector<std::byte> room(1000);
  for (;;) {
    const std::size_t count = co_await stream->read(room);
    if (count == 0) co_return;
    co_await stream->write(Bytes(room).first(count));
  }
}

// HTTP again, and in that perhaps once more.
Task<> serve_inside(LifecycleWorld& world, std::unique_ptr<Stream> stream) {
  Alive alive(world.alive);
  co_await world.server->serve_connection(std::move(stream));
}

http::Response answer(const http::Request& request, std::size_t length, http::Body body) {
  http::Response response(200, std::move(body));
  response.headers.add("X-Id", std::string(request.headers.get_or("X-Id", "none")));
  response.headers.add("X-Length", std::to_string(length));
  return response;
}

Task<> hints(const http::Request& request) {
  for (int i = 0; i < 8; ++i) {
    (void)http::early_hints(request, std::string(i % 2 == 0 ? 3000 : 10, 'h'));
    co_await sleep(500us);
  }
}

Task<> read_in_part(http::Request& request, int pieces) {
  for (int i = 0; i < pieces; ++i) {
    const std::string piece = co_await request.body.read();
    if (piece.empty()) break;
  }
}

Task<> read_whole(http::Request& request) { co_await read_in_part(request, 1'000'000); }

Task<> do_before(LifecycleWorld& world, http::Request& request, const std::string& path) {
  if (path == "/hints" && world.calm) co_await hints(request);
  if (path == "/sleep") co_await sleep(3ms);
  if (path == "/never") co_await sleep(Duration::max());
  if (path == "/fail") co_await Error(Errc::internal, "on purpose");
  if (path == "/reset") co_await Error(Errc::reset, "on purpose");
  if (path == "/part") co_await read_in_part(request, 1);
  if (path == "/gives-up") {
    Result<> read = co_await with_timeout(1ms, read_whole(request)).result();
    if (!read) co_await sleep(1ms);
  }
  if (world.calm || path == "/read" || path == "/upgrade" || path == "/inside" || path == "/stream")
    co_await read_whole(request);
  if (path == "/hints" && !world.calm) co_await all(hints(request), read_whole(request));
  if (path == "/shutdown") world.server->shutdown(3ms);
}

Task<http::Response> handle(LifecycleWorld& world, http::Request request) {
  Alive alive(world.alive);
  const std::string path = request.url.path();
  co_await do_before(world, request, path);
  if (path == "/upgrade") {
    http::Protocol protocol = [&world](std::unique_ptr<Stream> stream) {
      return with_timeout(20ms, echo(world, std::move(stream)));
    };
    co_return http::upgrade_to(request, "echo", std::move(protocol));
  }
  if (path == "/inside") {
    http::Protocol protocol = [&world](std::unique_ptr<Stream> stream) {
      return serve_inside(world, std::move(stream));
    };
    co_return http::upgrade_to(request, "http", std::move(protocol));
  }
  std::size_t length = path == "/big" ? 200'000 : 10;
  http::Body body(std::string(path == "/stream" || path == "/breaks" ? 0 : length, 'x'));
  if (path == "/stream" || path == "/breaks") {
    length = 12'000;
    body = http::Body(std::make_unique<Pieces>(world, 12, path == "/breaks"));
  }
  body.attach(std::make_unique<Entry>(world));
  co_return answer(request, length, std::move(body));
}

}  // namespace

http::Service lifecycle_service(LifecycleWorld& world) {
  return [&world](http::Request request) -> Task<http::Response> {
    if (request.url.path() == "/throw") throw std::runtime_error("on purpose");
    return handle(world, std::move(request));
  };
}

}  // namespace escapement::test
