// Multipart: the bytes, the boundary, streamed parts, and mistakes. A parser of a few lines is the judge.

#include <escapement/middleware/client/multipart.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/generator.h>
#include <escapement/io/http/body_sequence.h>

#include "support/answers.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;

namespace {

struct ParsedPart {
  std::string head;
  std::string content;
};

// Takes a multipart body apart, by RFC 2046 alone.
std::vector<ParsedPart> parse(const std::string& body, const std::string& boundary) {
  std::vector<ParsedPart> parts;
  const std::string text = "\r\n" + body;
  const std::string delimiter = "\r\n--" + boundary;
  std::size_t at = text.find(delimiter);
  REQUIRE(at == 0);
  for (;;) {
    at += delimiter.size();
    if (text.substr(at, 2) == "--") break;
    REQUIRE(text.substr(at, 2) == "\r\n");
    const std::size_t end = text.find(delimiter, at);
    REQUIRE(end != text.npos);
    const std::size_t blank = text.find("\r\n\r\n", at);
    REQUIRE(blank < end);
    parts.push_back({text.substr(at + 2, blank - at), text.substr(blank + 4, end - blank - 4)});
    at = end;
  }
  REQUIRE(text.substr(at) == "--\r\n");
  return parts;
}

}  // namespace

TEST_CASE("multipart: fields and files, as bytes that can be sent again") {
  Random random(1);
  Multipart form;
  form.field("a", "1").field("empty", "").file("f", "x.txt", "text/plain", "two\r\nlines");
  Multipart::Encoded encoded = *std::move(form).encode(random);
  CHECK(encoded.body.replayable());
  const std::vector<ParsedPart> parts = parse(std::string(encoded.body.bytes()), encoded.boundary);
  REQUIRE(parts.size() == 3);
  CHECK(parts[0].head == "Content-Disposition: form-data; name=\"a\"\r\n");
  CHECK(parts[0].content == "1");
  CHECK(parts[1].content.empty());
  CHECK(parts[2].head ==
        "Content-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n");
  CHECK(parts[2].content == "two\r\nlines");
}

TEST_CASE("multipart: names cannot end the line that they are in") {
  Random random(1);
  Multipart form;
  form.file("a\"b", "c\r\nX: y\"", "", "");
  const Multipart::Encoded encoded = *std::move(form).encode(random);
  const std::vector<ParsedPart> parts = parse(std::string(encoded.body.bytes()), encoded.boundary);
  CHECK(parts.at(0).head ==
        "Content-Disposition: form-data; name=\"a%22b\"; filename=\"c%0D%0AX: y%22\"\r\n");
}

TEST_CASE("multipart: a boundary that occurs in a part is drawn anew") {
  Random same(7);
  const std::string first = std::move(Multipart().field("a", "x")).encode(same)->boundary;
  Random random(7);
  Multipart form;
  form.field("a", "before " + first + " behind");
  const Multipart::Encoded encoded = *std::move(form).encode(random);
  CHECK(encoded.boundary != first);
  CHECK(parse(std::string(encoded.body.bytes()), encoded.boundary).size() == 1);
}

TEST_CASE("multipart: streamed parts have the same bytes, and the right length") {
  Sim sim;
  Random random(3);
  Random again(3);
  auto encode = [&]() -> Task<std::string> {
    Multipart form;
    form.field("a", "1").file("f", "n", "", escapement::test::pieces({"two ", "pieces"})).field("b", "2");
    Result<Multipart::Encoded> encoded = std::move(form).encode(random);
    CHECK_FALSE(encoded->body.replayable());
    std::string text = co_await encoded->body.text(1 * MiB);
    co_return text;
  };
  const std::string whole = *sim.run(encode());
  Multipart known;
  known.field("a", "1").file("f", "n", "", "two pieces").field("b", "2");
  Multipart::Encoded bytes = *std::move(known).encode(again);
  CHECK(whole == bytes.body.bytes());

  class Sized final : public BodySource {
   public:
    Task<std::string> read() override { co_return std::exchange(read_, true) ? "" : "12345"; }
    std::optional<std::uint64_t> length() const override { return 5; }

   private:
    bool read_ = false;
  };
  Multipart sized;
  sized.field("a", "x").file("f", "n", "", Body(std::make_unique<Sized>()));
  Multipart::Encoded encoded = *std::move(sized).encode(random);
  const std::uint64_t promised = encoded.body.length().value();
  CHECK(sim.run(encoded.body.text(1 * MiB))->size() == promised);
}

TEST_CASE("multipart: a streamed part with the boundary in it fails the body, wherever the pieces end") {
  Random same(9);
  const std::string boundary = std::move(Multipart().field("a", "x")).encode(same)->boundary;
  for (std::size_t cut = 0; cut <= boundary.size(); ++cut) {
    for (const bool bytewise : {false, true}) {
      Sim sim;
      Random random(9);
      std::vector<std::string> pieces{"..." + boundary.substr(0, cut), boundary.substr(cut) + "..."};
      if (bytewise) {
        pieces.clear();
        for (const char c : boundary) pieces.push_back(std::string(1, c));
      }
      Multipart form;
      form.file("f", "n", "", streamed_body([](std::vector<std::string> all) -> Generator<std::string> {
                  for (const std::string& piece : all) co_yield std::string(piece);
                }(pieces)));
      Multipart::Encoded encoded = *std::move(form).encode(random);
      REQUIRE(encoded.boundary == boundary);
      const Result<std::string> read = sim.run(encoded.body.text(1 * MiB));
      REQUIRE_FALSE(read);
      CHECK(read.error() == Errc::invalid_argument);
    }
  }
}

TEST_CASE("multipart: mistakes") {
  Random random(1);
  CHECK(Multipart().encode(random).error() == Errc::invalid_argument);
  CHECK(std::move(Multipart().field("a", "b", "text/plain\r\nX: y")).encode(random).error() ==
        Errc::invalid_argument);
  CHECK(std::move(Multipart().part(Headers{{"Bad name", "x"}}, "c")).encode(random).error() ==
        Errc::invalid_argument);
}

TEST_CASE("multipart: a request") {
  Random random(1);
  Request request = *std::move(Multipart().field("a", "b")).post(*Url::parse("http://h/"), random);
  CHECK(request.method == Method::post());
  const std::string type(request.headers.get_or("Content-Type", ""));
  CHECK(type.starts_with("multipart/form-data; boundary=------------------------"));
  CHECK(parse(std::string(request.body.bytes()), type.substr(30)).size() == 1);
}
