// Plays vectors of the Client: over connections whose server is a script.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/middleware/presets/stack_text.h>
#include <escapement/timers/sleep.h>

#include "support/vector_parts.h"

namespace escapement::test {

namespace {

using http::without_white_space;

// The things that have befallen a connection.
struct Fate {
  bool reset = false;   // it ends with a reset, not with the end of the bytes
  bool dead = false;    // it takes no byte any more, and does not know yet
  bool stalls = false;  // it takes no byte, and waits
};

// The client's end of a connection.
class WireStream final : public Stream {
 public:
  WireStream(std::unique_ptr<Stream> inner, std::shared_ptr<const Fate> fate)
      : inner_(std::move(inner)), fate_(std::move(fate)) {}
  Task<std::size_t> read_task(MutableBytes into) override {
    if (fate_->dead) co_return broken();
    const std::size_t count = co_await inner_->read_task(into);
    if (count == 0 && fate_->reset) co_return broken();
    co_return count;
  }
  Task<> write_task(Bytes bytes) override {
    if (fate_->dead) co_await broken();
    if (fate_->stalls) co_await sleep(Duration::max());
    co_await inner_->write_task(bytes);
  }
  Task<> shutdown_write() override { return inner_->shutdown_write(); }
  bool readable_or_closed() override { return !fate_->dead && inner_->readable_or_closed(); }
  std::string peer() const override { return inner_->peer(); }

 private:
  static Error broken() { return Error(Errc::reset, "connection reset"); }

  std::unique_ptr<Stream> inner_;
  std::shared_ptr<const Fate> fate_;
};

// The server's end: reads requests.
class WireReader {
 public:
  explicit WireReader(Stream& stream) : stream_(stream) {}

  // Reads a head. False at the end of the bytes.
  Task<bool> read_head() {
    for (;;) {
      const std::size_t end = buffer_.find("\r\n\r\n");
      if (end != buffer_.npos) {
        head_ = buffer_.substr(0, end + 2);
        buffer_.erase(0, end + 4);
        co_return true;
      }
      const bool more = co_await fill();
      if (!more) co_return false;
    }
  }
  // Reads the body that belongs to it.
  Task<bool> read_body() {
    body_.clear();
    const http::Headers fields = headers();
    const auto length = parse_number<std::size_t>(fields.get_or("content-length", "0"));
    const bool chunked = fields.has("transfer-encoding");
    for (;;) {
      if (!chunked && buffer_.size() >= *length) {
        body_ = buffer_.substr(0, *length);
        buffer_.erase(0, *length);
        co_return true;
      }
      if (chunked && buffer_.find("0\r\n\r\n") != buffer_.npos) {
        const std::size_t begin = buffer_.find("\r\n") + 2;
        body_ = buffer_.substr(begin, buffer_.find("\r\n", begin) - begin);
        buffer_.erase(0, buffer_.find("0\r\n\r\n") + 5);
        co_return true;
      }
      const bool more = co_await fill();
      if (!more) co_return false;
    }
  }
  http::Headers headers() const {
    http::Headers fields;
    std::size_t at = head_.find("\r\n") + 2;
    while (at < head_.size()) {
      const std::size_t end = head_.find("\r\n", at);
      const std::size_t colon = head_.find(':', at);
      fields.add(
          head_.substr(at, colon - at),
          std::string(without_white_space(std::string_view(head_).substr(colon + 1, end - colon - 1))));
      at = end + 2;
    }
    return fields;
  }
  std::string what() const {
    std::string_view line = head_;
    const std::string method = word(line);
    const std::string target = word(line);
    std::string text = method + " http://" + std::string(headers().get_or("host", "")) + target;
    return body_.empty() ? text : text + " +" + body_;
  }

 private:
  Task<bool> fill() {
    std::vector<std::byte> room(4096);
    const std::size_t count = co_await stream_.read(room);
    buffer_ += as_text(Bytes(room).first(count));
    co_return count > 0;
  }

  Stream& stream_;
  std::string buffer_;
  std::string head_;
  std::string body_;
};

// A network whose connections each have a script, the last one again for those that come after.
class Wire final : public Network {
 public:
  Wire(Sim& sim, std::string_view text) : sim_(sim), scope_(sim.reactor(), [](Error) {}) {
    for (const std::string& script : split_at_word(text, "/")) scripts_.push_back(split(script, ';'));
  }

