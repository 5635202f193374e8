// Measures contenders side by side, so that the machine's noise affects all of them alike.
//
// Each contender sleeps in threads of its own ("lanes"), one timer in one loop at a time. The lanes of all
// contenders take turns by the clock:
//
//     epoll     |--- 1 ms ---*              |--- 1 ms ---*            one period
//     timerfd         |--- 1 ms ---*              |--- 1 ms ---*
//     libuv                 |--- 1 ms ---*              |--- 1 ms ---*
//                     gap
//
// Short targets do not overlap; where long ones do, they end between the others' starts. Targets and loads
// alternate in several rounds for the same reason.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/timers/summary.h"

namespace escapement::lateness {

struct Settings {
  std::vector<double> targets_ms;
  // The numbers of busy threads that run at the same time; each entry is measured.
  std::vector<int> loads;
  // Samples per contender, target and load; 0: as many as `seconds` allow.
  int count = 0;
  double seconds = 60;  // for everything together
  // If above 1: this many timers in each loop, one contender after the other. Needs `count`.
  int at_once = 1;
  // The timer slack of every sleeping thread, for all contenders; 0: the system's.
  Duration timer_slack = 1ns;
  // Called now and then with the fraction of the work that is done.
  std::function<void(double done)> progress;
};

std::vector<Row> measure(const std::vector<Contender>& contenders, const Settings& settings);

}  // namespace escapement::lateness
