// The programs in programs/, in simulated time and on a simulated network.
#include <catch2/catch_test_macros.hpp>

#define main streaming_proxy_main
#include "programs/streaming_proxy.cpp"
#undef main
#define main crawler_main
#include "programs/crawler.cpp"
#undef main
#define main line_server_main
#include "programs/line_server.cpp"
#undef main

#include <escapement/core/generator.h>
#include <escapement/io/http/body_sequence.h>
#include <escapement/io/sim/sim.h>

namespace {

// --- The proxy

Task<std::string> ask(SimNetwork& network, std::string method, std::string body) {
  http::Client client(network);
  http::Request request(method, *http::Url::parse("http://proxy/page"), {}, http::Body(body));
  http::Response response = co_await client(std::move(request));
  std::string text = co_await response.body.text(1 * MiB);
  co_return std::to_string(response.status) + " " + text;
}

struct ProxyWorld {
  ProxyWorld() {
    for (const char* host : {"proxy", "first", "second", "user"}) sim.network().add_host(host);
    scope.spawn(first.listen(sim.network(), "first:80"));
    scope.spawn(second.listen(sim.network(), "second:80"));
    scope.spawn(proxy.listen(sim.network(), "proxy:80"));
    sim.settle();
  }
  std::string get() { return *sim.run(ask(sim.network(), "GET", "")); }

