#include <escapement/middleware/cache/disk_cache_store.h>

#include <algorithm>

#include <escapement/core/bytes.h>
#include <escapement/io/native/file.h>
#include <escapement/io/native/folder.h>
#include <escapement/middleware/cache/detail/cache_index.h>
#include <escapement/middleware/cache/detail/response_file.h>
#include <escapement/middleware/files/file_body.h>

namespace escapement::http {

namespace {

constexpr std::string_view whole_name = ".response";
constexpr std::string_view part_name = ".part";
constexpr std::size_t piece = 256 * KiB;   // that is read or written at once
constexpr std::size_t head_max = 1 * MiB;  // longer ones are not ours
constexpr std::size_t digits = 16;

// A file, as the index knows it.
class OnDisk {
 public:
  OnDisk(std::uint32_t sum, bool is_checked) : body_checksum(sum), checked(is_checked) {}
  std::uint32_t body_checksum;
  bool checked;  // the body is known to be whole
};

using Index = detail::CacheIndex<OnDisk>;

std::string name_of(std::uint64_t id, std::string_view end) {
  constexpr std::string_view all = "0123456789abcdef";
  std::string name;
  for (int shift = 60; shift >= 0; shift -= 4) name += all[id >> shift & 15];
  return name.append(end);
}

std::optional<std::uint64_t> id_of(std::string_view name) {
  if (name.size() != digits + whole_name.size() || !name.ends_with(whole_name)) return std::nullopt;
  std::uint64_t id = 0;
  for (const char c : name.substr(0, digits)) {
    if (!is_hex_digit(c)) return std::nullopt;
    id = id << 4 | static_cast<std::uint64_t>(hex_value(c));
  }
  return id;
}

// Reads one file's end; nullopt if it is torn, or is no response.
Task<std::optional<Index::Entry>> read_entry(ThreadPool& pool, std::string path, std::uint64_t id) {
  File file = co_await File::open(pool, std::move(path));
  const std::uint64_t size = co_await file.size();
  if (size < detail::ResponseTrailer::size) co_return std::nullopt;
  std::string bytes =
      co_await file.read_at(size - detail::ResponseTrailer::size, detail::ResponseTrailer::size);
  const std::optional<detail::ResponseTrailer> trailer = detail::read_trailer(bytes);
  if (!trailer || trailer->head_size > head_max) co_return std::nullopt;
  const std::uint64_t end = trailer->head_size + detail::ResponseTrailer::size;
  if (end > size || size - end != trailer->body_size) co_return std::nullopt;
  bytes = co_await file.read_at(trailer->body_size, static_cast<std::size_t>(end));
  std::optional<detail::KeyedHead> head = detail::read_file_end(bytes, *trailer);
  if (!head) co_return std::nullopt;
  head->head.id = id;
  auto shared = std::make_shared<const StoredHead>(std::move(head->head));
  const OnDisk content(trailer->body_checksum, false);
  co_return Index::Entry(std::move(head->key), std::move(shared), trailer->body_size, content);
}

// Yields whether the body of a file has this checksum.
Task<bool> is_whole(File file, std::uint64_t size, std::uint32_t expected) {
  std::uint32_t sum = detail::checksum(0, {});
  for (std::uint64_t at = 0; at < size;) {
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(piece, size - at));
    std::string bytes = co_await file.read_at(at, most);
    if (bytes.empty()) co_return false;
    sum = detail::checksum(sum, bytes);
    at += bytes.size();
  }
  co_return sum == expected;
}

}  // namespace

class DiskCacheStore::State {
 public:
  State(ThreadPool& p, std::string f, CacheStoreLimits limits)
      : pool(p), folder(std::move(f)), index(limits, [this](Index::Entry& entry) {
          doomed.push_back(name_of(entry.head->id, whole_name));
        }) {}
  State(const State&) = delete;

  std::string path(const std::string& name) const { return folder + '/' + name; }

  // Removes the files that nobody needs any more.
  Task<> clean_up() {
    while (!doomed.empty()) {
      const std::string name = std::move(doomed.back());
      doomed.pop_back();
      Result<> removed = co_await remove_file(pool, path(name)).result();
      (void)removed;  // what is left is removed when the folder is opened again
    }
  }

  // Lists the folder.
  Task<> load() {
    Folder listing = co_await Folder::open(pool, folder);
    std::vector<Index::Entry> entries;
    for (;;) {
      std::optional<FolderEntry> found = co_await listing.next();
      if (!found) break;
      const std::optional<std::uint64_t> id = id_of(found->name);
      if (!id) {
        if (found->name.ends_with(whole_name) || found->name.ends_with(part_name))
          doomed.push_back(found->name);
        continue;
      }
      Result<std::optional<Index::Entry>> entry = co_await read_entry(pool, path(found->name), *id).result();
      if (entry && *entry) {
        entries.push_back(*std::move(*entry));
      } else {
        doomed.push_back(found->name);
      }
    }
    std::sort(entries.begin(), entries.end(), [](const Index::Entry& a, const Index::Entry& b) {
      return a.head->received < b.head->received;
    });
    for (Index::Entry& entry : entries) {
      std::string name = name_of(entry.head->id, whole_name);
      if (!index.add(std::move(entry))) doomed.push_back(std::move(name));
    }
    co_await clean_up();
  }

  ThreadPool& pool;
  std::string folder;
  Index index;
  std::vector<std::string> doomed;  // names of files to remove
};

