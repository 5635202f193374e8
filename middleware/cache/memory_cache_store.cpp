#include <escapement/middleware/cache/memory_cache_store.h>

#include <escapement/core/bytes.h>
#include <escapement/middleware/cache/detail/cache_index.h>

namespace escapement::http {

namespace {

constexpr std::size_t piece = 64 * KiB;

using Bytes = std::shared_ptr<const std::string>;
using Index = detail::CacheIndex<Bytes>;

// Reads bytes that others read too.
class SharedSource final : public BodySource {
 public:
  explicit SharedSource(Bytes bytes) : bytes_(std::move(bytes)) {}
  Task<std::string> read() override {
    std::string next = bytes_->substr(taken_, piece);
    taken_ += next.size();
    co_return std::move(next);
  }
  std::optional<std::uint64_t> length() const override { return bytes_->size(); }

 private:
  Bytes bytes_;
  std::size_t taken_ = 0;
};

}  // namespace

class MemoryCacheStore::State {
 public:
  explicit State(CacheStoreLimits limits) : index(limits, {}) {}
  Index index;
};

class MemoryCacheStore::Writing final : public Writer {
 public:
  Writing(std::shared_ptr<State> state, std::string key, StoredHead head)
      : state_(std::move(state)), pending_(state_->index, std::move(key)), head_(std::move(head)) {
    head_.id = state_->index.next_id();
  }

  Task<bool> write(std::string_view bytes) override {
    if (bytes.size() > state_->index.limits().entry_bytes_max - bytes_.size()) co_return false;
    bytes_ += bytes;
    co_return true;
  }
  Task<bool> commit() override {
    const std::uint64_t size = bytes_.size();
    bytes_.shrink_to_fit();
    auto head = std::make_shared<const StoredHead>(std::move(head_));
    auto bytes = std::make_shared<const std::string>(std::move(bytes_));
    Index::Entry entry(pending_.key, std::move(head), size, std::move(bytes));
    co_return state_->index.add(std::move(entry), pending_);
  }

 private:
  std::shared_ptr<State> state_;
  Index::Pending pending_;
  StoredHead head_;
  std::string bytes_;
};

MemoryCacheStore::MemoryCacheStore(CacheStoreLimits limits) : state_(std::make_shared<State>(limits)) {}
MemoryCacheStore::~MemoryCacheStore() = default;

std::size_t MemoryCacheStore::size() const { return state_->index.size(); }
std::uint64_t MemoryCacheStore::bytes() const { return state_->index.bytes(); }

Task<CacheStore::Found> MemoryCacheStore::find(std::string key) { co_return state_->index.find(key); }

Task<std::optional<Body>> MemoryCacheStore::open(std::string key, std::uint64_t id) {
  const Index::Entry* const entry = state_->index.use(key, id);
  if (entry == nullptr) co_return std::nullopt;
  if (entry->content->size() <= piece) co_return Body(*entry->content);
  co_return Body(std::make_unique<SharedSource>(entry->content));
}

Task<std::unique_ptr<CacheStore::Writer>> MemoryCacheStore::store(std::string key, StoredHead head,
                                                                  std::optional<std::uint64_t> length) {
  if (length && *length > state_->index.limits().entry_bytes_max) co_return nullptr;
  co_return std::make_unique<Writing>(state_, std::move(key), std::move(head));
}

Task<> MemoryCacheStore::freshen(std::string key, StoredHead head) {
  state_->index.freshen(key, std::move(head));
  co_return;
}

Task<> MemoryCacheStore::remove(std::string key, std::uint64_t id) {
  state_->index.remove(key, id);
  co_return;
}

}  // namespace escapement::http