  Sim sim;
  int calls_of_first = 0;
  bool first_hangs = false;
  http::Server first{[this](http::Request) -> Task<http::Response> {
    ++calls_of_first;
    if (first_hangs) co_await sleep(1h);
    co_return http::Response(200, "first");
  }};
  http::Server second{[](http::Request) -> Task<http::Response> { co_return http::Response(200, "second"); }};
  http::Server proxy{
      make_proxy(sim.network(), *http::Url::parse("http://first/"), *http::Url::parse("http://second/"))};
  Scope scope{sim.reactor(), nullptr};
};

std::string pieces(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::string(10'000, static_cast<char>('a' + i));
  return text;
}

Generator<std::string> slow_pieces(int count) {
  for (int i = 0; i < count; ++i) {
    co_await sleep(1s);
    co_yield std::string(10'000, static_cast<char>('a' + i));
  }
}

}  // namespace

TEST_CASE("program: streaming_proxy asks the second upstream while the first one fails, and returns to it") {
  ProxyWorld world;
  CHECK(world.get() == "200 first");
  world.first_hangs = true;
  CHECK(world.get() == "200 second");
  CHECK(world.calls_of_first == 2);
  CHECK(world.get() == "200 second");
  CHECK(world.calls_of_first == 2);  // not asked for 5 s
  world.first_hangs = false;
  world.sim.advance(5s);
  CHECK(world.get() == "200 first");
}

TEST_CASE("program: streaming_proxy repeats nothing that may have had an effect") {
  ProxyWorld world;
  world.first_hangs = true;
  CHECK(world.sim.run(ask(world.sim.network(), "POST", "an order"))->starts_with("50"));
}

TEST_CASE("program: streaming_proxy passes a body on while it comes") {
  Sim sim;
  for (const char* host : {"proxy", "up", "user"}) sim.network().add_host(host);
  http::Server up([](http::Request) -> Task<http::Response> {
    co_return http::Response(200, http::streamed_body(slow_pieces(5)));
  });
  const http::Url origin = *http::Url::parse("http://up/");
  http::Server proxy(make_proxy(sim.network(), origin, origin));
  Scope scope(sim.reactor(), nullptr);
  scope.spawn(up.listen(sim.network(), "up:80"));
  scope.spawn(proxy.listen(sim.network(), "proxy:80"));
  sim.settle();
  Duration first_piece;
  const auto fetch = [&]() -> Task<std::string> {
    http::Client client(sim.network());
    http::Response response = co_await client(http::get("http://proxy/"));
    std::string all = co_await response.body.read();
    first_piece = sim.elapsed();
    std::string rest = co_await response.body.text(1 * MiB);
    co_return all + rest;
  };
  const Result<std::string> text = sim.run(fetch());
  CHECK(*text == pieces(5));
  CHECK(first_piece < Duration(2s));
  CHECK(sim.elapsed() >= Duration(5s));
}

namespace {

class Counted {
 public:
  explicit Counted(int& count) : count_(count) { ++count_; }
  Counted(const Counted&) = delete;
  ~Counted() { --count_; }

 private:
  int& count_;
};

}  // namespace

TEST_CASE("program: crawler stays within its limits") {
  Sim sim;
  for (const char* host : {"site", "user"}) sim.network().add_host(host);
  int running = 0;
  int most = 0;
  // Page n links to 2n and 2n + 1, to itself and to another site; page 7 never comes, page 9 is too large.
  http::Server site([&](http::Request request) -> Task<http::Response> {
    const Counted counted(running);  // also while a call is cancelled
    most = std::max(most, running);
    const int number = std::atoi(request.url.path().c_str() + 1);
    co_await sleep(number == 7 ? Duration(1h) : Duration(100ms));
    if (number == 9) co_return http::Response(200, std::string(300'000, 'x'));
    const auto link = [](int to) { return "<a href=\"/" + std::to_string(to) + "\">"; };
    co_return http::Response(200, link(2 * number) + link(2 * number + 1) + link(number) +
                                      "<a href=\"http://elsewhere/\"><a href=\"::\">");
  });
  Scope scope(sim.reactor(), nullptr);
  scope.spawn(site.listen(sim.network(), "site:80"));
  sim.settle();
  const Result<CrawlResult> result = sim.run(crawl(sim.network(), "http://site/1"));
  REQUIRE(result);
  CHECK(result->pages.size() + result->failures.size() == 200);
  CHECK(result->failures.size() == 2);
  CHECK(most == 8);
  CHECK(sim.run(crawl(sim.network(), "nonsense")).error() == Errc::invalid_argument);
}

namespace {

// --- The line server

struct Chat {
  Chat() {
    for (const char* host : {"chat", "user"}) sim.network().add_host(host);
    std::unique_ptr<Listener> listener = *sim.network().listen("chat:7");
    scope.spawn(serve_lines(std::move(listener)));
    sim.settle();
  }
  std::unique_ptr<Stream> join() {
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("chat", 7));
    sim.advance(1ms);
    return stream;
  }
  void say(Stream& stream, std::string text) {
    const auto write = [&]() -> Task<> { co_await stream.write(as_bytes(text)); };
    REQUIRE(sim.run(write()));
    sim.advance(1ms);
  }
  // Returns what has come; "." at its end if the connection has ended.
  std::string heard(Stream& stream) {
    std::string text;
    std::byte room[8192];
    const auto read = [&]() -> Task<std::size_t> { co_return co_await stream.read(MutableBytes(room)); };
    for (;;) {
      Result<std::size_t> count = sim.run(with_timeout(1ms, read()));
      if (!count) return text;
      if (*count == 0) return text + ".";
      text.append(reinterpret_cast<const char*>(room), *count);
    }
  }

  Sim sim;
  Scope scope{sim.reactor(), nullptr};
};

}  // namespace

TEST_CASE("program: line_server sends each line to all the others") {
  Chat chat;
  const std::unique_ptr<Stream> ann = chat.join();
  const std::unique_ptr<Stream> bob = chat.join();
  const std::unique_ptr<Stream> cy = chat.join();
  chat.say(*ann, "hello\r\nthere\n");
  CHECK(chat.heard(*bob) == "hello\nthere\n");
  CHECK(chat.heard(*cy) == "hello\nthere\n");
  CHECK(chat.heard(*ann).empty());
}

TEST_CASE("program: line_server disconnects who is silent, and whose lines are too long") {
  Chat chat;
  const std::unique_ptr<Stream> quiet = chat.join();
  const std::unique_ptr<Stream> loud = chat.join();
  chat.say(*loud, std::string(5000, 'x'));
  CHECK(chat.heard(*loud).starts_with("[limit_exceeded"));
  chat.sim.advance(59s);
  CHECK(chat.heard(*quiet).empty());
  chat.sim.advance(2s);
  CHECK(chat.heard(*quiet).starts_with("[timed_out"));
}
