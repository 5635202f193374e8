#include <escapement/io/dns_cache.h>

#include <algorithm>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/defer.h>
#include <escapement/core/event.h>

namespace escapement {

struct CachingResolver::Entry {
  Result<Resolved> answer = Error(Errc::cancelled, "the look-up was stopped");
  Instant expires = Instant::never();
  Event answered;
};

CachingResolver::CachingResolver(Reactor& reactor, Resolver& source, DnsCacheOptions options)
    : reactor_(reactor), source_(source), options_(options), scope_(reactor, nullptr) {}

CachingResolver::~CachingResolver() {
  scope_.cancel();
  for (auto& [key, entry] : entries_) entry->answered.set();
}

void CachingResolver::clear() {
  std::erase_if(entries_, [](const auto& entry) { return entry.second->answered.is_set(); });
}

// Drops what is too old, and if that is not enough, the answer that will be next.
void CachingResolver::make_room() {
  if (entries_.size() <= options_.entries_max) return;
  const Instant now = reactor_.now();
  std::erase_if(entries_, [now](const auto& entry) { return entry.second->expires <= now; });
  if (entries_.size() <= options_.entries_max) return;
  const auto sooner = [](const auto& a, const auto& b) { return a.second->expires < b.second->expires; };
  const auto first = std::min_element(entries_.begin(), entries_.end(), sooner);
  if (first->second->answered.is_set()) entries_.erase(first);
}

std::shared_ptr<CachingResolver::Entry> CachingResolver::entry_for(std::string host, AddressFamily family) {
  Key key(lower(host), family);
  const auto at = entries_.find(key);
  if (at != entries_.end() && reactor_.now() < at->second->expires) return at->second;
  if (at != entries_.end()) entries_.erase(at);
  auto entry = std::make_shared<Entry>();
  scope_.spawn(ask(*this, entry, key));
  entries_[std::move(key)] = entry;
  return entry;
}

Task<> CachingResolver::ask(CachingResolver& self, std::shared_ptr<Entry> entry, Key key) {
  // A look-up that ends without an answer, for want of memory, is over as well.
  const Defer over([&] {
    if (entry->answered.is_set()) return;
    self.entries_.erase(key);
    entry->answered.set();
  });
  ResolverAnswer outcome = co_await self.source_.answer(key.first, 0, key.second);
  Result<Resolved>& answer = outcome.found;
  Duration ttl;
  if (!answer && answer.error() == Errc::not_found) {
    ttl = self.options_.negative_ttl;
    if (outcome.negative_ttl) ttl = std::min(*outcome.negative_ttl, self.options_.negative_ttl_max);
  }
  if (answer) ttl = std::min(answer->ttl, self.options_.ttl_max);
  entry->expires = self.reactor_.precise_now() + ttl;
  entry->answer = std::move(answer);
  entry->answered.set();
  if (ttl <= Duration()) self.entries_.erase(key);
  self.make_room();
}

Task<Resolved> CachingResolver::lookup(std::string host, std::uint16_t port, AddressFamily family) {
  Reactor& reactor = reactor_;  // the cache may be gone by the time that the answer is
  const std::shared_ptr<Entry> entry = entry_for(std::move(host), family);
  co_await entry->answered.wait();
  if (!entry->answer) co_return entry->answer.error();
  Resolved found = *entry->answer;
  found.ttl = std::max(entry->expires - reactor.now(), Duration());
  for (SocketAddress& address : found.addresses) address.set_port(port);
  co_return std::move(found);
}

}  // namespace escapement
