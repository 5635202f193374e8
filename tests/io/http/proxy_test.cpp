// Proxies: their addresses and variables, and a client's requests through them, in simulated time.

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <optional>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/proxy.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

using namespace escapement;
using http::Proxy;
using http::ProxyRules;

namespace {

std::string parsed(const char* text) {
  Result<Proxy> proxy = Proxy::parse(text);
  if (!proxy) return to_string(proxy.error());
  std::string shown = proxy->text();
  if (!proxy->user.empty()) shown += ' ' + proxy->user + ' ' + proxy->password;
  return shown;
}

// The proxies that the variables give for http://a.test and https://a.test, or the error.
std::string from(std::map<std::string, std::string> variables) {
  Result<ProxyRules> rules = ProxyRules::from_environment([&](const char* name) -> const char* {
    const auto at = variables.find(name);
    return at == variables.end() ? nullptr : at->second.c_str();
  });
  if (!rules) return to_string(rules.error());
  std::string text;
  for (const char* url : {"http://a.test/", "https://a.test/"}) {
    const Proxy* proxy = rules->find(*http::Url::parse(url));
    text += proxy == nullptr ? "- " : proxy->host + ' ';
  }
  return text;
}

// A step of a proxy: it hears something that ends like this, and then answers.
struct Line {
  Line(std::string e, std::string a) : expect(std::move(e)), answer(std::move(a)) {}
  std::string expect;
  std::string answer;
};

struct World {
  Sim sim;
  std::string heard;  // everything that came to the proxy
  Scope scope{sim.reactor(), nullptr};
  http::ClientOptions options;
  std::string encrypted_for;  // the hosts that the client shook hands with

  World() {
    options.encrypt = [this](std::unique_ptr<Stream> stream, std::string host) {
      return pretend(*this, std::move(stream), std::move(host));
    };
  }
  static Task<std::unique_ptr<Stream>> pretend(World& world, std::unique_ptr<Stream> stream,
                                               std::string host) {
    world.encrypted_for += host + ' ';
    co_return std::move(stream);
  }

  static Task<> play(World& world, std::unique_ptr<Listener> listener, std::vector<Line> script, bool ends) {
    std::unique_ptr<Stream> stream = co_await listener->accept();
    std::vector<std::byte> room(4096);
    for (const Line& line : script) {
      std::string seen;
      while (!seen.ends_with(line.expect)) {
        const std::size_t count = co_await stream->read(room);
        if (count == 0) co_return;
        seen += as_text(Bytes(room).first(count));
      }
      world.heard += seen;
      co_await stream->write(as_bytes(line.answer));
    }
    if (!ends) co_await sleep(Duration::max());
  }
  void proxy(std::vector<Line> script, bool ends = false) {
    scope.spawn(play(*this, *sim.network().listen("p:1080"), std::move(script), ends));
  }

