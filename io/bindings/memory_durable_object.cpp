#include <escapement/io/bindings/memory_durable_object.h>

#include <utility>

#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement {

namespace {

constexpr int alarm_retries_max = 6;
constexpr Duration first_retry = 2s;

}  // namespace

struct MemoryDurableObject::Instance {
  Instance(Reactor& reactor, MemoryDisk& disk, const MakeDurableObject& make, MemoryStorageOptions options)
      : storage(disk, std::move(options)), object(make(reactor, storage)), tasks(reactor, nullptr) {}

  MemoryStorage storage;
  std::unique_ptr<DurableObject> object;
  Scope tasks;  // last: they use the others
};

MemoryDurableObject::MemoryDurableObject(Reactor& reactor, MemoryDisk& disk, MakeDurableObject make,
                                         MemoryStorageOptions options)
    : reactor_(reactor),
      disk_(disk),
      make_(std::move(make)),
      options_(std::move(options)),
      alarms_(reactor, nullptr) {
  alarms_.spawn(run_alarms());
}

MemoryDurableObject::~MemoryDurableObject() { evict(); }

DurableObject& MemoryDurableObject::object() {
  if (!instance_) instance_ = std::make_unique<Instance>(reactor_, disk_, make_, options_);
  return *instance_->object;
}

void MemoryDurableObject::evict() {
  instance_.reset();
  if (!disk_.running_alarm) return;
  disk_.alarm = std::exchange(disk_.running_alarm, std::nullopt);
  disk_.alarm_changed.pulse();
}

Task<http::Response> MemoryDurableObject::fetch(http::Request request) {
  DurableObject& object = this->object();
  JoinHandle<http::Response> handle = instance_->tasks.spawn_joinable(object.fetch(std::move(request)));
  Result<http::Response> response = co_await std::move(handle).join().result();
  if (!response && response.error() == Errc::cancelled) {
    co_return Error(Errc::reset, "the Durable Object was evicted");
  }
  co_return std::move(response);
}

Task<> MemoryDurableObject::call(std::function<Task<>(DurableObject&)> handler) {
  DurableObject& object = this->object();
  JoinHandle<void> handle = instance_->tasks.spawn_joinable(handler(object));
  Result<> outcome = co_await std::move(handle).join().result();
  if (!outcome && outcome.error() == Errc::cancelled) {
    co_await Error(Errc::reset, "the Durable Object was evicted");
  }
  co_await std::move(outcome);
}

Task<> MemoryDurableObject::run_alarms() {
  for (;;) {
    if (!disk_.alarm) {
      co_await disk_.alarm_changed.wait();
      continue;
    }
    const Duration left = *disk_.alarm - reactor_.backend().system_now();
    if (left > Duration()) {
      Result<> changed = co_await with_timeout(left, disk_.alarm_changed.wait()).result();
      continue;
    }
    co_await run_alarm();
  }
}

Task<> MemoryDurableObject::run_alarm() {
  DurableObject& object = this->object();
  disk_.running_alarm = std::exchange(disk_.alarm, std::nullopt);
  JoinHandle<void> handle = instance_->tasks.spawn_joinable(object.alarm());
  Result<> outcome = co_await std::move(handle).join().result();
  if (!outcome && outcome.error() == Errc::cancelled) co_return;  // evicted
  const std::optional<SystemTime> again = std::exchange(disk_.running_alarm, std::nullopt);
  if (outcome || !again) {
    alarm_failures_ = 0;
    co_return;
  }
  if (++alarm_failures_ > alarm_retries_max) {
    alarm_failures_ = 0;
    co_return;
  }
  co_await sleep(first_retry * (std::int64_t{1} << (alarm_failures_ - 1)));
  if (!disk_.alarm) disk_.alarm = again;
}

}  // namespace escapement
