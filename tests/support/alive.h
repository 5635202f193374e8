// Counts how many of something are alive: what a cancelled task must have let go of.

#pragma once

namespace escapement::test {

struct Alive {
  explicit Alive(int& c) : count(c) { ++count; }
  Alive(const Alive&) = delete;
  ~Alive() { --count; }
  int& count;
};

}  // namespace escapement::test
