#include <escapement/io/tls/detail/stream.h>

#include <algorithm>
#include <optional>
#include <utility>

#include <escapement/core/detail/defer.h>
#include <escapement/core/event.h>
#include <escapement/io/tls/detail/engine.h>
#include <escapement/io/tls/detail/mbedtls.h>
#include <escapement/timers/timeout.h>

namespace escapement::detail {

namespace {

constexpr Duration rests_after = 1s;                // without a large record, memory is given back
constexpr std::size_t small_alert_max = 128;        // the size of an alert's record
constexpr std::size_t kept_capacity_max = 1 * KiB;  // of an empty buffer: a small response fits

// Sends encrypted bytes by a task of its own: a waiting task may be cancelled without leaving half a record
// on the wire, and a read may respond to the peer without owning a write.
class TlsStreamOver final : public TlsStream, private Runnable {
 public:
  TlsStreamOver(std::shared_ptr<TlsContext> context, std::unique_ptr<Stream> inner, std::string host)
      : inner_(std::move(inner)), engine_(std::move(context), std::move(host), inner_->peer()) {
    bytes_are_dear();
  }
  ~TlsStreamOver() override;

  Task<> handshake() override;
  const TlsInfo& info() const override {
    ESC_CHECK(established_);
    return const_cast<TlsEngine&>(engine_).info();
  }
  std::optional<std::size_t> read_now(MutableBytes into) override;
  Task<std::size_t> read_task(MutableBytes into) override;
  std::size_t write_now(Bytes bytes) override;
  Task<> write_task(Bytes bytes) override;
  Task<> shutdown_write() override;
  bool readable_or_closed() override;
  void reset_on_close() override {
    broken_on_purpose_ = true;
    inner_->reset_on_close();
  }
  bool encrypted() const override { return true; }
  std::string_view agreed_protocol() const override {
    return established_ ? std::string_view(info().alpn) : std::string_view();
  }
  bool serves(std::string_view host) const override { return engine_.speaks_for(host); }
  // Watches the transport for records, and for its end. `read` finds out what the records hold.
  bool watch(Reactor& reactor, Runnable* waiter) override;
  bool write_closed() const override { return inner_->write_closed(); }
  bool read_closed() const override { return ended_ || inner_->read_closed(); }
  std::string peer() const override { return inner_->peer(); }
  std::optional<HostKey> peer_host() const override { return inner_->peer_host(); }

 private:
  using Step = TlsEngine::Step;

  Task<> shake();
  Task<Step> heavy_step();
  Task<> receive();
  Error no_close_notify() const;
  bool receive_at_once();
  bool look();
  Task<> send_outgoing();
  std::size_t take_ahead(std::size_t most);
  bool send_at_once();
  void start_sending();
  Task<> all_sent();
  Task<> room_for_more();
  void start_greeting(Reactor& reactor);
  void run() override;
  void sending_finished();
  void trim_buffers();
  void shrink_later();

  std::unique_ptr<Stream> inner_;
  TlsEngine engine_;
  Reactor* reactor_ = nullptr;  // from the first operation on
  Instant handshake_deadline_;
  Semaphore shaking_{1};
  bool established_ = false;
  bool receiving_ = false;
  bool ended_ = false;              // by the peer's close_notify
  bool cut_off_ = false;            // the transport broke, or ended without a close_notify
  bool shut_ = false;               // our close_notify has been sent
  bool write_unfinished_ = false;   // a write is in progress, or was cancelled
  bool broken_on_purpose_ = false;  // by reset_on_close
  std::size_t ahead_ = 0;           // bytes that write_now has encrypted and not yet reported as written
  std::optional<ChildTask<void>> background_handshake_;  // the handshake, if only waiter_ waits for it
  TimerEntry shrinking_;
  bool shrinks_ = false;        // until shrinking_ has been due, and run() has seen it
  Runnable* waiter_ = nullptr;  // of `watch`, until the handshake is complete
  std::string on_the_wire_;     // the bytes that sending_ is sending
  std::optional<ChildTask<void>> sending_;
  std::optional<Error> sending_failed_;
  Event sent_;  // pulsed when sending_ has taken what there is, and when it has finished
};

// Sets the flag for good, unless `finished` clears it.
class Unfinished {
 public:
  explicit Unfinished(bool& flag) : flag_(flag) { flag_ = true; }
  Unfinished(const Unfinished&) = delete;
  void finished() { flag_ = false; }