  Task<std::unique_ptr<Stream>> connect(std::string host, std::uint16_t) override {
    const std::size_t number = ++made_;
    std::vector<std::string> script = scripts_[std::min(number, scripts_.size()) - 1];
    std::string_view first = script.front();
    const std::string how = word(first);
    if (how == "refused") co_return Error(Errc::unavailable, host + ": connection refused").nothing_sent();
    if (how == "lost") co_return Error(Errc::not_found, host + ": no such host").nothing_sent();
    if (how == "connect") {
      const Duration delay = length_of(word(first));
      script.erase(script.begin());
      co_await sleep(delay);
    }
    PipeEnds ends = pipe();
    auto fate = std::make_shared<Fate>();
    fate->stalls = script.front() == "stall";
    std::unique_ptr<Stream> server = std::move(ends.second);
    scope_.spawn(serve(std::move(server), fate, std::move(script), number));
    co_return std::make_unique<WireStream>(std::move(ends.first), fate);
  }
  Result<std::unique_ptr<Listener>> listen(std::string_view) override {
    return Error(Errc::unsupported, "nobody listens here");
  }

  std::vector<Seen> seen;

 private:
  Task<> serve(std::unique_ptr<Stream> stream, std::shared_ptr<Fate> fate, std::vector<std::string> script,
               std::size_t number) {
    WireReader reader(*stream);
    for (std::size_t i = 0;; ++i) {
      const std::string_view text = script[std::min(i, script.size() - 1)];
      if (i >= script.size() && text.starts_with("idle")) break;  // only responses are repeated
      const bool over = co_await act(*stream, reader, *fate, text, number);
      if (over) co_return;
    }
    co_await sleep(Duration::max());
  }

  // Acts out one step: a response to the next request, or
  //     idle 20 close, reset, dead, send 408    20 ms after the last response: closes, resets, takes no byte
  //     any
  //                                             more without the client knowing, sends a response unasked
  //     stall                                   takes no byte of what the client sends
  //     continue 200                            sends 100 when the head has come
  //     old 200                                 responds by HTTP/1.0
  //     eof, half                               ends after the request, or within the head of the response
  // Yields whether the connection ends with it.
  Task<bool> act(Stream& stream, WireReader& reader, Fate& fate, std::string_view text, std::size_t number) {
    std::string_view rest = text;
    std::string verb = word(rest);
    if (verb == "idle") {  // before the next request
      co_await sleep(length_of(word(rest)));
      verb = word(rest);
      fate.reset = verb == "reset";
      fate.dead = verb == "dead";
      if (verb == "send") co_await stream.write(as_bytes(bytes_of(ScriptedAnswer(rest))));
      co_return verb == "close" || verb == "reset";
    }
    if (verb == "stall") co_await sleep(Duration::max());
    const bool came = co_await reader.read_head();
    if (!came) co_return true;
    if (verb == "continue") {
      co_await stream.write(as_bytes(std::string("HTTP/1.1 100 Continue\r\n\r\n")));
      text = rest;
    }
    const bool whole = co_await reader.read_body();
    if (!whole) co_return true;
    seen.emplace_back(sim_.elapsed().milliseconds(), '#' + std::to_string(number) + ' ' + reader.what(),
                      reader.headers());
    co_return co_await respond(stream, fate, text);
  }

  Task<bool> respond(Stream& stream, Fate& fate, std::string_view text) {
    std::string_view rest = text;
    const std::string verb = word(rest);
    if (verb == "eof") co_return true;
    if (verb == "half") {  // of the head
      co_await stream.write(as_bytes(std::string("HTTP/1.1 200 OK\r\nContent-Le")));
      fate.reset = true;
      co_return true;
    }
    const bool old = verb == "old";
    const ScriptedAnswer step(old ? rest : text);
    if (step.delay > Duration()) co_await sleep(step.delay);
    fate.reset = step.error.has_value() || step.end == '!';
    if (step.error) co_return true;
    std::string bytes = bytes_of(step);
    if (old) bytes[7] = '0';
    co_await stream.write(as_bytes(bytes));
    const bool closes = step.headers.get_or("connection", "") == "close";
    co_return closes || step.end == '!';
  }

