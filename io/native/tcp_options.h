// Options of TCP sockets: keep-alive, buffers, a local address.
//
//     LoopOptions options;
//     options.tcp.socket.keep_alive.emplace();                            // a dead peer is noticed in 2
//     minutes options.tcp.socket.system.push_back(tcp_user_timeout(30s));         // tcp_linux.h
//     Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
//
// They apply to every connection and listener that a TcpNetwork makes; accepted connections inherit them from
// their listener. An option that the system refuses fails `connect` or `listen`, which name it.
//
// Source: tcp(7), socket(7), RFC 9293 section 3.8.4, RFC 5482.

#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/time.h>

namespace escapement {

// Probes that the kernel sends on a connection on which nothing arrives. A peer that answers none of them is
// lost: reading and writing fail with reset. By default 60 s + 6 × 10 s, two minutes, after it fell silent.
// Lengths are rounded up to whole seconds, from 1 to 32,767; probes are from 1 to 127.
struct TcpKeepAlive {
  Duration idle = 60s;      // from the last byte to the first probe
  Duration interval = 10s;  // between two probes
  int probes = 6;           // without an answer
};

// An option that only some systems have. Functions that make them are in headers of those systems, such as
// tcp_linux.h; elsewhere a program that uses one does not compile.
struct SystemSocketOption {
  SystemSocketOption(std::string t, int l, int n, int v, bool listening)
      : text(std::move(t)), level(l), name(n), value(v), listeners_only(listening) {}
  std::string text;     // for error messages
  int level;            // of setsockopt(2)
  int name;             // of setsockopt(2)
  int value;            // of setsockopt(2)
  bool listeners_only;  // not set on connections
};

// Options of the sockets of connections and listeners.
struct TcpSocketOptions {
  // Sends small writes at once (TCP_NODELAY) instead of collecting them until the last one was acknowledged.
  bool no_delay = true;
  // Without keep-alive, a peer that vanishes while this side only reads is never noticed: the protocol above
  // needs a time limit, as HTTP's here have. What is written and not acknowledged times out in any case,
  // after some 15 minutes (tcp_retries2), or as tcp_user_timeout says.
  std::optional<TcpKeepAlive> keep_alive;
  // The kernel's buffers, in bytes; 0: it sizes them itself, up to some MiB, which is nearly always better.
  // It caps larger ones silently (net.core.rmem_max, wmem_max).
  int receive_buffer = 0;
  int send_buffer = 0;
  // The address that connections come from, "192.0.2.1" or "2001:db8::1"; empty: the one of the route. Only
  // peers of its family can be reached.
  std::string local_address;
  // Makes `listen` at ":PORT" mean every IPv6 address alone, not the IPv4 ones as well.
  bool only_v6 = false;
  // Further options, set in this order.
  std::vector<SystemSocketOption> system;

  // Returns whether a socket needs more than no_delay.
  bool tuned() const {
    return keep_alive || receive_buffer != 0 || send_buffer != 0 || !local_address.empty() || !system.empty();
  }
};

}  // namespace escapement