  static Task<std::string> ask(http::Client client, std::string url, http::Headers headers) {
    http::Request request("GET", *http::Url::parse(url), std::move(headers), http::Body());
    http::Response response = co_await client(std::move(request));
    std::string body = co_await response.body.text(1 * MiB);
    co_return std::to_string(response.status) + ' ' + body;
  }
  Result<std::string> get(const char* by, std::string url, http::Headers headers = http::Headers()) {
    if (by != nullptr) options.route = http::through(ProxyRules::all_through(*Proxy::parse(by)));
    return sim.run(ask(http::Client(sim.network(), options), std::move(url), std::move(headers)));
  }
  std::string fault(const char* by, std::string url = "https://a.test/") {
    Result<std::string> answer = get(by, std::move(url));
    REQUIRE(!answer);
    CHECK(!answer.error().maybe_sent());
    return std::string(name(answer.error().code())) + ' ' + std::string(name(answer.error().fault()));
  }
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string end = "\r\n\r\n";

}  // namespace

TEST_CASE("proxy: its address") {
  CHECK(parsed("p.test") == "http://p.test:1080");
  CHECK(parsed("p.test:80") == "http://p.test:80");
  CHECK(parsed("HTTP://P.test:3128/") == "http://p.test:3128");
  CHECK(parsed("https://p.test") == "https://p.test:443");
  CHECK(parsed("socks5://p.test") == "socks5://p.test:1080");
  CHECK(parsed("socks5h://u:p@[::1]:9") == "socks5://[::1]:9 u p");
  CHECK(parsed("http://[::1]") == "http://[::1]:1080");
  CHECK(parsed("http://us%40er:p%3Aw@p.test:1") == "http://p.test:1 us@er p:w");
  CHECK(parsed("http://user@p.test:1") == "http://p.test:1 user ");
  CHECK(parsed("socks4://p.test").starts_with("unsupported: "));
  for (const char* bad : {"", "http://", "http://:80", "http://p.test:x", "http://p.test:70000",
                          "http://[::1", "http://p.test:0", "http://a b"}) {
    INFO(bad);
    CHECK(parsed(bad).starts_with("invalid_argument: "));
  }
  CHECK(parsed("http://user:secret@p.test:x").find("secret") == std::string::npos);
  for (const char* unencoded :
       {"http://user:se/cret@p.test:1", "http://user:12/34@p.test", "http://u:se?cret@p.test"}) {
    CHECK(parsed(unencoded) ==
          "invalid_argument: not the address of a proxy: encode / ? # in its user and password");
  }
}

TEST_CASE("proxy: the variables, as curl reads them") {
  CHECK(from({}) == "- - ");
  CHECK(from({{"http_proxy", "p1"}, {"https_proxy", "p2"}}) == "p1 p2 ");
  CHECK(from({{"HTTP_PROXY", "p1"}, {"HTTPS_PROXY", "p2"}}) == "- p2 ");  // httpoxy
  CHECK(from({{"https_proxy", "p1"}, {"HTTPS_PROXY", "p2"}}) == "- p1 ");
  CHECK(from({{"all_proxy", "p"}}) == "p p ");
  CHECK(from({{"ALL_PROXY", "p"}, {"http_proxy", "q"}}) == "q p ");
  CHECK(from({{"all_proxy", "p"}, {"http_proxy", ""}}) == "- p ");
  CHECK(from({{"all_proxy", "p"}, {"no_proxy", "test"}}) == "- - ");
  CHECK(from({{"all_proxy", "p"}, {"NO_PROXY", "a.test:443"}}) == "p - ");
  CHECK(from({{"all_proxy", "p"}, {"no_proxy", "other"}, {"NO_PROXY", "*"}}) == "p p ");
  CHECK(from({{"https_proxy", "ftp://p"}}).starts_with("unsupported: https_proxy: "));
  CHECK(from({{"all_proxy", "p:x"}}).starts_with("invalid_argument: all_proxy: "));
}

TEST_CASE("proxy: an http URL goes to the proxy as a whole, with its credentials") {
  World world;
  world.proxy({Line(end, ok), Line(end, ok)});
  CHECK(*world.get("http://us:pw@p:1080", "http://a.test:81/x?y") == "200 ok");
  CHECK(
      world.heard ==
      "GET http://a.test:81/x?y HTTP/1.1\r\nHost: a.test:81\r\nProxy-Authorization: Basic dXM6cHc=\r\n\r\n");
}

TEST_CASE("proxy: credentials that cannot be sent fail a request of which nothing was sent") {
  World world;
  CHECK(world.fault("http://us%3Aer:pw@p:1080", "http://a.test/") == "invalid_argument none");
  CHECK(world.heard.empty());
}

TEST_CASE("proxy: a user without a password, for SOCKS5") {
  World world;
  world.proxy({Line("\x02", "\x05\x02"), Line(std::string(1, '\0'), std::string("\x01\x00", 2)),
               Line("\x50", std::string("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50", 10)), Line(end, ok)});
  CHECK(*world.get("socks5://token@p:1080", "http://a.test/") == "200 ok");
  CHECK(world.heard.find("\x05token") != std::string::npos);
}

TEST_CASE("proxy: a request's own Proxy-Authorization is for the proxy, and for nobody else") {
  http::Headers own;
  own.set("Proxy-Authorization", "Own x");
  World world;
  world.proxy({Line(end, ok)});
  CHECK(*world.get("http://us:pw@p:1080", "http://a.test/", own) == "200 ok");
  CHECK(world.heard == "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Own x\r\n\r\n");
  World tunnelled;
  tunnelled.proxy({Line(end, "HTTP/1.1 200 \r\n\r\n"), Line(end, ok)});
  CHECK(*tunnelled.get("http://p:1080", "https://a.test/", own) == "200 ok");
  CHECK(tunnelled.heard.find("Own x") == std::string::npos);
}

TEST_CASE("proxy: https goes through a tunnel, in which the server is the other end") {
  World world;
  world.proxy({Line(end, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Connection established\r\nX: y\r\n\r\n"),
               Line(end, ok)});
  CHECK(*world.get("http://us:pw@p:1080", "https://a.test/x") == "200 ok");
  CHECK(world.encrypted_for == "a.test ");
  CHECK(world.heard ==
        "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nProxy-Authorization: Basic dXM6cHc=\r\n\r\n"
        "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n");
  World v6;
  v6.proxy({Line(end, "HTTP/1.1 200 OK\r\n\r\n"), Line(end, ok)});
  CHECK(*v6.get("p:1080", "https://[::1]:4/") == "200 ok");
  CHECK(v6.heard.starts_with("CONNECT [::1]:4 HTTP/1.1\r\nHost: [::1]:4\r\n\r\n"));
}

TEST_CASE("proxy: the way to an https proxy is encrypted too") {
  World world;
  world.proxy({Line(end, "HTTP/1.1 200 OK\r\n\r\n"), Line(end, ok)});
  CHECK(*world.get("https://p:1080", "https://a.test/") == "200 ok");
  CHECK(world.encrypted_for == "p a.test ");
  world.options.encrypt = nullptr;
  CHECK(world.get("https://p:1080", "http://a.test/").error() == Errc::unsupported);
}

TEST_CASE("proxy: each thing that goes wrong has its own fault, with nothing sent to the server") {
  const std::map<std::string, std::string> answers = {
      {"HTTP/1.1 407 \r\nContent-Length: 2\r\n\r\nno", "permission_denied proxy_auth_required"},
      {"HTTP/1.1 403 \r\n\r\n", "permission_denied proxy_refused"},
      {"HTTP/1.1 502 \r\n\r\n", "unavailable proxy_failed"},
      {"HTTP/1.1 302 \r\n\r\n", "bad_message proxy_bad_answer"},
      {"SSH-2.0\r\n\r\n", "bad_message proxy_bad_answer"},
      {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n", "bad_message proxy_bad_answer"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", "bad_message proxy_bad_answer"},
  };
  for (const auto& [answer, fault] : answers) {
    INFO(answer.substr(0, 40));
    World world;
    world.proxy({Line(end, answer)});
    CHECK(world.fault("p:1080") == fault);
  }
  World interim;
  std::string many;
  for (int i = 0; i < 20; ++i) many += "HTTP/1.1 100 \r\n\r\n";
  interim.proxy({Line(end, many)});
  CHECK(interim.fault("p:1080") == "bad_message proxy_bad_answer");
  World closing;
  closing.proxy({Line(end, "HTTP/1.1 20")}, true);
  CHECK(closing.fault("p:1080") == "unavailable proxy_closed");
  World absent;
  CHECK(absent.fault("p:1080") == "not_found proxy_unreachable");
  absent.sim.network().add_host("p");
  CHECK(absent.fault("p:1080", "http://a.test/") == "unavailable proxy_unreachable");
  CHECK(absent.get("p:1080", "https://a.test/").error().message().starts_with("proxy http://p:1080: "));
}

TEST_CASE("proxy: a silent one ends at the client's connect_timeout") {
  World world;
  world.options.connect_timeout = 3s;
  world.proxy({Line("never", "")});
  Result<std::string> answer = world.get("p:1080", "https://a.test/");
  CHECK(answer.error().limit() == TimeLimit::connect);
  CHECK(!answer.error().maybe_sent());
  CHECK(world.sim.elapsed() == 3s);
}

TEST_CASE("proxy: what no_proxy names goes straight") {
  World world;
  ProxyRules rules = ProxyRules::all_through(*Proxy::parse("p:1080"));
  rules.no_proxy = http::NoProxy("a.test");
  world.options.route = http::through(rules);
  CHECK(world.get(nullptr, "http://a.test/").error().fault() == Fault::none);
  CHECK(world.get(nullptr, "http://b.test/").error().fault() == Fault::proxy_unreachable);
}

TEST_CASE("client: https_only refuses http before anything else") {
  World world;
  world.options.https_only = true;
  Result<std::string> answer = world.get(nullptr, "http://unknown.test/");
  CHECK(answer.error() == Errc::invalid_argument);
  CHECK(answer.error().fault() == Fault::https_only);
  CHECK(!answer.error().maybe_sent());
  CHECK(world.get(nullptr, "https://unknown.test/").error() == Errc::not_found);
}

TEST_CASE("proxy: SOCKS5 carries both kinds of URL") {
  using namespace std::string_literals;
  for (const std::string scheme : {"http", "https"}) {
    World world;
    world.proxy({Line("\x05\x01\x00"s, "\x05\x00"s),
                 Line("\x05\x01\x00\x03\x06"
                      "a.test\x00\x51"s,
                      "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s),
                 Line(end, ok)});
    CHECK(*world.get("socks5h://p:1080", scheme + "://a.test:81/") == "200 ok");
    CHECK(world.heard.ends_with("GET / HTTP/1.1\r\nHost: a.test:81\r\n\r\n"));
  }
}
