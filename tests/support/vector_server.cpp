// Plays vectors of the Server: clients whose bytes are a script.

#include <map>

#include <escapement/core/detail/check.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/vector_parts.h"

namespace escapement::test {

namespace {

// Connections to a server; each has a script:
//     after 20       waits before the next step, also before it connects
//     connect        connects; so does whatever sends first
//     GET            sends a request
//     part, rest     sends the beginning of one, and what was left of it
//     POST           sends the head of a request with a body of two bytes, and the first of them
//     shutdown 5s    lets the server shut down, with so much grace
class Clients {
 public:
  Clients(Sim& sim, http::Server& server) : sim_(sim), server_(server) {}

  Task<> play(std::string script, std::size_t number, Outcome& outcome) {
    const std::string name = '#' + std::to_string(number) + ' ';
    std::unique_ptr<Stream> stream;
    Scope reading(sim_.reactor(), [](Error) {});
    outcome.told = "open";
    for (const std::string& step : split(script, ';')) {
      std::string_view rest = step;
      std::string verb = word(rest);
      if (verb == "after") {
        co_await sleep(length_of(word(rest)));
        verb = word(rest);
      }
      if (verb == "shutdown") {
        server_.shutdown(length_of(word(rest)));
        continue;
      }
      if (stream == nullptr) {
        Result<std::unique_ptr<Stream>> made = co_await sim_.network().connect("h", 80).result();
        outcome.told = made ? "open" : "refused";
        outcome.at = sim_.elapsed().milliseconds();
        if (!made) co_return;
        stream = *std::move(made);
        reading.spawn(read(*stream, name, outcome));
      }
      const std::string bytes = bytes_of(verb);
      Result<> written = co_await stream->write(as_bytes(bytes)).result();
      (void)written;
    }
    Result<> read = co_await with_timeout(1h, reading.join()).result();
    (void)read;
  }

  std::vector<Seen> seen;

 private:
  static std::string bytes_of(const std::string& verb) {
    static const std::map<std::string, std::string> known{
        {"connect", ""},
        {"GET", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {"part", "GET / HTTP/1.1\r\nHo"},
        {"rest", "st: h\r\n\r\n"},
        {"POST", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx"}};
    ESC_CHECK(known.contains(verb), "a step of a client in a vector");
    return known.at(verb);
  }

  Task<> read(Stream& stream, std::string name, Outcome& outcome) {
    std::vector<std::byte> room(4096);
    for (;;) {
      Result<std::size_t> count = co_await stream.read(room).result();
      if (!count || *count == 0) {
        outcome.told = count ? "closed" : "reset";
        outcome.at = sim_.elapsed().milliseconds();
        co_return;
      }
      const std::string text(as_text(Bytes(room).first(*count)));
      for (std::size_t at = text.find("HTTP/1.1 "); at != text.npos; at = text.find("HTTP/1.1 ", at + 1)) {
        http::Headers fields;
        if (text.find("Connection: close", at) != text.npos) fields.add("Connection", "close");
        seen.emplace_back(sim_.elapsed().milliseconds(), name + text.substr(at + 9, 3), std::move(fields));
      }
    }
  }

  Sim& sim_;
  http::Server& server_;
};

Task<> play_clients(Clients& clients, const Vector& vector, std::vector<Outcome>& outcomes) {
  Reactor& reactor = co_await this_reactor;
  const std::vector<std::string> scripts = split_at_word(vector.peer, "/");
  outcomes.resize(scripts.size());
  Scope scope(reactor);
  for (std::size_t i = 0; i < scripts.size(); ++i) {
    scope.spawn(clients.play(scripts[i], i + 1, outcomes[i]));
  }
  co_await scope.join();
}

http::ServerOptions server_options(std::string_view text, Duration& think) {
  using Options = http::ServerOptions;
  static const std::map<std::string, Duration Options::*> lengths{
      {"head_timeout", &Options::head_timeout},
      {"idle_timeout", &Options::idle_timeout},
      {"body_idle", &Options::body_idle},
      {"handler_timeout", &Options::handler_timeout}};
  Options options;
  while (!text.empty()) {
    const std::string setting = word(text);
    const std::string name = setting.substr(0, setting.find('='));
    const Duration length = length_of(std::string_view(setting).substr(name.size() + 1));
    ESC_CHECK(name == "think" || lengths.contains(name), "a setting of the server in a vector");
    if (name == "think") think = length;
    if (name != "think") options.*lengths.at(name) = length;
  }
  return options;
}

}  // namespace

std::string play_server(const Vector& vector, std::string_view settings) {
  Sim sim;
  Duration think;
  const http::ServerOptions options = server_options(settings, think);
  const http::Service handler = [&think](http::Request request) -> Task<http::Response> {
    std::string body = co_await request.body.text(1 * MiB);
    if (think > Duration()) co_await sleep(think);
    co_return http::Response(200, std::move(body));
  };
  http::Server server(handler, options);
  sim.network().add_host("h");
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(server.listen(sim.network(), ":80"));
  sim.settle();
  std::vector<Outcome> outcomes;
  Clients clients(sim, server);
  Result<> played = sim.run(play_clients(clients, vector, outcomes));
  if (!played) return played.error().message();
  return compare_all(vector.expected, clients.seen, outcomes);
}

}  // namespace escapement::test
