// Connections whose TLS has agreed on a protocol that is not spoken here end with an error that says so, and
// nothing is said over them.

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/pipe.h>
#include <escapement/io/sim/sim.h>

#include "support/answers.h"
#include "support/raw_http.h"

using namespace escapement;

namespace {

// A stream that seems to be encrypted, and to have agreed on something.
class Agreed final : public Stream {
 public:
  Agreed(std::unique_ptr<Stream> inner, std::string protocol)
      : inner_(std::move(inner)), protocol_(std::move(protocol)) {}
  std::optional<std::size_t> read_now(MutableBytes into) override { return inner_->read_now(into); }
  Task<std::size_t> read_task(MutableBytes into) override { return inner_->read_task(into); }
  Task<> write_task(Bytes bytes) override { return inner_->write_task(bytes); }
  Task<> shutdown_write() override { return inner_->shutdown_write(); }
  bool readable_or_closed() override { return inner_->readable_or_closed(); }
  void reset_on_close() override { inner_->reset_on_close(); }
  bool encrypted() const override { return true; }
  bool serves(std::string_view) const override { return true; }
  std::string_view agreed_protocol() const override { return protocol_; }
  std::string peer() const override { return "peer"; }

 private:
  std::unique_ptr<Stream> inner_;
  std::string protocol_;
};

struct Row {
  const char* protocol;
  bool spoken;
};

}  // namespace

TEST_CASE("agreed protocol: a client sends nothing over what it does not speak") {
  const Row row = GENERATE(Row{"", true}, Row{"http/1.1", true}, Row{"http/1.0", true}, Row{"h2", false},
                           Row{"HTTP/1.1", false}, Row{"http/1.1 ", false});
  CAPTURE(row.protocol);
  Sim sim;
  http::ClientOptions options;
  options.encrypt = [&row](std::unique_ptr<Stream> stream, std::string) -> Task<std::unique_ptr<Stream>> {
    co_return std::make_unique<Agreed>(std::move(stream), row.protocol);
  };
  http::Client client(sim.network(), std::move(options));
  std::string seen;
  auto answer = [](Sim& sim, std::string& seen) -> Task<> {
    std::unique_ptr<Listener> listener = co_await sim.network().listen("s:443");
    std::unique_ptr<Stream> stream = co_await listener->accept();
    std::vector<std::byte> room(4096);
    Result<std::size_t> count = co_await stream->read(room).result();
    if (!count) co_return;
    seen = as_text(Bytes(room).first(*count));
    Result<> sent =
        co_await stream->write(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).result();
    (void)sent;
    co_await sleep(Duration::max());  // a connection that its server has closed is not kept
  };
  Scope scope(sim.reactor(), [](Error) {});
  scope.spawn(answer(sim, seen));
  sim.settle();
  const test::Answer got = *sim.run(test::ask(client, http::get("https://s/")));
  CHECK(seen.empty() != row.spoken);
  CHECK(client.connections_made() == (row.spoken ? 1 : 0));
  CHECK(client.idle_connections() == (row.spoken ? 1 : 0));
  if (row.spoken) {
    CHECK(got.body == "ok");
  } else {
    CHECK(got.error == "unsupported: TLS has agreed on \"" + std::string(row.protocol) +
                           "\", which this client does not speak");
  }
}

TEST_CASE("agreed protocol: a server says nothing over what it does not speak") {
  const Row row = GENERATE(Row{"", true}, Row{"http/1.1", true}, Row{"http/1.0", true}, Row{"h2", false},
                           Row{"x", false});
  const bool late = GENERATE(false, true);  // the first bytes come when it is waited for them
  CAPTURE(row.protocol, late);
  Sim sim;
  int requests = 0;
  http::Server server([&requests](http::Request) -> Task<http::Response> {
    ++requests;
    co_return http::Response(200, "x");
  });
  std::string failures;
  server.on_failure = [&failures](const Error& error) { failures += to_string(error) + "; "; };
  int refused = 0;
  server.on_refused = [&refused](const http::Refusal&) { ++refused; };
  Scope scope(sim.reactor());
  PipeEnds ends = pipe();
  const auto send = [&] {
    // The preface of HTTP/2 (RFC 9113 section 3.4), or a request.
    const std::string_view bytes = row.spoken
                                       ? "GET / HTTP/1.1\r\nHost: s\r\n\r\nGET / HTTP/1.1\r\nHost: s\r\n\r\n"
                                       : "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    REQUIRE(sim.run(ends.first->write(as_bytes(bytes))));
  };
  if (!late) send();
  scope.spawn(server.serve_connection(std::make_unique<Agreed>(std::move(ends.second), row.protocol)));
  sim.advance(1s);
  if (late) send();
  const std::string got = test::read_for(sim, *ends.first, 1s);
  CHECK(test::statuses(got) == (row.spoken ? "200 200 " : ""));
  CHECK(requests == (row.spoken ? 2 : 0));
  CHECK(refused == 0);
  CHECK(server.statistics().open == (row.spoken ? 1 : 0));
  CHECK(failures == (row.spoken ? ""
                                : "unsupported: TLS with peer has agreed on \"" + std::string(row.protocol) +
                                      "\", which this server does not speak; "));
  if (!row.spoken) CHECK(got == " reset");
}
