#include "tools/serve/listeners.h"

#include <cstdio>

#include <escapement/io/address.h>
#include <escapement/io/native/activation.h>
#include <escapement/io/native/unix.h>

namespace escapement {

namespace {

// Returns the address as the user wrote it, with the port that the first listener got.
std::string with_port(const std::string& address, std::uint16_t port) {
  const Result<HostAndPort> parsed = parse_host_and_port(address);
  std::string host = parsed ? parsed->host : "";
  if (host.find(':') != host.npos) host = '[' + host + ']';
  return host + ':' + std::to_string(port);
}

Result<Listeners> listen_at(LoopGroup& threads, const std::string& wanted) {
  Result<> free = threads.loop(0).network().check_free(wanted);
  if (!free) return std::move(free).error();
  Listeners listeners;
  std::string address = wanted;
  for (std::size_t index = 0; index < threads.size(); ++index) {
    Result<std::unique_ptr<Listener>> listener = threads.loop(index).network().listen(address);
    if (!listener) return std::move(listener).error();
    if (index == 0) listeners.address = (*listener)->address();
    address = with_port(wanted, (*listener)->port());
    listeners.each.push_back(*std::move(listener));
  }
  return listeners;
}

Result<std::unique_ptr<Listener>> unix_listener(FdBackend& backend, const ListenOptions& options) {
  UnixListenOptions unix_options;
  unix_options.mode = options.unix_mode;
  Result<std::unique_ptr<UnixListener>> made = listen_unix(backend, options.unix_path, unix_options);
  if (!made) return std::move(made).error();
  return std::unique_ptr<Listener>(*std::move(made));
}

Result<std::unique_ptr<Listener>> passed_one(FdBackend& backend) {
  Result<std::vector<PassedSocket>> passed = take_passed_sockets();
  if (!passed) return std::move(passed).error();
  if (passed->size() != 1) {
    return Error(Errc::invalid_argument,
                 "--systemd needs one socket; " + std::to_string(passed->size()) + " were passed");
  }
  return passed_listener(backend, std::move(passed->front()));
}

// Serves one thread, as the kernel would wake all of them for each connection.
Result<Listeners> listen_once(LoopGroup& threads, const ListenOptions& options) {
  if (threads.size() != 1) {
    return Error(Errc::invalid_argument,
                 "--unix and --systemd serve one thread, not " + std::to_string(threads.size()));
  }
  FdBackend& backend = threads.loop(0).backend();
  Result<std::unique_ptr<Listener>> one =
      options.activated ? passed_one(backend) : unix_listener(backend, options);
  if (!one) return std::move(one).error();
  Listeners listeners;
  listeners.address = (*one)->address();
  listeners.each.push_back(*std::move(one));
  return listeners;
}

}  // namespace

Result<Listeners> listen(LoopGroup& threads, const ListenOptions& options, bool log) {
  std::optional<ProxyProtocol> proxy;
  if (!options.proxies.empty()) {
    ProxyProtocolOptions proxy_options;
    proxy_options.trusted = options.proxies;
    if (log) {
      proxy_options.on_failure = [](const Error& error) {
        std::fprintf(stderr, "%s\n", to_string(error).c_str());
      };
    }
    Result<ProxyProtocol> made = ProxyProtocol::make(std::move(proxy_options));
    if (!made) return std::move(made).error();
    proxy = *std::move(made);
  }
  Result<Listeners> listeners = options.unix_path.empty() && !options.activated
                                    ? listen_at(threads, options.address)
                                    : listen_once(threads, options);
  if (!listeners || !proxy) return listeners;
  for (std::unique_ptr<Listener>& each : listeners->each) each = proxy->wrap(std::move(each));
  return listeners;
}

}  // namespace escapement
