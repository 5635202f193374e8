// ESC_TASK: a coroutine that JS can run to its end. Every module contains this part.
//
//     Task<std::string> nap(std::string milliseconds) { ... }
//     ESC_TASK(nap)
//
//     import { run } from "./escapement.mjs";
//     console.log(await run(module, "nap", "250"));

#pragma once

#include <string>

#include <escapement/core/task.h>
#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

// Takes ownership of text that JS has written into memory.
std::string take_text(char* text, std::size_t length);

// Starts `task` with text that JS has written into memory. Reports its result or its error to JS.
void run_for_host(Context& context, char* text, std::size_t length, Task<std::string> (*task)(std::string));

}  // namespace escapement::wasm

// Exports `function`, a `Task<std::string>(std::string)`, under its own name.
#define ESC_TASK(function)                                                                                \
  extern "C" ESC_EXPORT(esc_task_##function) void esc_task_##function(escapement::wasm::Context* context, \
                                                                      char* text, std::size_t length) {   \
    escapement::wasm::run_for_host(*context, text, length,                                                \
                                   [](std::string input) { return function(std::move(input)); });         \
  }
