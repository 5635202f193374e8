// An HTTP server as a user of the library writes one: the whole http::Server with its limits and timers as
// they are by default, and a coroutine for a Service. `bench_hello async` awaits something before it answers.
// `bench_hello attack SECONDS` is for bench_attack: it reads bodies, has more to say than anybody will read,
// and its limits in time are that short, where by default they are 10 to 75 s. `bench_hello tls CERTIFICATE
// KEY` is the plain one over TLS, and `bench_hello tls-big CERTIFICATE KEY` responds with 64 MiB.

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/io/http/server.h>
#include <escapement/io/tls/tls.h>

#include "stop.h"

using namespace escapement;

namespace {

// Not in the coroutine: g++ 12 has no place in its frame for an initialiser list.
http::Response answer() {
  return http::Response(200, http::Headers{{"Content-Type", "text/plain"}}, "Hello, World!");
}

Task<http::Response> hello(http::Request) { co_return answer(); }

Task<http::Response> hello_later(http::Request) {
  co_await yield();
  co_return answer();
}

// More than all buffers on the way hold.
class ManyBytes final : public http::BodySource {
 public:
  Task<std::string> read() override {
    std::string piece(left_ == 0 ? 0 : 16 * KiB, 'x');
    left_ -= piece.size();
    co_return std::move(piece);
  }
  std::optional<std::uint64_t> length() const override { return 64 * MiB; }

 private:
  std::size_t left_ = 64 * MiB;
};

Task<http::Response> many_bytes(http::Request) {
  co_return http::Response(200, http::Body(std::make_unique<ManyBytes>()));
}

Task<http::Response> hello_attackers(http::Request request) {
  if (request.url.path() == "/big") co_return http::Response(200, http::Body(std::make_unique<ManyBytes>()));
  if (request.method == "POST") {
    std::string all = co_await request.body.text(1 * MiB);
    (void)all;
  }
  co_return answer();
}

struct Mode {
  http::Service service = hello;
  Duration limit;  // zero: as by default
  std::string certificate_file;
  std::string key_file;
};

std::optional<Mode> mode_of(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  const int seconds = argc == 3 ? std::atoi(argv[2]) : 0;
  if (argc == 1) return Mode();
  if (argc == 2 && name == "async") return Mode{hello_later, {}, {}, {}};
  if (argc == 3 && name == "attack" && seconds > 0)
    return Mode{hello_attackers, Duration(1s) * seconds, {}, {}};
  if (argc == 4 && name == "tls") return Mode{hello, {}, argv[2], argv[3]};
  if (argc == 4 && name == "tls-big") return Mode{many_bytes, {}, argv[2], argv[3]};
  return std::nullopt;
}

// Not in the coroutine either.
Result<TlsServer> make_tls(const Mode& mode) {
  Result<TlsIdentity> identity = TlsIdentity::read(mode.certificate_file, mode.key_file);
  if (!identity) return std::move(identity).error();
  TlsServerOptions options;
  options.identities.push_back(*std::move(identity));
  return TlsServer::make(std::move(options));
}

Task<> serve(http::Server& server, Network& network, const Mode& mode) {
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  if (!mode.certificate_file.empty()) {
    TlsServer tls = co_await make_tls(mode);
    listener = tls.wrap(std::move(listener));
  }
  std::printf("%u\n", listener->port());
  std::fflush(stdout);
  co_await server.serve(std::move(listener));
}

}  // namespace

int main(int argc, char** argv) {
  const std::optional<Mode> mode = mode_of(argc, argv);
  if (!mode) {
    std::fprintf(stderr, "usage: bench_hello [async | attack SECONDS | tls|tls-big CERTIFICATE KEY]\n");
    return 2;
  }
  Loop loop;
  http::ServerOptions options;
  options.connections_max = 100'000;
  options.connections_per_peer_max = 100'000;  // the load has one address
  if (mode->limit != Duration()) {
    options.head_timeout = options.idle_timeout = options.handler_timeout = mode->limit;
    options.body_idle = options.write_stall = mode->limit;
  }
  http::Server server(mode->service, options);
  return bench::run_until_sigterm(loop, serve(server, loop.network(), *mode));
}
