// What esc-timers measures: loops that can sleep. One file per contender.

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
  // Arms one timer of `length` on a loop that has nothing else, runs the loop until it fires, and says how
  // late that was: the clock in the timer's callback, minus (the clock before arming plus `length`), both
  // CLOCK_MONOTONIC. Negative: early.
  virtual Duration sleep(Duration length) = 0;

  // The same with `at_once` timers in the loop at any time, `count` in all, each of `length` to an eighth
  // more. Appends how late each was; false: this contender does not offer it.
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

// Our backends and their options. `precision` gives warm_up and spin of the variants that use them; slack is
// set for all contenders alike, by whoever measures.
void add_ours(std::vector<Contender>& contenders, Precision precision);
// The kernel's calls alone.
void add_floors(std::vector<Contender>& contenders);
// The peers whose packages were found when this was built.
void add_peers(std::vector<Contender>& contenders);

}  // namespace escapement::lateness
