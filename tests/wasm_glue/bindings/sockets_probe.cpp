// TCP sockets of a Worker: our HTTP client, TLS by the host, plain connections.

#include <escapement/core/detail/number.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/wasm_glue/durable_object.h>
#include <escapement/wasm_glue/host_network.h>
#include <escapement/wasm_glue/runtime.h>

#include "support/client_contract.h"

using namespace escapement;

namespace {

Task<std::string> client(std::string origin) {
  wasm::HostNetwork network;
  co_return co_await test::client_contract(network, std::move(origin), network.encrypt());
}

// "ECHO CLOSED", two ports.
Task<std::string> connections(std::string ports) {
  wasm::HostNetwork network;
  const std::size_t space = ports.find(' ');
  const std::uint16_t echo =
      parse_number<std::uint16_t>(std::string_view(ports).substr(0, space)).value_or(0);
  const std::uint16_t closed =
      parse_number<std::uint16_t>(std::string_view(ports).substr(space + 1)).value_or(0);
  co_return co_await test::connection_contract(network, "127.0.0.1", echo, closed);
}

// "HOST PORT".
Task<std::string> starttls(std::string at) {
  wasm::HostNetworkOptions options;
  options.read_ahead = false;
  wasm::HostNetwork network(options);
  const std::size_t space = at.find(' ');
  const std::uint16_t port = parse_number<std::uint16_t>(std::string_view(at).substr(space + 1)).value_or(0);
  std::string wrong = co_await test::starttls_contract(network, network.encrypt(), at.substr(0, space), port);
  if (!wrong.empty()) co_return std::move(wrong);
  wasm::HostNetwork ahead;  // whose streams are being read, once they were
  std::unique_ptr<Stream> stream = co_await ahead.connect(at.substr(0, space), port);
  std::array<std::byte, 100> room{};
  const std::size_t count = co_await stream->read(room);
  if (count != 10) co_return std::string("another greeting");
  const http::Encrypt encrypt = ahead.encrypt();
  Result<std::unique_ptr<Stream>> refused = co_await encrypt(std::move(stream), "localhost").result();
  co_return refused ? "encrypted" : std::string(name(refused.error().code()));
}

// Requests `url`, and yields the failure.
Task<std::string> refused(std::string url) {
  wasm::HostNetwork network;
  http::Client client(network, http::ClientOptions{.encrypt = network.encrypt()});
  Result<http::Response> response = co_await client(http::get(url)).result();
  co_return response ? "answered" : std::string(name(response.error().code()));
}

// Yields the failures of all that HostNetwork refuses by itself.
Task<std::string> unsupported(std::string) {
  wasm::HostNetwork network;
  std::string text = to_string(network.listen(":80").error());
  const http::Encrypt encrypt = network.encrypt();
  PipeEnds ends = pipe();
  Result<std::unique_ptr<Stream>> foreign = co_await encrypt(std::move(ends.first), "host").result();
  co_return text + ";" + to_string(foreign.error());
}

// A Durable Object that keeps connections open between its requests: /open?port=N opens one more, /say sends
// a line on each and yields the lines that come back, /trap traps.
class Holder final : public DurableObject {
 public:
  Holder(Reactor&, DurableStorage&) {}
  Task<http::Response> fetch(http::Request request) override {
    const std::string path = request.url.path();
    if (path == "/trap") __builtin_trap();
    if (path == "/open") {
      const auto port = parse_number<std::uint16_t>(request.url.query_parameter("port")).value_or(0);
      std::unique_ptr<Stream> stream = co_await network_.connect("127.0.0.1", port);
      streams_.push_back(std::move(stream));
      co_return http::Response(200, std::to_string(streams_.size()));
    }
    std::string text;
    for (const std::unique_ptr<Stream>& stream : streams_) {
      co_await test::write_text(*stream, "line\n");
      std::string line = co_await test::read_line(*stream);
      text += line + ' ';
    }
    co_return http::Response(200, std::move(text));
  }

 private:
  wasm::HostNetwork network_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace

ESC_DURABLE_OBJECT(Holder)
ESC_TASK(client)
ESC_TASK(connections)
ESC_TASK(starttls)
ESC_TASK(refused)
ESC_TASK(unsupported)
