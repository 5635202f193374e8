// The contenders that esc-timers measures: loops that can sleep. One file per contender.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <escapement/io/native/precision.h>

namespace escapement::lateness {

// One loop of one contender. Made, used and destroyed on one thread.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  // Arms one timer of `length` on a loop that has nothing else, runs the loop until it fires, and returns how
  // late that was: the clock in the timer's callback, minus (the clock before arming plus `length`), both
  // CLOCK_MONOTONIC. Negative: early.
  virtual Duration sleep(Duration length) = 0;

  // Does the same with `at_once` timers in the loop at any time, `count` in all, each of `length` to an
  // eighth more. Appends how late each was. Returns false if this contender does not support it.
  virtual bool many(Duration length, int count, int at_once, std::vector<Duration>& late) {
    static_cast<void>(length), static_cast<void>(count), static_cast<void>(at_once), static_cast<void>(late);
    return false;
  }
};

enum class Kind { ours, floor, peer };

struct Contender {
  std::string name;
  std::string what;  // a line for --list
  Kind kind;
  std::function<std::unique_ptr<Sleeper>()> make;
};

// Adds our backends with their options. `precision` sets warm_up and spin for the variants that use them; the
// measuring code sets the slack, for all contenders alike.
void add_ours(std::vector<Contender>& contenders, Precision precision);
// Adds the kernel's calls alone.
void add_floors(std::vector<Contender>& contenders);
// Adds the peers whose packages were found at build time.
void add_peers(std::vector<Contender>& contenders);

}  // namespace escapement::lateness
