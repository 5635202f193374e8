// Where esc-serve listens: an address, a Unix socket, or a socket that systemd passed.

#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <escapement/io/native/loop_group.h>
#include <escapement/io/proxy_protocol.h>

namespace escapement {

struct ListenOptions {
  std::string address;    // HOST:PORT
  std::string unix_path;  // if not empty, instead
  mode_t unix_mode = 0600;
  bool activated = false;            // if true, instead: the socket that was passed
  std::vector<std::string> proxies;  // that are trusted to say who their clients are; empty: there are none
};

struct Listeners {
  std::vector<std::unique_ptr<Listener>> each;  // one for each thread
  std::string address;                          // as text: "127.0.0.1:8080", "unix:/run/app.sock"
};

// Listens for each thread of `threads`. Unix and passed sockets serve one thread only. `log` makes failures
// of PROXY headers appear on standard error.
Result<Listeners> listen(LoopGroup& threads, const ListenOptions& options, bool log);

}  // namespace escapement
