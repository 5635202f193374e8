// The promises of the bindings' interfaces, as tasks that run natively, in simulations and in workerd. Each
// yields the first expectation that does not hold; empty: all do.

#pragma once

#include <string>

#include <escapement/io/bindings/kv.h>

#define ESC_EXPECT(condition) \
  if (!(condition)) co_return std::string(#condition)

namespace escapement::test {

// `kv` must be empty. Takes no time, so that it needs no clock that moves.
inline Task<std::string> kv_contract(Kv& kv) {
  std::optional<KvEntry> entry = co_await kv.get("none");
  ESC_EXPECT(!entry);
  co_await kv.put("a/1", "one");
  std::string bytes("zero\0 and \xff\xfe", 11);
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

}  // namespace escapement::test
