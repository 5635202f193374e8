// Bodies and async sequences (core/sequence.h): a body whose bytes a generator makes, and a received body as
// a sequence, or as lines.
//
//     Generator<std::string> rows(Query query) { ... co_yield to_csv(row); ... }
//
//     Response response(200, streamed_body(rows(std::move(query))));
//
//     BufferedReader reader(BodyChunks(response.body));
//     while (std::optional<std::string> line = co_await reader.line()) handle(*line);

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/sequence.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

namespace detail {

inline std::string chunk_text(std::string&& text) { return std::move(text); }
inline std::string chunk_text(Bytes bytes) { return std::string(as_text(bytes)); }
inline std::string chunk_text(std::string_view text) { return std::string(text); }

template <class S>
class SequenceSource final : public BodySource {
 public:
  SequenceSource(S sequence, std::optional<std::uint64_t> length)
      : sequence_(std::forward<S>(sequence)), length_(length) {}

  // Skips empty values: here an empty string would be the end.
  Task<std::string> read() override {
    for (;;) {
      std::optional<SequenceValue<S>> value = co_await escapement::detail::next_of(sequence_);
      if (!value) co_return std::string();
      std::string text = chunk_text(*std::move(value));
      if (!text.empty()) co_return std::move(text);
    }
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  S sequence_;
  std::optional<std::uint64_t> length_;
};

}  // namespace detail

// Returns a body that consists of the values of `sequence`, in order: of std::string, std::string_view or
// Bytes. A view must stay valid until the following next(), as one on a generator's variables does. Each
// value is asked for when the last one was passed to the connection, so a slow peer slows the sequence down.
//
// Without a `length` the body is sent chunked; to an HTTP/1.0 client, up to the end of the connection. With
// one, a sequence that is longer or shorter fails the message (Errc::invalid_argument). If the sequence fails
// or is cut off, the peer sees a broken message and never a shorter one: the connection is reset.
//
// Such a body can be read once, and is not replayable: Retry and Redirect do not send it again. Destroying
// the body cancels the sequence. A temporary or moved sequence is kept, an lvalue must outlive the body.
template <class S>
  requires AsyncSequence<std::remove_reference_t<S>>
Body streamed_body(S&& sequence, std::optional<std::uint64_t> length = std::nullopt) {
  return Body(std::make_unique<detail::SequenceSource<S>>(std::forward<S>(sequence), length));
}

template <class S>
  requires requires(S& sequence) { sequence.next(); }
Body::Body(S&& sequence) : Body(streamed_body(std::forward<S>(sequence))) {}

// The sequence of a body's pieces, as they arrive. Their borders mean nothing. Fails as Body::read: a body
// that breaks off fails, it does not end.
class BodyChunks {
 public:
  // Reads `body`, which must outlive this.
  explicit BodyChunks(Body& body) : body_(&body) {}

  // Waits for the next piece, which is never empty; nullopt at the body's end.
  Task<std::optional<std::string>> next() {
    std::string piece = co_await body_->read();
    if (piece.empty()) co_return std::nullopt;
    co_return std::move(piece);
  }

 private:
  Body* body_;
};

}  // namespace escapement::http