 private:
  bool& flag_;
};

TlsStreamOver::~TlsStreamOver() {
  const bool whole = established_ && !cut_off_ && !write_unfinished_ && !broken_on_purpose_;
  const bool can_send = !shut_ && !sending_ && !sending_failed_;
  // Drops what the transport does not take at once, or what there is no memory for.
  auto saying_goodbye = [&] {
    engine_.outgoing().reserve(engine_.outgoing().size() +
                               small_alert_max);  // no exception may pass through mbedTLS
    if (engine_.close() == Step::done && !send_at_once()) start_sending();
  };
  if (whole && can_send) (void)catching(saying_goodbye);
  background_handshake_.reset();
  sending_.reset();
}

// Called when a task that was started here has finished, or the timer is due.
void TlsStreamOver::run() {
  if (sending_ && sending_->finished()) sending_finished();
  if (shrinks_ && !shrinking_.armed()) {
    shrinks_ = false;
    if (engine_.shrink()) {
      shrink_later();
    } else if (!receiving_) {
      engine_.records().shrink();
    }
  }
  if (!background_handshake_ || !background_handshake_->finished()) return;
  Result<> outcome = background_handshake_->take();
  (void)outcome;  // `read` reports it again
  background_handshake_.reset();
  if (waiter_ != nullptr) reactor_->ready(*std::exchange(waiter_, nullptr));
}

// --- The handshake

Task<> TlsStreamOver::handshake() {
  Reactor& reactor = co_await this_reactor;
  if (reactor_ == nullptr) {
    reactor_ = &reactor;
    handshake_deadline_ = reactor.precise_now() + engine_.context().handshake_timeout();
  }
  Semaphore::Permit turn = co_await shaking_.acquire();
  if (established_) co_return;
  if (engine_.failed()) co_await Error(engine_.error());
  const Duration left = handshake_deadline_ - reactor.precise_now();
  Result<> outcome = co_await with_timeout(left, shake()).result();
  established_ = static_cast<bool>(outcome);
  if (established_) co_return;
  const bool told = engine_.failed();
  Error error = told ? Error(engine_.error()) : std::move(outcome).error();
  if (error == Errc::timed_out) {
    const Duration limit = engine_.context().handshake_timeout();
    const Duration elapsed = limit + (reactor.precise_now() - handshake_deadline_);
    error = timeout_error({TimeLimit::handshake, "nothing"}, limit, elapsed);
    error =
        std::move(error).context("TLS handshake with " + engine_.peer_name()).with_peer(engine_.peer_name());
  }
  if (!engine_.host().empty()) error.nothing_sent();
  engine_.fail(error);
  if (!told) engine_.context().failed(error);
  co_await std::move(error);
}

Task<> TlsStreamOver::shake() {
  for (;;) {
    Step step = Step::again;
    while (step == Step::again && engine_.light_step_next()) step = engine_.handshake();
    if (step == Step::again) step = co_await heavy_step();
    if (step != Step::again) start_sending();  // a flight is sent as a whole
    if (step == Step::done) co_return;
    if (step == Step::wants_room) co_await all_sent();
    if (step == Step::wants_input) co_await receive();
    if (step != Step::failed) continue;
    Result<> told = co_await all_sent().result();  // sends the alert that says why
    (void)told;
    co_await Error(engine_.error());
  }
}

// Takes one step and then waits for the next turn of the reactor, so that no timer is delayed by two steps.
Task<TlsStreamOver::Step> TlsStreamOver::heavy_step() {
  PromiseBase& self = co_await this_task;
  Semaphore::Permit turn = co_await engine_.context().steps().acquire();
  const Step step = engine_.handshake();
  if (step == Step::wants_input || step == Step::wants_room) co_return step;
  if (step != Step::again) start_sending();
  TimerEntry next_turn;
  next_turn.arm(reactor_->timers(), reactor_->now(), self);
  while (next_turn.armed()) co_await suspend_until_ready;
  co_return step;
}

// --- Receiving

// Needs no coroutine if a record is there or can be read at once, nor if none is there.
std::optional<std::size_t> TlsStreamOver::read_now(MutableBytes into) {
  if (ended_ || engine_.failed()) return 0;
  if (!established_) return std::nullopt;
  for (;;) {
    while (engine_.has_input()) {
      std::size_t count = 0;
      const Step step = engine_.read(into, count);
      start_sending();
      if (step == Step::done) return count;
      if (step == Step::closed) ended_ = true;
      if (step != Step::again && step != Step::wants_input) return 0;
    }
    const std::optional<std::size_t> received = inner_->read_now(engine_.records().room());
    if (received.value_or(0) == 0) return received;
    engine_.records().received(*received);
  }
}

Task<std::size_t> TlsStreamOver::read_task(MutableBytes into) {
  ESC_CHECK(!into.empty());
  if (!take_turn()) co_await yield();
  if (!established_) co_await handshake();
  for (;;) {
    if (ended_) co_return std::size_t{0};
    std::size_t count = 0;
    const Step step = engine_.read(into, count);
    start_sending();
    if (step == Step::done) co_return count;
    if (step == Step::closed) ended_ = true;
    if (step == Step::failed) co_return Error(engine_.error());
    if (step == Step::wants_room) co_await all_sent();
    if (step == Step::wants_input) co_await receive();
  }
}

Task<> TlsStreamOver::receive() {
  receiving_ = true;
  const Defer received([this] { receiving_ = false; });
  Result<std::size_t> count = co_await inner_->read(engine_.records().room()).result();
  cut_off_ = !count || *count == 0;
  if (!count) co_await Error(std::move(count).error());
  if (*count == 0) co_await no_close_notify();
  engine_.records().received(*count);
}

// Returns the error for a transport that ended without a close_notify.
Error TlsStreamOver::no_close_notify() const {
  if (established_) return Error(Errc::reset, engine_.peer_name() + " cut the TLS connection off");
  return Error(Errc::reset, "TLS handshake with " + engine_.peer_name() + ": it closed the connection");
}

// Before the handshake is complete, its completion is the next event.
bool TlsStreamOver::watch(Reactor& reactor, Runnable* waiter) {
  waiter_ = established_ ? nullptr : waiter;
  if (established_) {
    if (waiter != nullptr && engine_.grown() && !shrinks_) shrink_later();
    return inner_->watch(reactor, waiter);
  }
  if (waiter != nullptr && !background_handshake_) start_greeting(reactor);
  return true;
}

void TlsStreamOver::start_greeting(Reactor& reactor) {
  background_handshake_.emplace(handshake());
  background_handshake_->start(reactor, *this);
  if (background_handshake_->finished()) reactor.ready(*this);
}

void TlsStreamOver::shrink_later() {
  shrinks_ = true;
  shrinking_.arm(reactor_->timers(), reactor_->now() + rests_after, *this);
}

// Takes what has arrived; returns false if nothing could be read without waiting. (Never uses a task of its
// own: the transport may be watched, and must not be waited for then.)
bool TlsStreamOver::receive_at_once() {
  const std::optional<std::size_t> count = inner_->read_now(engine_.records().room());
  if (count.value_or(0) == 0) return false;
  engine_.records().received(*count);
  return true;
}

// Counts the stream as unusable if there is no memory to look.
bool TlsStreamOver::readable_or_closed() {
  if (!established_ || receiving_) return inner_->readable_or_closed();
  if (ended_ || sending_failed_) return true;
  bool found = true;
  auto looking = [&] { found = look(); };
  return catching(looking) || found;
}

// Looks into what has arrived: it may be no more than a ticket.
bool TlsStreamOver::look() {
  for (;;) {
    const Step step = engine_.look();
    start_sending();
    if (step == Step::again) continue;
    if (step == Step::closed) ended_ = true;
    if (step != Step::wants_input || !engine_.records().empty()) return true;
    if (!inner_->readable_or_closed()) return false;
    if (!receive_at_once()) return true;
  }
}

// --- Sending

// Encrypts all or nothing, as far as its caller can tell: encryption cannot be undone. Bytes that the
// transport does not take at once are in flight, and count as written when they have been sent.
std::size_t TlsStreamOver::write_now(Bytes bytes) {
  if (!established_ || shut_ || engine_.failed() || sending_ || sending_failed_) return 0;
  const std::size_t gone = take_ahead(bytes.size());
  Bytes left = bytes.subspan(gone);
  while (!left.empty()) {
    std::size_t count = 0;
    if (engine_.write(left, count) != Step::done) break;
    left = left.subspan(count);
  }
  write_unfinished_ = !left.empty();
  if (send_at_once()) return bytes.size() - left.size();
  write_unfinished_ = true;
  ahead_ += bytes.size() - gone - left.size();
  start_sending();
  return gone;
}

Task<> TlsStreamOver::write_task(Bytes bytes) {
  if (!take_turn()) co_await yield();
  if (!established_) co_await handshake();
  if (shut_) co_await Error(Errc::reset, "TLS: write after shutdown_write");
  Unfinished unfinished(write_unfinished_);
  bytes = bytes.subspan(take_ahead(bytes.size()));
  while (!bytes.empty()) {
    std::size_t count = 0;
    const Step step = engine_.write(bytes, count);
    if (step == Step::failed) co_await Error(engine_.error());
    if (step == Step::wants_room) co_await room_for_more();
    if (step == Step::wants_input) co_await Error(Errc::internal, "TLS: a write that wants to read");
    bytes = bytes.subspan(count);
  }
  co_await all_sent();
  unfinished.finished();
}

Task<> TlsStreamOver::shutdown_write() {
  if (!established_) co_await handshake();
  if (write_unfinished_) co_await Error(Errc::reset, "TLS: the end after a write that was cut short");
  if (!shut_ && engine_.close() == Step::failed) co_await Error(engine_.error());
  shut_ = true;
  co_await all_sent();
  co_await inner_->shutdown_write();
}

Task<> TlsStreamOver::all_sent() {
  for (;;) {
    start_sending();
    if (sending_failed_) co_await Error(*sending_failed_);
    if (!sending_ && engine_.outgoing().empty()) co_return;
    co_await sent_.wait();
  }
}

// Waits until more can be encrypted, while the last batch is being sent.
Task<> TlsStreamOver::room_for_more() {
  start_sending();
  if (sending_failed_) co_await Error(*sending_failed_);
  if (!engine_.outgoing().empty()) co_await sent_.wait();
}

Task<> TlsStreamOver::send_outgoing() {
  while (!engine_.outgoing().empty()) {
    on_the_wire_.clear();
    on_the_wire_.swap(engine_.outgoing());
    sent_.pulse();
    co_await inner_->write(as_bytes(on_the_wire_));
  }
}

std::size_t TlsStreamOver::take_ahead(std::size_t most) {
  const std::size_t count = std::min(ahead_, most);
  ahead_ -= count;
  return count;
}

// Returns true if the transport has taken all there is.
bool TlsStreamOver::send_at_once() {
  std::string& outgoing = engine_.outgoing();
  outgoing.erase(0, inner_->write_now(as_bytes(outgoing)));
  if (!outgoing.empty()) return false;
  trim_buffers();
  return true;
}

void TlsStreamOver::start_sending() {
  if (sending_ || sending_failed_ || engine_.outgoing().empty()) return;
  sending_.emplace(send_outgoing());
  sending_->start(*reactor_, *this);
  if (sending_->finished()) sending_finished();
}

void TlsStreamOver::sending_finished() {
  Result<> outcome = sending_->take();
  sending_.reset();
  if (!outcome) sending_failed_ = std::move(outcome).error();
  trim_buffers();
  sent_.pulse();
}

void TlsStreamOver::trim_buffers() {
  on_the_wire_.clear();
  for (std::string* buffer : {&on_the_wire_, &engine_.outgoing()}) {
    if (buffer->empty() && buffer->capacity() > kept_capacity_max) *buffer = std::string();
  }
}

}  // namespace

std::unique_ptr<TlsStream> make_tls_stream(std::shared_ptr<TlsContext> context, std::unique_ptr<Stream> inner,
                                           std::string host) {
  return std::make_unique<TlsStreamOver>(std::move(context), std::move(inner), std::move(host));
}

}  // namespace escapement::detail
