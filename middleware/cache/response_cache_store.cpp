#include <escapement/middleware/cache/response_cache_store.h>

#include <algorithm>

#include <escapement/core/list.h>
#include <escapement/middleware/cache/detail/stored_head_text.h>
#include <escapement/middleware/client/detail/hashes.h>

namespace escapement::http {

namespace {

constexpr std::string_view list_magic = "ESCLIST1";
constexpr std::size_t list_bytes_max = 4 * MiB;
constexpr int id_random_bits = 20;  // of an id, below its time in milliseconds

// One response of a key.
struct Listed {
  Listed(StoredHead h, SystemTime u) : head(std::move(h)), until(u) {}
  StoredHead head;
  SystemTime until;  // when its body is gone
};

// The responses of a key.
struct KeyList {
  KeyList() = default;
  std::uint64_t dropped = 0;  // what was begun before this id must not be added
  std::vector<Listed> all;

  std::string text() const {
    detail::TextWriter to;
    to.text(list_magic);
    to.number(static_cast<std::int64_t>(dropped));
    to.number(static_cast<std::int64_t>(all.size()));
    for (const Listed& each : all) {
      to.number(static_cast<std::int64_t>(each.head.id));
      to.number(each.until.unix_milliseconds());
      to.head(each.head);
    }
    return to.take();
  }
  // Reads a text; a list that is none is empty.
  static KeyList read(std::string_view text) {
    detail::TextReader from(text);
    KeyList list;
    if (from.text() != list_magic) return list;
    list.dropped = static_cast<std::uint64_t>(from.number());
    for (std::int64_t left = from.number(); left > 0 && !from.failed(); --left) {
      const auto id = static_cast<std::uint64_t>(from.number());
      const SystemTime until = SystemTime::from_unix_milliseconds(from.number());
      list.all.emplace_back(from.head(), until);
      list.all.back().head.id = id;
    }
    return from.failed() ? KeyList() : list;
  }
};

Response kept_for(Duration keep, std::string_view bytes) {
  Response response(200, Headers(), Body(bytes));
  response.headers.set("Cache-Control", "max-age=" + std::to_string(keep / Duration(1s)));
  response.headers.set("Content-Type", "application/octet-stream");
  return response;
}

}  // namespace

class ResponseCacheStore::State {
 public:
  // A change of a key's list that is under way. If the key is dropped meanwhile, it does not take place.
  struct Change : ListNode {
    Change(State& state, const std::string& k) : key(k) { state.changes.push_back(*this); }
    Change(const Change&) = delete;
    const std::string key;
    bool dropped = false;
  };

  State(std::shared_ptr<ResponseCache> c, ResponseCacheStoreOptions o)
      : cache(std::move(c)), options(std::move(o)) {
    ESC_CHECK(cache != nullptr && options.keep >= 1s && options.variants_max > 0);
    ESC_CHECK(options.prefix.ends_with('/') && Url::parse(options.prefix));
  }

  // Returns the URL of a key's list, or of a body of it.
  Url url(const std::string& key, std::uint64_t id = 0) const {
    std::string text = options.prefix + detail::sha256_hex(key);
    if (id != 0) text += '/' + std::to_string(id);
    return *Url::parse(text);
  }

  // Returns a number that is greater than those of what was begun before.
  std::uint64_t next_id(Reactor& reactor) {
    const auto now = static_cast<std::uint64_t>(reactor.backend().system_now().unix_milliseconds());
    const std::uint64_t id = now << id_random_bits | reactor.random().up_to((1u << id_random_bits) - 1);
    return last_id = std::max(id, last_id + 1);
  }

  Task<KeyList> read_list(const std::string& key) {
    std::optional<Response> found = co_await cache->match(url(key));
    if (!found) co_return KeyList();
    std::string text = co_await found->body.text(list_bytes_max);
    co_return KeyList::read(text);
  }

  Task<> write_list(const std::string& key, const KeyList& list) {
    co_await cache->put(url(key), kept_for(options.keep, list.text()));
  }

  // Writes a list that was changed, unless the key was dropped since it was read. Yields whether it stands.
  Task<bool> replace_list(const Change& change, const KeyList& list, Reactor& reactor) {
    if (change.dropped) co_return false;
    co_await write_list(change.key, list);
    if (!change.dropped) co_return true;
    co_await drop_list(change.key, reactor);  // the one who dropped it may have been overtaken
    co_return false;
  }

  Task<> drop_list(const std::string& key, Reactor& reactor) {
    KeyList none;
    none.dropped = next_id(reactor);
    co_await write_list(key, none);
  }

  const std::shared_ptr<ResponseCache> cache;
  const ResponseCacheStoreOptions options;
  List<Change> changes;
  std::uint64_t last_id = 0;
};

class ResponseCacheStore::Writing final : public Writer {
 public:
  Writing(std::shared_ptr<State> state, std::string key, StoredHead head, Reactor& reactor)
      : state_(std::move(state)), change_(*state_, key), head_(std::move(head)), reactor_(reactor) {
    head_.id = state_->next_id(reactor);
  }

