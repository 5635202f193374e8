// ESC_TASK: a coroutine that JS can run to its end. Every module contains this part.
//
//     Task<std::string> nap(std::string milliseconds) { ... }
//     ESC_TASK(nap)
//
//     import { run } from "./escapement.mjs";
//     console.log(await run(module, "nap", "250"));

#pragma once

#include <string>

#include <escapement/core/bytes.h>
#include <escapement/core/task.h>
#include <escapement/wasm_glue/abi.h>
#include <escapement/wasm_glue/context.h>

namespace escapement::wasm {

// The room that has to be beside what JS passes in: for its copy, and for what its turn begins with.
inline constexpr std::size_t turn_room = 64 * KiB;
// The size of the buffer in which JS passes text.
inline constexpr std::size_t transfer_size = 16 * KiB;

// Copies text that JS has written: into the transfer buffer, or into memory, which is freed.
std::string take_text(char* text, std::size_t length);

// Starts `task` with text that JS has written, and takes a step. Reports its result or its error to JS.
double run_for_host(Context& context, double now, char* text, std::size_t length,
                    Task<std::string> (*task)(std::string));

}  // namespace escapement::wasm

// Exports `function`, a `Task<std::string>(std::string)`, under its own name.
#define ESC_TASK(function)                                                                               \
  extern "C" ESC_EXPORT(esc_task_##function) double esc_task_##function(                                 \
      escapement::wasm::Context* context, double now, char* text, std::size_t length) {                  \
    return escapement::wasm::run_for_host(*context, now, text, length,                                   \
                                          [](std::string input) { return function(std::move(input)); }); \
  }
