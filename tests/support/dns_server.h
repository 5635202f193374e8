// A DNS server of the test's own on loopback, over UDP and TCP, on the reactor under test. What it answers is
// scripted by name; nothing leaves the machine.

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/posix.h>
#include <escapement/timers/sleep.h>

namespace escapement::test {

enum class DnsType : std::uint16_t { a = 1, aaaa = 28 };

struct DnsQuestion {
  std::uint16_t id = 0;
  std::string name;
  DnsType type = DnsType::a;
  bool over_tcp = false;
  std::string bytes;  // the question section as it came
};

// One answer to one question: a list of messages to send, each after its delay. None: silence.
struct DnsMessage {
  DnsMessage(std::string b, Duration d = Duration()) : bytes(std::move(b)), delay(d) {}
  std::string bytes;
  Duration delay;
};
using DnsScript = std::function<std::vector<DnsMessage>(const DnsQuestion&)>;

inline void append_u16(std::string& to, unsigned value) {
  to += static_cast<char>(value >> 8 & 0xff);
  to += static_cast<char>(value & 0xff);
}

// A DNS message with `code` (0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED) and addresses of the asked type.
inline std::string dns_answer(const DnsQuestion& question, int code,
                              const std::vector<std::string>& addresses, bool truncated = false) {
  std::string message;
  append_u16(message, question.id);
  append_u16(message, 0x8180u | static_cast<unsigned>(code) | (truncated ? 0x0200u : 0u));
  append_u16(message, 1);
  append_u16(message, static_cast<unsigned>(addresses.size()));
  append_u16(message, 0);
  append_u16(message, 0);
  message += question.bytes;
  const bool v6 = question.type == DnsType::aaaa;
  for (const std::string& address : addresses) {
    char raw[16];
    ::inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), raw);
    append_u16(message, 0xc00c);  // the name that was asked for
    append_u16(message, static_cast<unsigned>(question.type));
    append_u16(message, 1);
    append_u16(message, 0);
    append_u16(message, 60);  // seconds to keep it
    append_u16(message, v6 ? 16 : 4);
    message.append(raw, v6 ? 16 : 4);
  }
  return message;
}
// The same with one address, or none.
inline std::string dns_answer(const DnsQuestion& question, int code, const std::string& address = "",
                              bool truncated = false) {
  std::vector<std::string> addresses;
  if (!address.empty()) addresses.push_back(address);
  return dns_answer(question, code, addresses, truncated);
}

// The answer that there is nothing, with the zone's SOA record in its authority section: RFC 2308.
inline std::string dns_nothing(const DnsQuestion& question, int code, unsigned ttl, unsigned minimum) {
  std::string message = dns_answer(question, code);
  message[9] = 1;  // one record of authority
  append_u16(message, 0xc00c);
  append_u16(message, 6);
  append_u16(message, 1);
  append_u16(message, ttl >> 16);
  append_u16(message, ttl & 0xffff);
  append_u16(message, 2 + 4 + 5 * 4);
  append_u16(message, 0xc00c);
  message += std::string("\1r\xc0\x0c", 4);
  message += std::string(16, '\0');
  append_u16(message, minimum >> 16);
  append_u16(message, minimum & 0xffff);
  return message;
}

class DnsServer {
 public:
  DnsServer(Loop& loop, DnsScript script) : loop_(loop), script_(std::move(script)), scope_(loop.reactor()) {
    std::unique_ptr<Listener> listener = listen();
    watch_.fd = udp_.get();
    ESC_CHECK(static_cast<bool>(loop_.backend().watch(watch_)));
    scope_.spawn(serve_udp());
    scope_.spawn(serve_tcp(std::move(listener)));
  }
  ~DnsServer() {
    scope_.cancel();
    loop_.backend().unwatch(watch_);
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::vector<DnsQuestion> questions;

 private:
  // A port that is free for TCP, of which others use many, and for UDP.
  std::unique_ptr<Listener> listen() {
    for (int tries = 0; tries < 100; ++tries) {
      std::unique_ptr<Listener> listener = *loop_.network().listen("127.0.0.1:0");
      port_ = listener->port();
      udp_ = posix::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(port_);
      if (::bind(udp_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return listener;
    }
    ESC_CHECK(false);
    return nullptr;
  }

  static DnsQuestion parse(std::string_view message, bool over_tcp) {
    DnsQuestion question;
    question.over_tcp = over_tcp;
    if (message.size() < 17) return question;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(message[at]); };
    question.id = static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
    std::size_t at = 12;
    while (at < message.size() && byte(at) != 0) {
      if (!question.name.empty()) question.name += '.';
      question.name += message.substr(at + 1, byte(at));
      at += byte(at) + 1u;
    }
    question.type = static_cast<DnsType>(byte(at + 1) << 8 | byte(at + 2));
    question.bytes = message.substr(12, at + 5 - 12);
    return question;
  }

  Task<> send_later(DnsMessage message, sockaddr_in to) {
    if (message.delay > Duration()) co_await sleep(message.delay);
    ::sendto(udp_.get(), message.bytes.data(), message.bytes.size(), 0, reinterpret_cast<sockaddr*>(&to),
             sizeof to);
  }

  Task<> serve_udp() {
    for (;;) {
      char room[2048];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t count =
          ::recvfrom(udp_.get(), room, sizeof room, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (count < 0) {
        co_await detail::until_readable(watch_);
        continue;
      }
      questions.push_back(parse(std::string_view(room, static_cast<std::size_t>(count)), false));
      for (DnsMessage& message : script_(questions.back()))
        scope_.spawn(send_later(std::move(message), from));
    }
  }

  Task<> serve_tcp(std::unique_ptr<Listener> listener) {
    for (;;) {
      std::unique_ptr<Stream> stream = co_await listener->accept();
      scope_.spawn(answer_tcp(std::move(stream)));
    }
  }

  // Messages with two bytes of length before each.
  Task<> answer_tcp(std::unique_ptr<Stream> stream) {
    std::string got;
    std::vector<std::byte> room(2048);
    for (;;) {
      Result<std::size_t> count = co_await stream->read(room).result();
      if (!count || *count == 0) co_return;
      got += as_text(Bytes(room).first(*count));
      while (got.size() >= 2) {
        const std::size_t length =
            static_cast<unsigned char>(got[0]) * 256u + static_cast<unsigned char>(got[1]);
        if (got.size() < 2 + length) break;
        questions.push_back(parse(std::string_view(got).substr(2, length), true));
        got.erase(0, 2 + length);
        for (const DnsMessage& message : script_(questions.back())) {
          std::string framed;
          append_u16(framed, static_cast<unsigned>(message.bytes.size()));
          framed += message.bytes;
          Result<> sent = co_await stream->write(as_bytes(framed)).result();
          if (!sent) co_return;
        }
      }
    }
  }

  Loop& loop_;
  DnsScript script_;
  Scope scope_;
  posix::Fd udp_;
  FdWatch watch_;
  std::uint16_t port_ = 0;
};

}  // namespace escapement::test
