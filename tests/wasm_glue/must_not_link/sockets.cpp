// Sockets: the host's fetch() is all there is.

#include <escapement/io/native/tcp.h>
#include <escapement/wasm_glue/runtime.h>

escapement::Task<std::string> go(escapement::FdBackend& backend, std::string host) {
  escapement::Reactor& reactor = co_await escapement::this_reactor;
  escapement::TcpNetwork network(backend, reactor);
  std::unique_ptr<escapement::Stream> stream = co_await network.connect(host, 80);
  co_return stream->peer();
}

escapement::FdBackend* none = nullptr;
escapement::Task<std::string> connect(std::string host) { return go(*none, std::move(host)); }

ESC_TASK(connect)
