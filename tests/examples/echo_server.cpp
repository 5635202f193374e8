// The echo service on sockets:  echo_server HOST:PORT

#include <cstdio>

#include <escapement/io/http/server.h>
#include <escapement/io/native/loop.h>

#include "echo_service.h"

using namespace escapement;

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: echo_server HOST:PORT\n");
    return 2;
  }
  Loop loop;
  http::Server server(demo::echo_service);
  Result<std::unique_ptr<Listener>> listener = loop.network().listen(arguments[1]);
  if (!listener) {
    std::fprintf(stderr, "echo_server: %s\n", listener.error().message().c_str());
    return 1;
  }
  std::printf("listening on http://%s\n", (*listener)->address().c_str());
  std::fflush(stdout);
  return loop.run(server.serve(*std::move(listener))) ? 0 : 1;
}
