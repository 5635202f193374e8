#include <escapement/io/stream.h>

#include <escapement/timers/timeout.h>

namespace escapement {

Task<bool> Stream::send_file(FileRange&, std::size_t) { co_return false; }

Task<std::unique_ptr<Stream>> Network::connect_within(Duration limit, std::string host, std::uint16_t port) {
  const std::string peer = host + ':' + std::to_string(port);
  co_return co_await detail::connection_within(limit, Instant::never(), peer, connect(std::move(host), port));
}

namespace detail {

Task<std::unique_ptr<Stream>> connection_within(Duration limit, Instant began, std::string peer,
                                                Task<std::unique_ptr<Stream>> connecting) {
  Result<std::unique_ptr<Stream>> stream =
      co_await within(limit, {TimeLimit::connect, "no connection"}, std::move(connecting), began).result();
  if (stream || stream.error().limit() != TimeLimit::connect) co_return std::move(stream);
  Error error = std::move(stream).error().context("connect to " + peer).with_peer(peer);
  co_return std::move(error).nothing_sent();
}

bool ReadOperation::suspend(PromiseBase& parent) {
  parent_ = &parent;
  ESC_CHECK(!stream_.waited_for_);  // one read at a time
  if (!count_ && watch()) return true;
  if (!start_task()) return true;
  if (!propagate_ || !task_->promise().failed()) return false;
  parent.fail(task_->promise().take_error());
  return true;
}

// Called at an event, which may not concern the reader. The awaiting task continues within this call, as the
// run queue would continue with it next, and destroys this.
void ReadOperation::run() {
  stream_.waited_for_ = watching_ = false;
  if (!try_now()) {
    if (!count_ && watch()) return;
    // Nobody else catches what this throws for want of memory.
    bool finished = false;
    auto starting = [&] { finished = start_task(); };
    if (std::optional<Error> thrown = catching(starting)) return parent_->fail(*std::move(thrown));
    if (!finished) return;
    if (propagate_ && task_->promise().failed()) return parent_->fail(task_->promise().take_error());
  }
  static_cast<Runnable&>(*parent_).run();
}

// Returns false if the stream cannot watch, or not now.
bool ReadOperation::watch() {
  if (!stream_.watch(parent_->reactor(), this)) return false;
  stream_.waits();
  stream_.waited_for_ = watching_ = true;
  return true;
}

void ReadOperation::stop_watching() {
  stream_.watch(parent_->reactor(), nullptr);
  stream_.waited_for_ = false;
}

// Returns true if the task has finished.
bool ReadOperation::start_task() {
  Promise<std::size_t>& promise = task_.emplace(stream_.read_task(into_)).promise();
  if (promise.start(parent_->reactor())) return true;
  stream_.waits();
  promise.set_continuation(*parent_, propagate_);
  return false;
}

Task<std::size_t> ReadOperation::take_task() {
  Task<std::size_t> finished = *std::move(task_);
  task_.reset();
  return finished;
}

bool WriteOperation::suspend(PromiseBase& parent) {
  Promise<void>& promise = task_.emplace(stream_.write_task(bytes_)).promise();
  if (!promise.start(parent.reactor())) {
    stream_.waits();
    promise.set_continuation(parent, propagate_);
    return true;
  }
  if (!propagate_ || !promise.failed()) return false;
  parent.fail(promise.take_error());
  return true;
}

Result<> WriteOperation::outcome() {
  if (!task_) return {};
  Task<> finished = *std::move(task_);
  task_.reset();
  return finished.promise().take();
}

}  // namespace detail

}  // namespace escapement
