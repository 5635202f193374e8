// Turns with a watcher. In a file of their own, so that a program without one does not link them.

#include <algorithm>

#include <escapement/core/detail/task_locals.h>
#include <escapement/core/detail/turn.h>

namespace escapement {

void Reactor::watch_turns(TurnWatcher* watcher) {
  watcher_ = watcher;
  if (watcher != nullptr) {
    run_queues_otherwise_ = &Reactor::run_queues_watched;
  } else {
    run_queues_otherwise_ = locals_ == nullptr ? nullptr : locals_->run_queues;
  }
}

void Reactor::note_part(const void* code, Duration took) {
  if (took < part_length_) return;
  part_length_ = took;
  part_code_ = code;
}

bool Reactor::run_queues_watched() {
  Turn turn;
  turn.began = now_;
  turn.lateness = std::max(now_ - next_deadline(), Duration());
  collect_due();
  if (!anything_queued()) return false;
  Instant before = precise_now();
  turn.timers = run_batches([&](Runnable& runnable) {
    const void* code = runnable.code();  // the runnable may be gone afterwards
    part_length_ = Duration();
    part_code_ = nullptr;
    if (locals_ != nullptr) locals_->enter(&runnable);
    runnable.run();
    const Instant after = precise_now();
    ++turn.resumed;
    if (after - before >= turn.longest) {
      turn.longest = after - before;
      turn.longest_code = part_code_ != nullptr && part_length_ * 2 >= turn.longest ? part_code_ : code;
    }
    before = after;
  });
  if (locals_ != nullptr) locals_->enter(nullptr);
  turn.length = before - turn.began;
  if (watcher_ != nullptr) watcher_->turn_ended(turn);
  return true;
}

}  // namespace escapement