  static std::string bytes_of(const ScriptedAnswer& step) {
    std::string text = "HTTP/1.1 " + std::to_string(step.status) + " Status\r\n";
    for (const http::Headers::Field& field : step.headers) {
      text += std::string(field.name) + ": " + std::string(field.value) + "\r\n";
    }
    if (step.status == 304 || step.status == 204) return text + "\r\n";
    const std::size_t size = step.body.size();
    if (step.end == 0) {
      if (!step.headers.has("content-length")) text += "Content-Length: " + std::to_string(size) + "\r\n";
      return text + "\r\n" + step.body;
    }
    if (step.end == '!' && step.headers.has("content-length")) return text + "\r\n" + step.body;
    if (step.end == '?') return text + "Content-Length: " + std::to_string(size + 1) + "\r\n\r\n" + step.body;
    char length[20];
    std::snprintf(length, sizeof length, "%zx", size);
    text += "Transfer-Encoding: chunked\r\n\r\n" + std::string(length) + "\r\n" + step.body + "\r\n";
    return step.end == '!' ? text : text + "0\r\n\r\n";
  }

  Sim& sim_;
  std::vector<std::vector<std::string>> scripts_;
  std::size_t made_ = 0;
  Scope scope_;
};

// Encrypts nothing, and takes its time for it.
http::Encrypt handshake_of(Duration length) {
  return [length](std::unique_ptr<Stream> stream, std::string) -> Task<std::unique_ptr<Stream>> {
    co_await sleep(length);
    co_return std::move(stream);
  };
}

http::ClientOptions options_of(std::string_view text) {
  using Options = http::ClientOptions;
  static const std::map<std::string, std::size_t Options::*> counts{
      {"connections_per_host_max", &Options::connections_per_host_max},
      {"connections_max", &Options::connections_max},
      {"queue_max", &Options::queue_max},
      {"idle_connections_max", &Options::idle_connections_max},
      {"idle_connections_per_host_max", &Options::idle_connections_per_host_max}};
  static const std::map<std::string, Duration Options::*> lengths{
      {"queue_timeout", &Options::queue_timeout},           {"idle_timeout", &Options::idle_timeout},
      {"connection_age_max", &Options::connection_age_max}, {"connect_timeout", &Options::connect_timeout},
      {"handshake_timeout", &Options::handshake_timeout},   {"head_timeout", &Options::head_timeout},
      {"stall_timeout", &Options::stall_timeout},           {"slow_body_time", &Options::slow_body_time}};
  Options options;
  options.encrypt = handshake_of(Duration());
  while (!text.empty()) {
    const std::string setting = word(text);
    const std::string name = setting.substr(0, setting.find('='));
    const std::string value = setting.substr(setting.find('=') + 1);
    if (counts.contains(name)) {
      options.*counts.at(name) = *parse_number<std::size_t>(value);
    } else if (lengths.contains(name)) {
      options.*lengths.at(name) = length_of(value);
    } else if (name == "slow_body_bytes") {
      options.slow_body_bytes = *parse_number<std::uint64_t>(value);
    } else {
      ESC_CHECK(name == "tls", "a setting of the client in a vector");
      options.encrypt = handshake_of(length_of(value));
    }
  }
  return options;
}

// Takes " leaving 1 idle" off an expectation.
std::optional<std::size_t> idle_in(std::string& expected) {
  const std::size_t at = expected.find(" leaving ");
  if (at == expected.npos) return std::nullopt;
  const std::size_t idle = static_cast<std::size_t>(std::atoi(expected.c_str() + at + 9));
  expected.resize(at);
  return idle;
}

}  // namespace

std::string play_client(const Vector& vector, std::string_view layers, std::string_view settings) {
  Sim sim;
  Wire wire(sim, vector.peer);
  const http::Client client(wire, options_of(settings));
  Result<http::StackText> stack = http::stack_of(layers, client);
  if (!stack) return stack.error().message();
  Result<std::vector<Outcome>> outcomes = sim.run(make_calls(stack->service, vector.request, sim));
  if (!outcomes) return outcomes.error().message();
  sim.settle();
  std::string expected = vector.expected;
  const std::optional<std::size_t> idle = idle_in(expected);
  if (std::string fault = compare_all(expected, wire.seen, *outcomes); !fault.empty()) return fault;
  if (!idle || (client.idle_connections() == *idle && client.open_connections() == *idle)) return "";
  return std::to_string(client.idle_connections()) + " idle connections of " +
         std::to_string(client.open_connections());
}

}  // namespace escapement::test