class DiskCacheStore::Writing final : public Writer {
 public:
  Writing(std::shared_ptr<State> state, std::string key, StoredHead head)
      : state_(std::move(state)), pending_(state_->index, std::move(key)), head_(std::move(head)) {
    head_.id = state_->index.next_id();
  }
  // Begins the file.
  Task<> begin() {
    co_await state_->clean_up();
    OpenOptions options = OpenOptions::create();
    options.permissions = 0600;
    const std::string path = state_->path(name_of(head_.id, part_name));
    File file = co_await File::open(state_->pool, path, options);
    file_ = std::move(file);
  }
  ~Writing() override {
    if (committed_) return;
    state_->doomed.push_back(name_of(head_.id, part_name));
    if (renaming_) state_->doomed.push_back(name_of(head_.id, whole_name));
  }

  Task<bool> write(std::string_view bytes) override {
    if (bytes.size() > state_->index.limits().entry_bytes_max - size_) co_return false;
    size_ += bytes.size();
    sum_ = detail::checksum(sum_, bytes);
    waiting_ += bytes;
    if (waiting_.size() >= piece) co_await flush();
    co_return true;
  }
  Task<bool> commit() override {
    waiting_ += detail::file_end(pending_.key, head_, size_, sum_);
    co_await flush();
    const std::string from = state_->path(name_of(head_.id, part_name));
    renaming_ = true;
    co_await rename_file(state_->pool, from, state_->path(name_of(head_.id, whole_name)));
    committed_ = true;
    std::string name = name_of(head_.id, whole_name);
    auto head = std::make_shared<const StoredHead>(std::move(head_));
    Index::Entry entry(pending_.key, std::move(head), size_, OnDisk(sum_, true));
    const bool added = state_->index.add(std::move(entry), pending_);
    if (!added) state_->doomed.push_back(std::move(name));
    co_await state_->clean_up();
    co_return added;
  }

 private:
  Task<> flush() {
    const std::uint64_t at = written_;
    written_ += waiting_.size();
    co_await file_->write_at(at, std::exchange(waiting_, std::string()));
  }

  std::shared_ptr<State> state_;
  Index::Pending pending_;
  StoredHead head_;
  std::optional<File> file_;
  std::string waiting_;  // not written yet
  std::uint64_t written_ = 0;
  std::uint64_t size_ = 0;
  std::uint32_t sum_ = detail::checksum(0, {});
  bool renaming_ = false;  // has begun; it may have ended
  bool committed_ = false;
};

Task<std::shared_ptr<DiskCacheStore>> DiskCacheStore::open(ThreadPool& pool, std::string folder,
                                                           CacheStoreLimits limits) {
  co_await make_folders(pool, folder, 0700);
  auto state = std::make_shared<State>(pool, std::move(folder), limits);
  co_await state->load();
  co_return std::shared_ptr<DiskCacheStore>(new DiskCacheStore(std::move(state)));
}

DiskCacheStore::DiskCacheStore(std::shared_ptr<State> state) : state_(std::move(state)) {}
DiskCacheStore::~DiskCacheStore() = default;

std::size_t DiskCacheStore::size() const { return state_->index.size(); }
std::uint64_t DiskCacheStore::bytes() const { return state_->index.bytes(); }

Task<CacheStore::Found> DiskCacheStore::find(std::string key) { co_return state_->index.find(key); }

Task<std::optional<Body>> DiskCacheStore::open(std::string key, std::uint64_t id) {
  const std::shared_ptr<State> state = state_;
  const Index::Entry* const entry = state->index.use(key, id);
  if (entry == nullptr) co_return std::nullopt;
  const std::uint64_t size = entry->body_bytes;
  const OnDisk content = entry->content;
  Result<File> file = co_await File::open(state->pool, state->path(name_of(id, whole_name))).result();
  bool whole = content.checked && file;
  if (!whole && file) {
    Result<bool> checked = co_await is_whole(*file, size, content.body_checksum).result();
    whole = checked && *checked;
  }
  if (!whole) {
    state->index.remove(key, id);
    co_await state->clean_up();
    co_return std::nullopt;
  }
  Index::Entry* const still = state->index.use(key, id);
  if (still != nullptr) still->content.checked = true;
  if (size == 0) co_return Body();
  co_return file_body(*std::move(file), ByteRange{0, size});
}

Task<std::unique_ptr<CacheStore::Writer>> DiskCacheStore::store(std::string key, StoredHead head,
                                                                std::optional<std::uint64_t> length) {
  const std::shared_ptr<State> state = state_;
  if (length && *length > state->index.limits().entry_bytes_max) co_return nullptr;
  auto writing = std::make_unique<Writing>(state, std::move(key), std::move(head));
  co_await writing->begin();
  co_return std::move(writing);
}

Task<> DiskCacheStore::freshen(std::string key, StoredHead head) {
  const std::shared_ptr<State> state = state_;
  const std::string path = state->path(name_of(head.id, whole_name));
  const Index::Entry* const entry = state->index.freshen(key, std::move(head));
  if (entry == nullptr) co_return;
  const std::uint64_t at = entry->body_bytes;
  std::string end = detail::file_end(key, *entry->head, at, entry->content.body_checksum);
  const std::uint64_t size = at + end.size();
  File file = co_await File::open(state->pool, path, OpenOptions::read_write());
  co_await file.write_at(at, std::move(end));
  co_await file.truncate(size);
}

Task<> DiskCacheStore::remove(std::string key, std::uint64_t id) {
  const std::shared_ptr<State> state = state_;
  state->index.remove(key, id);
  co_await state->clean_up();
}

}  // namespace escapement::http
