// <iostream> has standard input in it, and locales of the environment: printf writes to the console.

#include <iostream>

#include <escapement/wasm_glue/runtime.h>

escapement::Task<std::string> go(std::string text) {
  std::cout << text << std::endl;
  co_return std::move(text);
}

ESC_TASK(go)
