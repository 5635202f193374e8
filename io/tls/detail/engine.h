// TlsEngine: one TLS connection without its transport. Bytes from the peer go into `records()`, bytes for it
// come out of `outgoing()`, and each step says what it needs to go on. Pure but for randomness and the clock
// that certificates are held against. tls_stream.cpp does the I/O.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/error.h>
#include <escapement/io/tls/detail/records.h>
#include <escapement/io/tls/tls.h>

namespace escapement::detail {

class TlsContext;

class TlsEngine {
 public:
  enum class Step : std::uint8_t {
    done,         // it has happened
    again,        // call again: there is more to do and nothing to wait for
    wants_input,  // nothing can happen before more bytes arrive
    wants_room,   // nothing can happen before outgoing() is emptied
    closed,       // the peer's close_notify: it sends no more
    failed,       // error() says why; nothing else may be called but outgoing() (there may be an alert in it)
  };

  // `host`: whom a client wants to talk to; empty for a server. `peer`: the transport's name of it.
  TlsEngine(std::shared_ptr<TlsContext> context, std::string host, std::string peer);
  TlsEngine(const TlsEngine&) = delete;
  ~TlsEngine();

  // One step of the handshake; `done` when it is over. The context is told of a failure at once, before the
  // peer can be: whoever waits for it may not wait to the end.
  Step handshake();
  // Whether the next one is known to need no operation with a public key, each of which takes longer than all
  // else in a handshake.
  bool light_step_next() const;
  // After the handshake: whether `read` would find anything but `wants_input`.
  bool has_input() const;
  // Decrypts up to `into.size()` bytes.
  Step read(MutableBytes into, std::size_t& count);
  // Like read, but only finds out: `done` when bytes could be read.
  Step look();
  // Encrypts a beginning of `bytes`, which are not empty. After `wants_room` the same bytes again.
  Step write(Bytes bytes, std::size_t& count);
  // Encrypts a close_notify.
  Step close();

  // Whether it holds more memory than an idle connection has to, which a large record needed.
  bool grown() const { return grown_; }
  // Gives that back, unless there is something in it. True, and nothing has happened: a large record has come
  // or gone since the last call, so call again when it may have been idle for a while.
  bool shrink();

  TlsRecords& records() { return records_; }
  std::string& outgoing() { return outgoing_; }
  TlsContext& context() { return *context_; }
  const std::string& host() const { return host_; }
  // The peer for messages: the host, or the transport's name.
  const std::string& peer_name() const { return host_.empty() ? peer_ : host_; }
  TlsInfo& info() { return info_; }
  // A server: the names of the certificate it shows, which the context keeps.
  void shows(const std::vector<std::string>& names) { own_names_ = &names; }
  // A server: whether a request for this host may come over this connection. `host` is in lower case, without
  // brackets or a dot at its end.
  bool speaks_for(std::string_view host) const;
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }
  // Fails it from outside: the transport ended, the time is up.
  void fail(Error error) { error_ = std::move(error); }

 private:
  struct Ssl;

  Result<> set_up();
  Step step();
  void before_record();
  void note_size(std::size_t record);
  Step established();
  Step outcome(int returned);
  Step fail_with(int returned);
  void tell(int failure);
  Error handshake_error(int returned) const;
  Error broken(int returned) const;

  std::shared_ptr<TlsContext> context_;
  std::string host_;
  std::string peer_;
  TlsRecords records_;
  std::string outgoing_;
  std::unique_ptr<Ssl> ssl_;
  TlsInfo info_;
  const std::vector<std::string>* own_names_ = nullptr;
  std::optional<Error> error_;
  bool established_ = false;
  bool told_ = false;  // the last record of this step may be an alert
  bool grown_ = false;
  bool large_record_ = false;  // since `shrink` was called
  std::uint64_t records_at_progress_ = 0;
};

}  // namespace escapement::detail
