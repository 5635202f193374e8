// Periodic work with a deadline for each round. main.cpp runs it on the machine's clock, app_test.cpp on a
// simulated one.

#pragma once

#include <functional>

#include <escapement/core/task.h>
#include <escapement/core/time.h>

// Calls `work()` once a second, `rounds` times. Cancels a round that takes longer than 300 ms. Returns how
// many were cancelled.
escapement::Task<int> tick(int rounds, std::function<escapement::Task<>()> work);
