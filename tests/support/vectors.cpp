#include "support/vectors.h"

#include <algorithm>

#include <escapement/core/detail/check.h>
#include <escapement/core/detail/number.h>
#include <escapement/middleware/presets/stack_text.h>
#include <escapement/timers/sleep.h>

#include "support/vector_parts.h"

namespace escapement::test {

namespace {

using http::without_white_space;

struct Peer {
  std::vector<ScriptedAnswer> steps;
  std::vector<Seen> seen;
};

Task<http::Response> respond(Peer& peer, Sim& sim, http::Request request) {
  const ScriptedAnswer& step = peer.steps[std::min(peer.seen.size(), peer.steps.size() - 1)];
  const std::size_t mine = peer.seen.size();
  const std::string what = std::string(request.method.text()) + ' ' + request.url.text();
  peer.seen.emplace_back(sim.elapsed().milliseconds(), what, request.headers);
  if (!step.error || step.error->maybe_sent()) {
    std::string body = co_await request.body.text(1 * MiB);
    if (!body.empty()) peer.seen[mine].what += " +" + body;
  }
  if (step.delay > Duration()) co_await sleep(step.delay);
  if (step.error) co_return *step.error;
  http::Response response(step.status, step.headers, http::Body(step.body));
  if (step.end != 0) {
    const auto length = parse_number<std::uint64_t>(step.headers.get_or("content-length", ""));
    response.body = http::Body(std::make_unique<Streamed>(step.body, step.end == '!', length));
  }
  co_return std::move(response);
}

// One peer for each host, "a: 500 / b: 200"; or one for all.
class Peers {
 public:
  explicit Peers(std::string_view text) {
    for (const std::string& part : split_at_word(text, "/")) {
      std::string_view steps = part;
      const std::size_t colon = steps.find(": ");
      std::string host;
      if (colon != steps.npos && steps.substr(0, colon).find_first_of(" ;") == steps.npos &&
          steps.substr(0, colon).size() == 1) {
        host = std::string(steps.substr(0, colon));
        steps.remove_prefix(colon + 2);
      }
      Peer& peer = peers_.emplace_back(host, Peer()).second;
      for (const std::string& step : split(steps, ';')) peer.steps.emplace_back(step);
    }
  }
  Peer& of(const std::string& host) {
    for (auto& [name, peer] : peers_) {
      if (name == host) return peer;
    }
    return peers_.front().second;
  }
  std::vector<Seen> seen() const {
    std::vector<Seen> all;
    for (const auto& [name, peer] : peers_) {
      for (const Seen& seen : peer.seen) {
        const auto before = [](const Seen& a, const Seen& b) { return a.at < b.at; };
        all.insert(std::upper_bound(all.begin(), all.end(), seen, before), seen);
      }
    }
    return all;
  }

 private:
  std::vector<std::pair<std::string, Peer>> peers_;
};

// Plays a vector whose innermost service is a script.
std::string play_layers(const Vector& vector) {
  Sim sim;
  Peers peers(vector.peer);
  const http::Service answers = [&](http::Request request) {
    Peer& peer = peers.of(request.url.host());
    return respond(peer, sim, std::move(request));
  };
  Result<http::StackText> stack = http::stack_of(vector.stack, answers);
  if (!stack) return stack.error().message();
  Result<std::vector<Outcome>> outcomes = sim.run(make_calls(stack->service, vector.request, sim));
  if (!outcomes) return outcomes.error().message();
  return compare_all(vector.expected, peers.seen(), *outcomes);
}

}  // namespace

std::vector<Vector> read_vectors(std::string_view text) {
  std::vector<Vector> vectors;
  std::string section;
  std::string stack;
  std::string not_on_wasm;
  std::vector<std::string> requests;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = without_white_space(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with("# ") || line.starts_with('>') || line == "#") continue;
    if (line.starts_with("## ")) {
      section = std::string(line.substr(3, line.find(' ', 3) - 3));
      not_on_wasm.clear();
    } else if (line.starts_with("stack:")) {
      stack = std::string(without_white_space(line.substr(6)));
    } else if (line.starts_with("not on wasm:")) {
      not_on_wasm = std::string(without_white_space(line.substr(12)));
    } else if (line.starts_with("requests:")) {
      requests = split(line.substr(9), ';');
    } else {
      const std::vector<std::string> cells = split(line, '|');
      ESC_CHECK(cells.size() == 3 + requests.size(), "a row has a cell for each request");
      for (std::size_t i = 0; i < requests.size(); ++i) {
        if (cells[3 + i] == "-") continue;
        vectors.push_back(Vector{section + ' ' + cells[0] + " (" + cells[1] + "), " + requests[i], stack,
                                 requests[i], cells[2], cells[3 + i], not_on_wasm});
      }
    }
  }
  return vectors;
}

std::string play(const Vector& vector) {
  const std::size_t comma = vector.stack.rfind(',');
  const std::string_view stack = vector.stack;
  std::string_view settings = comma == stack.npos ? stack : stack.substr(comma + 1);
  const std::string_view layers = comma == stack.npos ? std::string_view() : stack.substr(0, comma);
  const std::string innermost = word(settings);
  if (innermost == "client") return play_client(vector, layers, settings);
  if (innermost == "server") return play_server(vector, settings);
  if (innermost == "addresses") return play_addresses(vector, settings);
  return play_layers(vector);
}

}  // namespace escapement::test
