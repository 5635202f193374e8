// The module of vectors_test.mjs: plays every vector of tests/vectors/behaviour.txt, as a task and as a
// Worker.

#include <escapement/wasm_glue/runtime.h>
#include <escapement/wasm_glue/worker.h>

#include "support/vectors.h"

using namespace escapement;

namespace {

// Returns how many vectors there are, then a line for each one that is skipped, and for each that does not
// hold.
std::string report() {
  const std::vector<test::Vector> vectors = test::read_vectors(test::vectors_text());
  std::string text = std::to_string(vectors.size());
  for (const test::Vector& vector : vectors) {
    if (!vector.not_on_wasm.empty()) {
      text += "\nskipped: " + vector.id + ": " + vector.not_on_wasm;
      continue;
    }
    if (const std::string fault = test::play(vector); !fault.empty()) text += '\n' + vector.id + ": " + fault;
  }
  return text;
}

Task<std::string> played(std::string) { co_return report(); }
Task<http::Response> serve(http::Request) { co_return http::Response(200, report()); }

}  // namespace

ESC_TASK(played)
ESC_WORKER(serve)
