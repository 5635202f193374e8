// A client and a server that speak TLS:  https URL  or  https CERTIFICATES KEY HOST:PORT

#include <cstdio>

#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/tls/tls.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

// [client]
Task<std::string> fetch(Network& network, std::string url) {
  TlsClient tls = co_await TlsClient::make();  // trusts what the system trusts, and always checks names
  http::ClientOptions options;
  options.encrypt = tls;
  http::Client client(network, options);
  http::Request request("GET", co_await http::Url::parse(url));
  http::Response response = co_await client(std::move(request));
  co_return co_await with_timeout(30s, response.body.text(1 * MiB));
}
// [client]

Task<http::Response> hello(http::Request request) {
  co_return http::Response(200, "hello over " + request.url.scheme() + "\n");
}

// [server]
Task<> serve(Network& network, std::string certificates, std::string key, std::string address) {
  TlsServerOptions options;
  TlsIdentity identity = co_await TlsIdentity::read(certificates, key);
  options.identities.push_back(std::move(identity));
  TlsServer tls = co_await TlsServer::make(std::move(options));
  std::unique_ptr<Listener> listener = co_await network.listen(address);
  http::Server server(hello);
  co_await server.serve(tls.wrap(std::move(listener)));
}
// [server]

int main(int count, char** arguments) {
  Loop loop;
  if (count == 4) {
    Result<> served = loop.run(serve(loop.network(), arguments[1], arguments[2], arguments[3]));
    std::fprintf(stderr, "https: %s\n", to_string(served.error()).c_str());
    return 1;
  }
  Result<std::string> body = loop.run(fetch(loop.network(), count == 2 ? arguments[1] : ""));
  std::fprintf(body ? stdout : stderr, "%s\n", body ? body->c_str() : to_string(body.error()).c_str());
  return body ? 0 : 1;
}
