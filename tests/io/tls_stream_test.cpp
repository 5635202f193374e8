// The Stream contract over TLS: over pipes that yield a few bytes at a time, a ragged network, and sockets.

#include <catch2/catch_test_macros.hpp>

#include "support/socket_streams.h"
#include "support/stream_contract.h"
#include "support/tls_streams.h"
#include "support/upgrades.h"

using namespace escapement;

namespace {

std::vector<test::StreamKind> over_pipes(TlsVersion version) {
  std::vector<test::StreamKind> kinds;
  // A record's head is 5 bytes: it comes byte by byte, in two halves, whole, and with what follows.
  for (const std::size_t size : {1, 3, 5, 6, 31}) {
    kinds.push_back(test::tls_over(
        test::pipe_streams("pipe, reads of " + std::to_string(size), {.read_max = size}), version));
  }
  kinds.push_back(test::tls_over(test::pipe_streams("pipe", {}), version));
  return kinds;
}

}  // namespace

TEST_CASE("TLS 1.3 over pipes keeps the Stream contract however little a read yields") {
  test::check_stream_contract(over_pipes(TlsVersion::tls13));
}

TEST_CASE("TLS 1.2 over pipes keeps the Stream contract however little a read yields") {
  test::check_stream_contract(over_pipes(TlsVersion::tls12));
}

TEST_CASE("TLS over networks keeps the Stream contract") {
  std::vector<test::StreamKind> kinds;
  const SimNetworkOptions ragged{.latency = 2ms, .jitter = 5ms, .buffer = 3000, .chunk_max = 64};
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    kinds.push_back(test::tls_over(test::sim_streams("sim, ragged", Seed{4}, ragged), version));
    kinds.push_back(test::tls_over(test::tcp_streams("epoll"), version));
    kinds.push_back(test::tls_over(test::tcp_streams("poll"), version));
  }
  test::check_stream_contract(kinds);
}

TEST_CASE("upgrade: what comes behind the head belongs to the new protocol, over TLS") {
  for (const TlsVersion version : {TlsVersion::tls12, TlsVersion::tls13}) {
    test::check_upgrades(over_pipes(version));
    std::vector<test::StreamKind> kinds;
    kinds.push_back(test::tls_over(test::tcp_streams("epoll"), version));
    kinds.push_back(test::tls_over(test::tcp_streams("poll"), version));
    test::check_upgrades(kinds);
  }
}
