// An intrusive doubly linked list whose nodes unlink themselves when they are destroyed.
//
// Inserting and removing never allocate and take constant time; a node is in at most one list. The list does
// not own its nodes; destroying a list leaves them unlinked. This is what makes "destroying cancels" cheap:
// everything that waits is a node in some list, and leaves it by its destructor.

#pragma once

#include <cstddef>
#include <iterator>

#include <escapement/core/detail/check.h>

namespace escapement {

// The base class of a type that can be put into a `List<T>`. Neither copied nor moved: others point at it.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  // Returns whether the node is in a list.
  bool linked() const { return next_ != nullptr; }

  // Takes the node out of its list, if it is in one.
  void unlink() {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class>
  friend class List;

  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

template <class T>
class List {
 public:
  List() { reset(); }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    clear();
    end_.next_ = end_.previous_ = nullptr;
  }

  // Returns whether the list has no node.
  bool empty() const { return end_.next_ == &end_; }

  // The node must not be in any list.
  void push_back(T& node) { insert_before(end_, node); }
  void push_front(T& node) { insert_before(*end_.next_, node); }
  void insert_before(ListNode& position, T& node) {
    ListNode& inserted = node;
    ESC_CHECK(!inserted.linked(),
              "a node was put into a second list: does something wait for two things at once?");
    inserted.previous_ = position.previous_;
    inserted.next_ = &position;
    position.previous_->next_ = &inserted;
    position.previous_ = &inserted;
  }

  // Returns the first node. The list must not be empty.
  T& front() { return static_cast<T&>(*end_.next_); }
  // Returns the last node. The list must not be empty.
  T& back() { return static_cast<T&>(*end_.previous_); }

  // Unlinks and returns the first node; null when empty.
  T* pop_front() {
    if (empty()) return nullptr;
    ListNode* const first = end_.next_;
    end_.next_ = first->next_;
    end_.next_->previous_ = &end_;
    first->next_ = first->previous_ = nullptr;
    return static_cast<T*>(first);
  }

  // Moves all nodes of `other`, in order, to the end of this list.
  void splice_back(List& other) {
    if (other.empty()) return;
    ListNode* first = other.end_.next_;
    ListNode* last = other.end_.previous_;
    first->previous_ = end_.previous_;
    end_.previous_->next_ = first;
    last->next_ = &end_;
    end_.previous_ = last;
    other.reset();
  }

  // Unlinks all nodes.
  void clear() {
    while (pop_front() != nullptr) {
    }
  }

  // Forward iteration. The current node must not be removed while it is visited.
  class iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;

    iterator() = default;
    explicit iterator(ListNode* at) : at_(at) {}
    T& operator*() const { return static_cast<T&>(*at_); }
    iterator& operator++() {
      at_ = List::next_of(at_);
      return *this;
    }
    iterator operator++(int) {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator&) const = default;

   private:
    ListNode* at_ = nullptr;
  };
  iterator begin() const { return iterator(end_.next_); }
  iterator end() const { return iterator(const_cast<ListNode*>(&end_)); }

 private:
  static ListNode* next_of(ListNode* node) { return node->next_; }
  void reset() { end_.next_ = end_.previous_ = &end_; }

  ListNode end_;
};

}  // namespace escapement
