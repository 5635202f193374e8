// CachingResolver: remembers the answers of another Resolver.
//
// Source: RFC 1035 section 3.2.1 (TTL), RFC 2308 (negative answers), RFC 8767 is not applied: an answer that
// is too old is not used.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <escapement/core/reactor.h>
#include <escapement/core/scope.h>
#include <escapement/io/resolver.h>

namespace escapement {

// Settings of a cache.
struct DnsCacheOptions {
  // The most answers that are kept, one for a name and a family. One more replaces the one that would be
  // dropped first. 0: none is kept.
  std::size_t entries_max = 1000;
  // An answer is kept for its TTL, at most for this.
  Duration ttl_max = 1h;
  // The time for which it is remembered that a name does not exist, or has no address of a family, if the
  // server says none. Other failures are not remembered.
  Duration negative_ttl = 5s;
  // The longest time that counts of those that a server says, in the SOA record of such an answer: a name
  // that comes into being is found that late.
  Duration negative_ttl_max = 5min;
};

// Answers count from the reactor's clock. Look-ups of one name and family that overlap are one: a look-up
// that has begun goes on when its task is cancelled, and its answer is kept.
class CachingResolver final : public Resolver {
 public:
  // Both must outlive this.
  CachingResolver(Reactor& reactor, Resolver& source, DnsCacheOptions options = DnsCacheOptions());
  CachingResolver(const CachingResolver&) = delete;
  // Fails the look-ups under way with cancelled.
  ~CachingResolver() override;

  Task<Resolved> lookup(std::string host, std::uint16_t port, AddressFamily family) override;

  // Forgets all answers: for a program that knows that its network has changed.
  void clear();
  // Returns the number of answers that are kept, those that are too old included.
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry;
  using Key = std::pair<std::string, AddressFamily>;

  std::shared_ptr<Entry> entry_for(std::string host, AddressFamily family);
  void make_room();
  static Task<> ask(CachingResolver& self, std::shared_ptr<Entry> entry, Key key);

  Reactor& reactor_;
  Resolver& source_;
  DnsCacheOptions options_;
  std::map<Key, std::shared_ptr<Entry>> entries_;
  Scope scope_;
};

}  // namespace escapement
