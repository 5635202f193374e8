// The promises of the bindings' interfaces, as tasks that run natively, in simulations and in workerd. Each
// yields the first expectation that does not hold; empty: all do.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include <escapement/io/bindings/kv.h>
#include <escapement/io/bindings/object_store.h>

#define ESC_EXPECT(condition) \
  if (!(condition)) co_return std::string(#condition)

namespace escapement::test {

// `kv` must be empty. Takes no time, so that it needs no clock that moves.
inline Task<std::string> kv_contract(Kv& kv) {
  std::optional<KvEntry> entry = co_await kv.get("none");
  ESC_EXPECT(!entry);
  co_await kv.put("a/1", "one");
  const std::string bytes("zero\0 and \xff\xfe", 12);
  co_await kv.put("a/2", bytes, KvPut(1h, "{\"n\":2}"));
  co_await kv.put("b", "");
  entry = co_await kv.get("a/1");
  ESC_EXPECT(entry && entry->value == "one" && entry->metadata.empty());
  entry = co_await kv.get("a/2");
  ESC_EXPECT(entry && entry->value == bytes && entry->metadata == "{\"n\":2}");
  entry = co_await kv.get("b");
  ESC_EXPECT(entry && entry->value.empty());

  KvPage page = co_await kv.list(KvList("a/"));
  ESC_EXPECT(page.names.size() == 2 && page.cursor.empty());
  ESC_EXPECT(page.names[0].name == "a/1" && !page.names[0].expires && page.names[0].metadata.empty());
  ESC_EXPECT(page.names[1].name == "a/2" && page.names[1].expires && page.names[1].metadata == "{\"n\":2}");
  page = co_await kv.list(KvList("", 2));
  ESC_EXPECT(page.names.size() == 2 && !page.cursor.empty());
  page = co_await kv.list(KvList("", 2, page.cursor));
  ESC_EXPECT(page.names.size() == 1 && page.cursor.empty() && page.names[0].name == "b");

  co_await kv.put("a/1", "another", KvPut(60s));
  entry = co_await kv.get("a/1");
  ESC_EXPECT(entry && entry->value == "another");
  co_await kv.remove("a/1");
  co_await kv.remove("a/1");
  entry = co_await kv.get("a/1");
  ESC_EXPECT(!entry);

  Result<> put = co_await kv.put("", "no key").result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  put = co_await kv.put("..", "two dots").result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  put = co_await kv.put(std::string(513, 'k'), "a long key").result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  put = co_await kv.put("k", "soon", KvPut(59s)).result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  put = co_await kv.put("k", "m", KvPut(Duration::max(), std::string(1025, '1'))).result();
  ESC_EXPECT(!put && put.error() == Errc::limit_exceeded);
  put = co_await kv.put("k", std::string(Kv::value_bytes_max + 1, 'v')).result();
  ESC_EXPECT(!put && put.error() == Errc::limit_exceeded);
  Result<KvPage> none = co_await kv.list(KvList("", 1001)).result();
  ESC_EXPECT(!none && none.error() == Errc::invalid_argument);
  entry = co_await kv.get("k");
  ESC_EXPECT(!entry);
  co_return std::string();
}

// A body of `count` pieces; if that is negative, one that fails before the last.
class Pieces final : public http::BodySource {
 public:
  static constexpr std::size_t bytes = 50'000;  // of a piece
  Pieces(int count, bool stated) : left_(count < 0 ? -count : count), fails_(count < 0) {
    if (stated) length_ = static_cast<std::uint64_t>(left_) * bytes;
  }
  Task<std::string> read() override {
    if (fails_ && left_ <= 1) co_return Error(Errc::reset, "on purpose");
    if (left_ == 0) co_return std::string();
    co_return std::string(bytes, static_cast<char>('0' + left_--));
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  int left_;
  bool fails_;
  std::optional<std::uint64_t> length_;
};

// `store` must be empty.
inline Task<std::string> object_store_contract(ObjectStore& store) {
  std::optional<StoredObject> object = co_await store.get("none");
  ESC_EXPECT(!object);
  std::optional<ObjectInfo> info = co_await store.head("none");
  ESC_EXPECT(!info);
  const std::string bytes("zero\0 and \xff\xfe", 12);
  ObjectPut options;
  options.content_type = "text/plain";
  options.metadata["name"] = "value";
  options.metadata["other"] = "";
  info = co_await store.put("a/1", bytes, options);
  ESC_EXPECT(info && info->key == "a/1" && info->size == 12 && !info->etag.empty());
  const std::string etag = info->etag;
  object = co_await store.get("a/1");
  ESC_EXPECT(object && object->content == bytes && object->info.etag == etag);
  ESC_EXPECT(object->info.content_type == "text/plain" && object->info.metadata == options.metadata);
  object = co_await store.get("a/1", ObjectRange(5, 3));
  ESC_EXPECT(object && object->content == bytes.substr(5, 3) && object->info.size == 12);
  object = co_await store.get("a/1", ObjectRange(10));
  ESC_EXPECT(object && object->content == bytes.substr(10));
  Result<std::optional<StoredObject>> part = co_await store.get("a/1", ObjectRange(12)).result();
  ESC_EXPECT(!part && part.error() == Errc::invalid_argument);
  part = co_await store.get("a/1", ObjectRange(0, 0)).result();
  ESC_EXPECT(!part && part.error() == Errc::invalid_argument);

  ObjectPut absent;
  absent.only_if_absent = true;
  info = co_await store.put("a/1", "another", absent);
  ESC_EXPECT(!info);
  ObjectPut replacing;
  replacing.only_if_etag = etag;
  info = co_await store.put("a/1", "new", replacing);
  ESC_EXPECT(info && info->etag != etag && info->content_type.empty() && info->metadata.empty());
  info = co_await store.put("a/1", "newer", replacing);
  ESC_EXPECT(!info);
  info = co_await store.put("a/2", "", absent);
  ESC_EXPECT(info && info->size == 0);
  info = co_await store.put("b", "b");
  ESC_EXPECT(info);
  object = co_await store.get("a/2");
  ESC_EXPECT(object && object->content.empty());

  ObjectPage page = co_await store.list("a/");
  ESC_EXPECT(page.objects.size() == 2 && page.objects[1].key == "a/2" && page.cursor.empty());
  page = co_await store.list("", 2);
  ESC_EXPECT(page.objects.size() == 2 && !page.cursor.empty());
  page = co_await store.list("", 2, page.cursor);
  ESC_EXPECT(page.objects.size() == 1 && page.objects[0].key == "b" && page.cursor.empty());
  co_await store.remove("b");
  co_await store.remove("b");
  info = co_await store.head("b");
  ESC_EXPECT(!info);

  // Content that streams, with its length and without.
  for (const bool stated : {true, false}) {
    http::Body pieces(std::make_unique<Pieces>(3, stated));
    info = co_await store.put("streamed", std::move(pieces));
    ESC_EXPECT(info && info->size == 3 * Pieces::bytes);
    std::optional<StreamedObject> opened = co_await store.open("streamed");
    ESC_EXPECT(opened && opened->info.size == 3 * Pieces::bytes &&
               opened->body.length() == 3 * Pieces::bytes);
    std::string content = co_await opened->body.text(1 * MiB);
    ESC_EXPECT(content == std::string(Pieces::bytes, '3') + std::string(Pieces::bytes, '2') +
                              std::string(Pieces::bytes, '1'));
    opened = co_await store.open("streamed", ObjectRange(Pieces::bytes - 1, 2));
    content = co_await opened->body.text(1 * MiB);
    ESC_EXPECT(content == "32");
    opened = co_await store.open("streamed");
    std::string first = co_await opened->body.read();
    ESC_EXPECT(!first.empty());  // and the rest is given up
    http::Body broken(std::make_unique<Pieces>(-2, stated));
    Result<std::optional<ObjectInfo>> failed = co_await store.put("streamed", std::move(broken)).result();
    ESC_EXPECT(!failed);
    info = co_await store.head("streamed");
    ESC_EXPECT(info && info->size == 3 * Pieces::bytes);
  }
  co_await store.remove("streamed");

  Result<std::optional<ObjectInfo>> put = co_await store.put("", "no key").result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  put = co_await store.put(std::string(1025, 'k'), "a long key").result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  ObjectPut large;
  large.metadata["m"] = std::string(2048, 'm');
  put = co_await store.put("k", "much metadata", large).result();
  ESC_EXPECT(!put && put.error() == Errc::limit_exceeded);
  Result<ObjectPage> none = co_await store.list("", 0).result();
  ESC_EXPECT(!none && none.error() == Errc::invalid_argument);
  co_return std::string();
}

}  // namespace escapement::test
