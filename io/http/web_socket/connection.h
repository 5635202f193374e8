// StreamWebSocket: a WebSocket over a Stream, either end. No handshake: the stream is past it.

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/web_socket.h>
#include <escapement/io/http/web_socket/frames.h>

namespace escapement::http::detail {

class StreamWebSocket final : public WebSocket {
 public:
  // A server's end.
  StreamWebSocket(Reactor& reactor, std::unique_ptr<Stream> stream, const WebSocketLimits& limits,
                  std::unique_ptr<WebSocketCompressor> compressor = nullptr);
  // A client's end. `first`: bytes that were read past the handshake. `random_bits` makes the masks.
  StreamWebSocket(Reactor& reactor, std::unique_ptr<Stream> stream, const WebSocketLimits& limits,
                  std::string first, std::function<std::uint32_t()> random_bits,
                  std::unique_ptr<WebSocketCompressor> compressor = nullptr);
  ~StreamWebSocket() override;

  Task<std::optional<WebSocketMessage>> receive() override;
  Task<> send(WebSocketMessage message) override;
  Task<> send_shared(SharedWebSocketMessage message) override;
  void close(int code, std::string reason) override { begin_close(sendable_code(code), std::move(reason)); }
  int close_code() const override { return peer_code_; }
  const std::string& close_reason() const override { return peer_reason_; }

  // Closes with `code`, if it is open, sends what is queued, which may take long, and then waits for the
  // peer's close, within the limit. Cannot fail.
  Task<> finish(int code);

 private:
  // A frame that the transport has not taken yet.
  struct Queued {
    Bytes bytes() const { return as_bytes(shared ? std::string_view(*shared) : std::string_view(frame)); }
    Bytes left() const { return bytes().subspan(at); }

    std::string frame;
    std::shared_ptr<const std::string> shared = nullptr;  // instead of `frame`: others send it too
    std::size_t at = 0;                                   // what it has taken
    bool begun = false;        // a part may be on its way, which the transport has not reported
    std::uint64_t number = 0;  // of messages: its place among all; 0: a ping or a pong
    Opcode kind = Opcode::pong;
  };

  std::optional<WebSocketMessage> next_buffered();
  std::optional<WebSocketMessage> take(Bytes bytes);
  std::optional<WebSocketMessage> take_more();
  std::optional<WebSocketMessage> on_event(FrameEvent event);
  void on_close(FrameEvent event);
  bool ended() const { return peer_code_ != 0 || failure_.has_value(); }

  Task<std::optional<std::size_t>> read_until_due();
  std::optional<WebSocketMessage> on_read(Result<std::optional<std::size_t>> count);
  Instant quiet_until() const;
  Instant due() const;
  void on_silence();

  void begin_close(int code, std::string reason);
  std::optional<WebSocketMessage> decompress(FrameEvent event);
  void fail(int code, Error error);
  void break_off(Error error);
  void look_again();
  void leave();

  std::string frame(Opcode kind, std::string_view payload, bool compressed = false);
  Result<std::string> message_frame(const WebSocketMessage& message);
  void answer_ping(std::string_view payload);
  void put(std::string frame, Opcode kind, std::uint64_t number = 0);
  void put(Queued queued);
  void write_now(Queued& queued);
  void on_written(const Queued& queued);
  bool next_to_write();
  Task<> write_queue();
  Task<> flush(std::uint64_t number);
  Task<> until_written(std::uint64_t number);
  Task<> settle();

  Reactor& reactor_;
  WebSocketLimits limits_;
  std::unique_ptr<Stream> stream_;
  std::function<std::uint32_t()> random_bits_;       // null: a server, which does not mask
  std::unique_ptr<WebSocketCompressor> compressor_;  // null: the ends have agreed on none
  FrameParser parser_;

  std::string input_;         // read, and not parsed
  std::size_t input_at_ = 0;  // as far as it is parsed
  std::array<std::byte, 128> room_;
  Instant message_began_ = Instant::never();
  bool receiving_ = false;
  Runnable* reader_ = nullptr;              // reads, and has to look again when one of the instants changes
  bool took_much_ = false;                  // without a message in it: others have to run
  Instant quiet_since_ = Instant::never();  // the last sign of life; never(): nobody has received yet
  bool pinged_ = false;                     // and nothing has come since
  Instant pong_by_ = Instant::never();      // something, after the ping that was written

  std::deque<Queued> queue_;
  std::string pong_;  // waits for the frame that is being written, and so does
  std::string ping_;
  std::uint64_t queued_ = 0;   // messages
  std::uint64_t written_ = 0;  // of these, up to this number
  bool writing_ = false;
  bool close_sent_ = false;              // or queued
  Instant close_by_ = Instant::never();  // the peer's close, after ours was written
  bool broken_ = false;                  // nothing can be sent

  int peer_code_ = 0;
  std::string peer_reason_;
  std::optional<Error> failure_;
  Event written_more_;
  Scope writer_;
};

}  // namespace escapement::http::detail
