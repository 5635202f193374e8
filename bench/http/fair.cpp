// A server with something that could keep its other clients waiting, for tools/bench_http --fair. GET / is
// answered at once. `bench_fair yield`: beside a task that computes for a millisecond and yields, again and
// again. `bench_fair gzip FOLDER`: the files of a folder are compressed for clients that accept that.
// `bench_fair tls CERTIFICATE KEY`: a second port, on the second line, answers over TLS with 512 MiB.

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/io/http/server.h>
#include <escapement/io/tls/tls.h>
#include <escapement/middleware/files/static_files.h>
#include <escapement/middleware/server/compress.h>

#include "stop.h"

using namespace escapement;

namespace {

// Not in the coroutine: g++ 12 has no place in its frame for an initialiser list.
http::Response answer() {
  return http::Response(200, http::Headers{{"Content-Type", "text/plain"}}, "Hello, World!");
}

Task<http::Response> hello(http::Request) { co_return answer(); }

class ManyBytes final : public http::BodySource {
 public:
  Task<std::string> read() override {
    std::string piece(std::min<std::uint64_t>(left_, 16 * KiB), 'x');
    left_ -= piece.size();
    co_return std::move(piece);
  }
  std::optional<std::uint64_t> length() const override { return size; }

 private:
  static constexpr std::uint64_t size = 512 * MiB;
  std::uint64_t left_ = size;
};

Task<http::Response> many_bytes(http::Request) {
  co_return http::Response(200, http::Body(std::make_unique<ManyBytes>()));
}

Result<http::Service> gzip_files(const char* folder) {
  Result<http::StaticFiles> files = http::StaticFiles::make(folder);
  if (!files) return std::move(files).error();
  http::Service all = [files = *std::move(files)](http::Request request) -> Task<http::Response> {
    return request.url.path() == "/" ? hello(std::move(request)) : files(std::move(request));
  };
  return http::layered(http::Compress{}, std::move(all));
}

Result<TlsServer> make_tls(const char* certificate_file, const char* key_file) {
  Result<TlsIdentity> identity = TlsIdentity::read(certificate_file, key_file);
  if (!identity) return std::move(identity).error();
  TlsServerOptions options;
  options.identities.push_back(*std::move(identity));
  return TlsServer::make(std::move(options));
}

Task<> compute_and_yield() {
  Reactor& reactor = co_await this_reactor;
  for (;;) {
    const Instant until = reactor.precise_now() + 1ms;
    while (reactor.precise_now() < until) {
    }
    co_await yield();
  }
}

Task<> serve(Network& network, http::Service service, std::optional<TlsServer> tls) {
  http::Server plain(std::move(service));
  http::Server encrypted(many_bytes);
  std::unique_ptr<Listener> listener = co_await network.listen("127.0.0.1:0");
  std::unique_ptr<Listener> tls_listener = co_await network.listen("127.0.0.1:0");
  if (tls) tls_listener = tls->wrap(std::move(tls_listener));
  std::printf("%u\n%u\n", listener->port(), tls_listener->port());
  std::fflush(stdout);
  Task<> first = plain.serve(std::move(listener));
  Task<> second = encrypted.serve(std::move(tls_listener));
  co_await race(std::move(first), std::move(second));
}

int run(http::Service service, std::optional<TlsServer> tls, bool computes) {
  Loop loop;
  Task<> task = serve(loop.network(), std::move(service), std::move(tls));
  if (computes) task = race(std::move(task), compute_and_yield());
  return bench::run_until_sigterm(loop, std::move(task));
}

int failed(const Error& error) {
  std::fprintf(stderr, "bench_fair: %s\n", to_string(error).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (argc == 2 && name == "yield") return run(hello, std::nullopt, true);
  if (argc == 3 && name == "gzip") {
    Result<http::Service> service = gzip_files(argv[2]);
    return service ? run(*std::move(service), std::nullopt, false) : failed(service.error());
  }
  if (argc == 4 && name == "tls") {
    Result<TlsServer> tls = make_tls(argv[2], argv[3]);
    return tls ? run(hello, *std::move(tls), false) : failed(tls.error());
  }
  std::fprintf(stderr, "usage: bench_fair yield | gzip FOLDER | tls CERTIFICATE KEY\n");
  return 2;
}
