// A Loop waits in the system; in WebAssembly the host's loop does.

#include <escapement/io/native/loop.h>
#include <escapement/wasm_glue/runtime.h>

escapement::Task<std::string> go(std::string text) {
  escapement::Loop loop;
  loop.step();
  co_return std::move(text);
}

ESC_TASK(go)
