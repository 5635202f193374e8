// A JS host that does what a test tells it, for the C++ half of the glue built natively: with sanitizers, and
// with a clock that moves when the test says so.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace escapement::wasm {
class Context;
}

namespace escapement::test {

struct FakeJs {
  double now = 1000;
  std::vector<std::string> calls;  // the imports that were called, with their numbers: "fetch 1"
  int last_fetch = 0;
  std::string fetch_head;
  std::string fetch_body;
  int fetch_stream = 0;  // in place of a body: the number of another one, or -1: it is sent
  int upload_end = -1;   // 1: broken off
  std::map<int, std::string> fields;
  int traits = 0;  // abi.h; stays from context to context
  bool settled = false;
  bool ok = false;
  std::string result;   // of a task, or its error
  std::string failure;  // of which nobody else hears
  bool responded = false;
  int response_stream = 0;  // as fetch_stream
  std::string response_head;
  std::string response_body;
  int response_end = -1;  // 1: broken off
  std::string abort_reason;

  std::size_t count(std::string_view call) const;
};

extern FakeJs js;

// A context, entered and stepped as escapement.mjs does.
class FakeContext {
 public:
  FakeContext();
  FakeContext(const FakeContext&) = delete;
  ~FakeContext() { close(); }

  // The delay that the last step asked for.
  double delay = 0;

  void step();
  void advance(double milliseconds);
  void close();
  // Returns whether the tasks were told, instead of being destroyed.
  bool cancel();
  // Calls exports.
  void run(double (*task)(wasm::Context*, double, char*, std::size_t), std::string_view input);
  void request(std::string_view head, bool has_body);
  void fetch_head(std::string_view head);
  void fetch_bytes(std::string_view bytes);
  void fetch_failed(std::string_view why);
  void done(int id, int status, std::string_view bytes);
  void request_bytes(std::string_view bytes);
  void request_failed(std::string_view why);
  void failed(int id, std::string_view why);
  // The reader of what streams under that number asks for more: of the response.
  void wanted(int id = 1);

 private:
  wasm::Context* context_;
};

}  // namespace escapement::test
