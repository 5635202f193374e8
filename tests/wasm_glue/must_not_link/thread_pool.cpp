// A module has one thread, so it has no pool of them.

#include <escapement/io/native/thread_pool.h>
#include <escapement/wasm_glue/runtime.h>

escapement::Task<std::string> go(std::string text) {
  escapement::ThreadPool pool;
  co_return std::move(text);
}

ESC_TASK(go)
