// An asio and Beast program's parts with escapement: an echo server, a connection, an HTTP client and server.

#include <array>
#include <cstdio>

#include <escapement/core/combine.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

// [echo]
Task<> echo(std::unique_ptr<Stream> stream) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const std::size_t count = co_await with_timeout(30s, stream->read(buffer));
    if (count == 0) co_return;  // the peer has ended its direction
    co_await stream->write(Bytes(buffer).first(count));
  }
}

Task<> accept_all(Listener& listener) {
  Reactor& reactor = co_await this_reactor;
  Scope connections(reactor, nullptr);  // one that fails does not end the others
  for (;;) {
    std::unique_ptr<Stream> stream = co_await listener.accept();
    connections.spawn(echo(std::move(stream)));
  }
}
// [echo]

// [connect]
Task<std::string> say(Network& network, std::string host, std::uint16_t port, std::string_view text) {
  std::unique_ptr<Stream> stream = co_await with_timeout(5s, network.connect(host, port));
  co_await stream->write(as_bytes(text));
  std::array<std::byte, 4096> buffer;
  const std::size_t count = co_await with_timeout(5s, stream->read(buffer));
  co_return std::string(as_text(Bytes(buffer).first(count)));
}
// [connect]

// [client]
Task<std::string> get(const http::Client& client, std::string url) {
  http::Request request("GET", co_await http::Url::parse(url));
  request.headers.set("User-Agent", "migrated");
  http::Response response = co_await client(std::move(request));
  co_return co_await response.body.text(1 * MiB);
}
// [client]

// [server]
Task<http::Response> handle(http::Request request) {
  if (request.method != http::Method::get()) co_return http::Response(405);
  const std::string agent(request.headers.get_or("user-agent", "nobody"));
  co_return http::Response(200, http::Headers{{"Content-Type", "text/plain"}}, agent + " asked\n");
}
// [server]

// [thread]
// A result of another thread, which may take as long as it likes: the loop runs on meanwhile.
void hand_over(Remote remote, Event& done) {
  const bool posted = remote.post([&done] { done.set(); });  // runs on the loop's thread
  if (!posted) std::puts("the loop is gone");
}
// [thread]

Task<> program(Network& network) {
  Reactor& reactor = co_await this_reactor;
  Scope background(reactor, nullptr);
  std::unique_ptr<Listener> echoing = co_await network.listen("127.0.0.1:0");
  background.spawn(accept_all(*echoing));
  const std::string address = echoing->address();
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const std::string heard = co_await say(network, "127.0.0.1", static_cast<std::uint16_t>(port), "hello");
  std::puts(heard.c_str());

  http::Server server(handle);
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  const std::string url = "http://" + listener->address() + "/";
  background.spawn(server.serve(std::move(listener)));
  http::Client client(network);
  const std::string answer = co_await get(client, url);
  std::fputs(answer.c_str(), stdout);

  Event done;
  hand_over(reactor.remote(), done);
  co_await done.wait();
  background.cancel();
}

int main() {
  Loop loop;
  Result<> done = loop.run(program(loop.network()));
  if (!done) std::puts(to_string(done.error()).c_str());
  return done ? 0 : 1;
}
