// The intrusive list against a deque: every short history, then long random ones.

#include <escapement/core/list.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>

#include "support/enumerate.h"

using namespace escapement;

namespace {

struct Node : ListNode {
  explicit Node(int number) : id(number) {}
  int id;
};

// Two lists and a few nodes, each in one of the lists or in none; and what they should hold.
class Subject {
 public:
  static constexpr int nodes = 3;
  static constexpr int operations = 6;

  Subject() {
    for (int i = 0; i < nodes; ++i) nodes_.push_back(std::make_unique<Node>(i));
  }

  // `chosen` picks the operation, the node and the list.
  void apply(std::size_t operation, std::size_t node, std::size_t list) {
    Node& subject = *nodes_[node];
    const bool free = !subject.linked();
    std::deque<int>& model = models_[list];
    const int id = static_cast<int>(node);
    switch (operation) {
      case 0:
        if (free) lists_[list].push_back(subject), model.push_back(id);
        break;
      case 1:
        if (free) lists_[list].push_front(subject), model.push_front(id);
        break;
      case 2:
        subject.unlink();
        for (std::deque<int>& each : models_) std::erase(each, id);
        break;
      case 3: {
        Node* first = lists_[list].pop_front();
        CHECK((first == nullptr) == model.empty());
        if (first != nullptr) {
          CHECK(first->id == model.front());
          CHECK_FALSE(first->linked());
          model.pop_front();
        }
        break;
      }
      case 4:
        lists_[list].splice_back(lists_[1 - list]);
        model.insert(model.end(), models_[1 - list].begin(), models_[1 - list].end());
        models_[1 - list].clear();
        break;
      case 5:  // destroyed: leaves whatever list it was in
        nodes_[node] = std::make_unique<Node>(id);
        for (std::deque<int>& each : models_) std::erase(each, id);
        break;
    }
  }

  bool agrees() {
    for (int i = 0; i < 2; ++i) {
      std::deque<int> seen;
      for (Node& node : lists_[i]) seen.push_back(node.id);
      if (seen != models_[i] || lists_[i].empty() != models_[i].empty()) return false;
      if (!seen.empty() && (lists_[i].front().id != seen.front() || lists_[i].back().id != seen.back()))
        return false;
    }
    return true;
  }

 private:
  std::vector<std::unique_ptr<Node>> nodes_;
  List<Node> lists_[2];
  std::deque<int> models_[2];
};

}  // namespace

TEST_CASE("List: every history of three operations agrees with the model") {
  test::Enumerate every;
  while (every.next()) {
    Subject subject;
    subject.apply(every.up_to(1), 0, 0);
    for (int i = 0; i < 3; ++i) {
      const std::size_t operation = every.up_to(Subject::operations - 1);
      const std::size_t node = every.up_to(Subject::nodes - 1);
      subject.apply(operation, node, every.up_to(1));
      INFO("choices " << every.describe());
      REQUIRE(subject.agrees());
    }
  }
}

TEST_CASE("List: long random histories agree with the model") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    Subject subject;
    for (int i = 0; i < 1000; ++i) {
      const std::size_t operation = random.up_to(Subject::operations - 1);
      const std::size_t node = random.up_to(Subject::nodes - 1);
      subject.apply(operation, node, random.up_to(1));
      INFO("seed " << seed << ", step " << i);
      REQUIRE(subject.agrees());
    }
  }
}

TEST_CASE("List: destroying a list leaves its nodes free") {
  Node node(1);
  {
    List<Node> list;
    list.push_back(node);
    CHECK(node.linked());
  }
  CHECK_FALSE(node.linked());
  List<Node> other;
  other.push_back(node);
  CHECK(other.pop_front() == &node);
}

TEST_CASE("List: insert_before puts a node in the middle") {
  Node a(1), b(2), c(3);
  List<Node> list;
  list.push_back(a);
  list.push_back(c);
  list.insert_before(c, b);
  std::vector<int> seen;
  for (Node& node : list) seen.push_back(node.id);
  CHECK(seen == std::vector<int>{1, 2, 3});
}

TEST_CASE("Enumerate: each combination once, in order, with choices that depend on others") {
  test::Enumerate every;
  std::vector<std::vector<bool>> seen;
  while (every.next()) {
    std::vector<bool> flags(every.up_to(3));
    for (std::size_t i = 0; i < flags.size(); ++i) flags[i] = every.flip();
    seen.push_back(flags);
  }
  CHECK(seen.size() == 1 + 2 + 4 + 8);
  std::sort(seen.begin(), seen.end());
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("List: nodes unlink themselves") {
  struct Node : ListNode {
    int id = 0;
  };
  List<Node> list;
  Node a;
  Node b;
  {
    Node gone;
    list.push_back(a);
    list.push_back(gone);
    list.push_front(b);
  }
  CHECK(list.pop_front() == &b);
  CHECK(list.pop_front() == &a);
  CHECK(list.empty());
}
