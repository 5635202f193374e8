// The alerts for a client whose handshake cannot go on: hellos made byte by byte.

#include <catch2/catch_test_macros.hpp>

#include <cstdint>

#include <escapement/core/scope.h>
#include <escapement/io/sim/sim.h>

#include "support/read_and_write.h"
#include "support/tls_streams.h"

using namespace escapement;
using namespace escapement::test;

namespace {

constexpr std::uint16_t p256 = 0x17, x25519 = 0x1d, x448 = 0x1e;
constexpr int handshake_failure = 40, illegal_parameter = 47, record_overflow = 22, unexpected_message = 10;

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

// Behind its length, in so many bytes.
std::string sized(const std::string& content, int bytes) { return number(content.size(), bytes) + content; }

std::string extension(std::uint16_t type, const std::string& content) {
  return number(type, 2) + sized(content, 2);
}

std::string record(char type, const std::string& content) {
  return type + number(0x0301, 2) + sized(content, 2);
}

// A ClientHello of TLS 1.3 that knows one group, and what it sends of it.
std::string hello(std::uint16_t group, const std::string& share, std::size_t padding = 0) {
  const std::string versions = extension(43, sized(number(0x0304, 2), 1));
  const std::string groups = extension(10, sized(number(group, 2), 2));
  const std::string signatures = extension(13, sized(number(0x0403, 2) + number(0x0804, 2), 2));
  const std::string shares = extension(51, sized(number(group, 2) + sized(share, 2), 2));
  const std::string padded = padding == 0 ? "" : extension(21, std::string(padding, '\0'));
  const std::string random(32, 'r');
  const std::string body = number(0x0303, 2) + random + sized(random, 1) + sized(number(0x1301, 2), 2) +
                           sized(std::string(1, '\0'), 1) +
                           sized(versions + groups + signatures + shares + padded, 2);
  return '\x01' + sized(body, 3);
}

// Returns the bytes that come back; stores the server's failure.
Task<std::string> answer_to(std::string bytes, std::string& failure) {
  PipeEnds plain = pipe();
  TlsServer server = make_server(serving("a"));
  Scope scope(co_await this_reactor);
  JoinHandle<std::unique_ptr<TlsStream>> accepting =
      scope.spawn_joinable(server.accept(std::move(plain.second)));
  Result<> sent = co_await plain.first->write(as_bytes(bytes)).result();
  Result<std::unique_ptr<TlsStream>> accepted = co_await std::move(accepting).join().result();
  failure = accepted ? std::string("accepted") : to_string(accepted.error());
  accepted = Error(Errc::internal);
  co_return co_await read_all(*plain.first);
}

// The number of the alert that comes back at last, perhaps after a ServerHello; -1 where there is none.
int alert_to(const std::string& bytes) {
  std::string failure;
  Sim sim;
  Result<std::string> got = sim.run(answer_to(bytes, failure));
  INFO(failure);
  REQUIRE(got);
  CHECK(failure.starts_with("bad_message: TLS handshake with pipe: "));
  constexpr std::size_t size = 7;
  if (got->size() < size) return -1;
  const std::string last = got->substr(got->size() - size);
  if (!last.starts_with(record(21, "").substr(0, 1)) || last[5] != 2) return -1;
  return static_cast<unsigned char>(last[6]);
}

}  // namespace

TEST_CASE("TLS: a handshake that fails ends with an alert that says why") {
  CHECK(alert_to(record(22, hello(x448, std::string(56, 'k')))) == handshake_failure);
  CHECK(alert_to(record(22, hello(x25519, std::string(31, 'k')))) == illegal_parameter);
  CHECK(alert_to(record(22, hello(x25519, std::string(33, 'k')))) == illegal_parameter);
  CHECK(alert_to(record(22, hello(x25519, std::string(32, '\0')))) == illegal_parameter);
  CHECK(alert_to(record(22, hello(p256, '\x04' + std::string(64, 'k')))) == illegal_parameter);
  CHECK(alert_to(record(22, hello(p256, '\x04' + std::string(63, 'k')))) == illegal_parameter);
  CHECK(alert_to(record(22, hello(p256, std::string(65, '\0')))) == illegal_parameter);
  CHECK(alert_to(record(23, "data")) == unexpected_message);
}

TEST_CASE("TLS: a record or a hello that is too long is answered with an alert") {
  for (const std::size_t length : {0x4801U, 0xffffU}) {
    CHECK(alert_to('\x16' + number(0x0303, 2) + number(length, 2) + std::string(100, 'x')) ==
          record_overflow);
  }
  // mbedTLS keeps a message in the buffer of one record.
  const std::string large = hello(x25519, std::string(32, 'k'), 20'000);
  CHECK(alert_to(record(22, large.substr(0, 16'000)) + record(22, large.substr(16'000))) ==
        illegal_parameter);
}