  Task<bool> write(std::string_view bytes) override {
    if (bytes.size() > state_->options.entry_bytes_max - bytes_.size()) co_return false;
    bytes_ += bytes;
    co_return true;
  }

  Task<bool> commit() override {
    KeyList list = co_await state_->read_list(change_.key);
    if (is_outdated(list)) co_return false;
    const SystemTime until = reactor_.backend().system_now() + state_->options.keep;
    co_await state_->cache->put(state_->url(change_.key, head_.id), kept_for(state_->options.keep, bytes_));
    std::vector<std::uint64_t> replaced = make_room(list);
    list.all.emplace_back(head_, until);
    const bool stands = co_await state_->replace_list(change_, list, reactor_);
    for (const std::uint64_t id : replaced) co_await state_->cache->remove(state_->url(change_.key, id));
    co_return stands;
  }

 private:
  bool is_outdated(const KeyList& list) const {
    return change_.dropped || list.dropped > head_.id ||
           std::any_of(list.all.begin(), list.all.end(), [this](const Listed& each) {
             return each.head.id > head_.id && each.head.varying == head_.varying;
           });
  }

  // Takes out the response that this one replaces, those whose body is gone, and the oldest ones where there
  // are too many. Returns their ids.
  std::vector<std::uint64_t> make_room(KeyList& list) const {
    const SystemTime now = reactor_.backend().system_now();
    std::vector<std::uint64_t> ids;
    std::erase_if(list.all, [this, now, &ids](const Listed& each) {
      const bool goes = each.head.varying == head_.varying || each.until <= now;
      if (goes) ids.push_back(each.head.id);
      return goes;
    });
    while (list.all.size() >= state_->options.variants_max) {
      ids.push_back(list.all.front().head.id);
      list.all.erase(list.all.begin());
    }
    return ids;
  }

  std::shared_ptr<State> state_;
  State::Change change_;
  StoredHead head_;
  Reactor& reactor_;
  std::string bytes_;
};

ResponseCacheStore::ResponseCacheStore(std::shared_ptr<ResponseCache> cache,
                                       ResponseCacheStoreOptions options)
    : state_(std::make_shared<State>(std::move(cache), std::move(options))) {}
ResponseCacheStore::~ResponseCacheStore() = default;

Task<CacheStore::Found> ResponseCacheStore::find(std::string key) {
  Reactor& reactor = co_await this_reactor;
  KeyList list = co_await state_->read_list(key);
  const SystemTime now = reactor.backend().system_now();
  Found found;
  for (Listed& each : list.all) {
    if (each.until > now) found.push_back(std::make_shared<const StoredHead>(std::move(each.head)));
  }
  co_return std::move(found);
}

Task<std::optional<Body>> ResponseCacheStore::open(std::string key, std::uint64_t id) {
  std::optional<Response> found = co_await state_->cache->match(state_->url(key, id));
  if (!found) co_return std::nullopt;
  co_return std::move(found->body);
}

Task<std::unique_ptr<CacheStore::Writer>> ResponseCacheStore::store(std::string key, StoredHead head,
                                                                    std::optional<std::uint64_t> length) {
  Reactor& reactor = co_await this_reactor;
  if (length && *length > state_->options.entry_bytes_max) co_return nullptr;
  co_return std::make_unique<Writing>(state_, std::move(key), std::move(head), reactor);
}

Task<> ResponseCacheStore::freshen(std::string key, StoredHead head) {
  const std::shared_ptr<State> state = state_;
  Reactor& reactor = co_await this_reactor;
  State::Change change(*state, key);
  KeyList list = co_await state->read_list(key);
  const auto at = std::find_if(list.all.begin(), list.all.end(),
                               [&head](const Listed& each) { return each.head.id == head.id; });
  if (at == list.all.end()) co_return;
  at->head = std::move(head);
  bool stands = co_await state->replace_list(change, list, reactor);
  (void)stands;
}

Task<> ResponseCacheStore::remove(std::string key, std::uint64_t id) {
  const std::shared_ptr<State> state = state_;
  Reactor& reactor = co_await this_reactor;
  State::Change change(*state, key);
  for (State::Change& other : state->changes)
    other.dropped |= id == 0 && &other != &change && other.key == key;
  KeyList list = co_await state->read_list(key);
  std::vector<std::uint64_t> gone;
  std::erase_if(list.all, [id, &gone](const Listed& each) {
    const bool goes = id == 0 || each.head.id == id;
    if (goes) gone.push_back(each.head.id);
    return goes;
  });
  if (id == 0) {
    co_await state->drop_list(key, reactor);
  } else if (!gone.empty()) {
    bool stands = co_await state->replace_list(change, list, reactor);
    (void)stands;
  }
  for (const std::uint64_t each : gone) co_await state->cache->remove(state->url(key, each));
}

}  // namespace escapement::http
