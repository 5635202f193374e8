// FairShare: makes a task that never has to wait let others run now and then.

#pragma once

namespace escapement::detail {

// Counts operations in a row that did not have to wait. Every 128th is to yield: a task that finds everything
// ready must not hold up the reactor (Reactor::budget).
class FairShare {
 public:
  static constexpr int most = 127;

  // Counts an operation that need not wait. Returns false if it has to yield nevertheless.
  bool take() {
    if (++taken_ <= most) return true;
    taken_ = 0;
    return false;
  }
  // Called when an operation waits: others run meanwhile.
  void waits() { taken_ = 0; }

 private:
  int taken_ = 0;
};

}  // namespace escapement::detail
