// Server-sent events: the parser at every split of its input, and a source that reconnects.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/sim/sim.h>
#include <escapement/middleware/client/event_source.h>

using namespace escapement;
using http::ServerEvent;

namespace {

// A body of given pieces, then its end or a failure.
class Pieces final : public http::BodySource {
 public:
  explicit Pieces(std::vector<std::string> pieces, bool breaks = false)
      : pieces_(std::move(pieces)), breaks_(breaks) {}
  Task<std::string> read() override {
    if (at_ < pieces_.size()) co_return pieces_[at_++];
    if (breaks_) co_return Error(Errc::reset, "broken off");
    co_return std::string();
  }

 private:
  std::vector<std::string> pieces_;
  bool breaks_;
  std::size_t at_ = 0;
};

std::string described(const ServerEvent& event) {
  return event.event + '|' + event.id + '|' + event.data + '\n';
}

std::string events_of(std::vector<std::string> pieces, http::EventReaderOptions options = {}) {
  Sim sim;
  http::Body body(std::make_unique<Pieces>(std::move(pieces)));
  http::EventReader reader(body, options);
  std::string all;
  for (;;) {
    Result<std::optional<ServerEvent>> event = sim.run(reader.next());
    if (!event) return all + to_string(event.error());
    if (!*event) return all;
    all += described(**event);
  }
}

http::Response stream(std::vector<std::string> pieces, bool breaks = false) {
  http::Headers fields;
  fields.add("Content-Type", "text/event-stream; charset=utf-8");
  return http::Response(200, std::move(fields),
                        http::Body(std::make_unique<Pieces>(std::move(pieces), breaks)));
}

}  // namespace

TEST_CASE("EventReader: the same events however the bytes are cut") {
  const std::string text =
      "\xef\xbb\xbf: a comment\r\ndata: one\r\n\r\nevent: x\rdata:two\rdata: lines\r\rid: "
      "7\ndata\n\nnonsense: "
      "1\ndata:  spaced\n\n\nevent: no data\n\ndata: after\nid\n\nid: a\0b\ndata: z\n\nretry: 10x\ndata: not "
      "ended";
  const std::string expected = "||one\nx||two\nlines\n|7|\n|7| spaced\n||after\n";
  // A literal's text ends at its first zero byte.
  REQUIRE(text.ends_with("id: a"));
  CHECK(events_of({text}) == expected);
  for (std::size_t i = 1; i < text.size(); ++i)
    CHECK(events_of({text.substr(0, i), text.substr(i)}) == expected);
  std::vector<std::string> bytes;
  for (const char byte : text) bytes.emplace_back(1, byte);
  CHECK(events_of(bytes) == expected);
}

TEST_CASE("EventReader: an id with a zero byte does not count, a retry must be digits") {
  Sim sim;
  using namespace std::string_literals;
  http::Body body(std::make_unique<Pieces>(std::vector<std::string>{
      "id: 1\nretry: 2500\ndata: a\n\nid: 2\0\nretry: 1s\ndata: b\n\nretry: 99999999999999999999\ndata: c\n\n"s}));
  http::EventReader reader(body);
  for (int i = 0; i < 2; ++i) {
    Result<std::optional<ServerEvent>> event = sim.run(reader.next());
    REQUIRE(event);
    CHECK((*event)->id == "1");
    CHECK(reader.retry() == 2500ms);
  }
  Result<std::optional<ServerEvent>> event = sim.run(reader.next());
  CHECK(reader.retry() == Duration::max());
  CHECK(reader.last_event_id() == "1");
}

TEST_CASE("EventReader: what the sender writes is what it reads") {
  ServerEvent sent("a\nb\n\nc", "type", "id");
  sent.retry = 5s;
  CHECK(events_of({to_text(sent), to_text(ServerEvent(""))}) == "type|id|a\nb\n\nc\n|id|\n");
}

TEST_CASE("EventReader: an event beyond the limit fails, in one piece or in many, with or without lines") {
  const std::string failure = "limit_exceeded: a server-sent event of more than 100 bytes";
  const http::EventReaderOptions options{.event_bytes_max = 100};
  CHECK(events_of({"data: " + std::string(200, 'x') + "\n\n"}, options) == failure);
  CHECK(events_of({std::string(101, 'x')}, options) == failure);
  CHECK(events_of(std::vector<std::string>(60, "data\n"), options) == failure);
  CHECK(events_of(std::vector<std::string>(60, ":\n\n"), options).empty());
}

TEST_CASE("event_source: reconnects with the last id after the time that the server wants") {
  Sim sim;
  std::vector<std::string> asked;
  const http::Service service = [&](http::Request request) -> Task<http::Response> {
    asked.push_back(std::string(request.headers.get_or("last-event-id", "none")) + " at " +
                    std::to_string(sim.elapsed() / Duration(1s)));
    if (asked.size() == 1) co_return stream({"id: 1\ndata: a\n\n", "retry: 10000\n", "data: lost"}, true);
    if (asked.size() == 2) co_return Error(Errc::unavailable, "nobody there");
    if (asked.size() == 3) co_return stream({"data: b\n\n"});
    co_return http::Response(204);
  };
  const auto all = [&]() -> Task<std::string> {
    Generator<ServerEvent> events = http::event_source(service, http::get("http://h/"));
    std::string text;
    while (std::optional<ServerEvent> event = co_await events.next()) text += described(*event);
    co_return text;
  };
  Result<std::string> text = sim.run(all());
  REQUIRE(text);
  CHECK(*text == "|1|a\n|1|b\n");
  CHECK(asked == std::vector<std::string>{"none at 0", "1 at 10", "1 at 20", "1 at 30"});
}

TEST_CASE("event_source: fails for what is no stream of events, and after reconnections in vain") {
  Sim sim;
  int calls = 0;
  const auto first = [&](http::Service service) {
    const auto next = [](http::Service from) -> Task<std::string> {
      Generator<ServerEvent> events = http::event_source(from, http::get("http://h/"));
      std::optional<ServerEvent> event = co_await events.next();
      co_return event ? "an event" : "the end";
    };
    Result<std::string> outcome = sim.run(next(std::move(service)));
    return outcome ? *outcome : to_string(outcome.error());
  };
  CHECK(first([](http::Request) -> Task<http::Response> { co_return http::Response(500, "no"); }) ==
        "bad_message: an event source answered 500");
  CHECK(first([](http::Request) -> Task<http::Response> { co_return http::Response(200, "no"); }) ==
        "bad_message: an event source answered with content of type ");
  CHECK(first([&](http::Request) -> Task<http::Response> {
          ++calls;
          co_return Error(Errc::unavailable, "nobody there");
        }) == "unavailable: nobody there");
  CHECK(calls == 11);
  CHECK(first([&](http::Request) -> Task<http::Response> { co_return stream({": nothing\n\n"}); }) ==
        "unavailable: an event source sent no event at 10 attempts");
}
