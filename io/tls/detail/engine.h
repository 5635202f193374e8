// TlsEngine: one TLS connection without its transport. Bytes from the peer go into `records()`, bytes for the
// peer come out of `outgoing()`, and each step says what it needs to go on. Pure except for randomness and
// the clock that certificates are checked against. stream.cpp does the I/O.

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
    done,         // done
    again,        // call again: there is more to do and nothing to wait for
    wants_input,  // needs more bytes from the peer
    wants_room,   // needs outgoing() to be emptied
    closed,       // the peer's close_notify has come: it sends no more
    failed,       // error() says why; only outgoing() may be used (it may hold an alert)
  };

  // `host`: the server that a client wants; empty for a server. `peer`: the transport's name for the peer.
  TlsEngine(std::shared_ptr<TlsContext> context, std::string host, std::string peer);
  TlsEngine(const TlsEngine&) = delete;
  ~TlsEngine();

  // Takes one step of the handshake; `done` when it is complete. Reports a failure to the context at once,
  // before the peer hears of it: a task that waits for the handshake may not wait to the end.
  Step handshake();
  // Returns whether the next step is known to need no public-key operation, each of which takes longer than
  // all the rest of a handshake.
  bool light_step_next() const;
  // After the handshake: returns whether `read` would find anything but `wants_input`.
  bool has_input() const;
  // Decrypts up to `into.size()` bytes.
  Step read(MutableBytes into, std::size_t& count);
  // Like read, but only looks: `done` if bytes could be read.
  Step look();
  // Encrypts a first part of `bytes`, which must not be empty. After `wants_room` pass the same bytes again.
  Step write(Bytes bytes, std::size_t& count);
  // Encrypts a close_notify.
  Step close();

  // Returns whether it holds more memory than an idle connection has to, because of a large record.
  bool grown() const { return grown_; }
  // Gives that memory back, unless there is something in it. Returns true, without doing so, if a large
  // record has come or gone since the last call: call again when the connection may have been idle for a
  // while.
  bool shrink();

  TlsRecords& records() { return records_; }
  std::string& outgoing() { return outgoing_; }
  TlsContext& context() { return *context_; }
  const std::string& host() const { return host_; }
  // Returns the peer's name for messages: the host, or the transport's name.
  const std::string& peer_name() const { return host_.empty() ? peer_ : host_; }
  TlsInfo& info() { return info_; }
  // Sets the names of the certificate that a server shows, which the context keeps.
  void shows(const std::vector<std::string>& names) { own_names_ = &names; }
  // Returns whether a server may be asked for this host over this connection. `host` is in lower case,
  // without brackets or a trailing dot.
  bool speaks_for(std::string_view host) const;
  bool failed() const { return error_.has_value(); }
  const Error& error() const { return *error_; }
  // Fails the connection from outside: the transport ended, the time limit expired.
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
  bool large_record_ = false;  // since the last call of `shrink`
  std::uint64_t records_at_progress_ = 0;
};

}  // namespace escapement::detail
