// The process's environment: a Worker has env() (worker.h).

#include <cstdlib>

#include <escapement/wasm_glue/runtime.h>

escapement::Task<std::string> go(std::string name) {
  const char* value = std::getenv(name.c_str());
  co_return std::string(value == nullptr ? "" : value);
}

ESC_TASK(go)
