# esc_wasm_module(NAME SOURCES... [LIBRARIES...] [MAXIMUM_MEMORY BYTES]): a standalone NAME.wasm of the sources and
# the library, for escapement.mjs. No JavaScript is generated.
#
# MAXIMUM_MEMORY: how far the module's memory may grow, a multiple of 65536; 64 MiB by default, half of a Worker's
# isolate of 128 MB. Allocations beyond it fail as Errc::overloaded, "out of memory".
#
# A module that needs something that escapement.mjs does not provide (sockets, files, the environment) fails to
# build, naming the symbol.
set(esc_link_time_code $<$<CONFIG:MinSizeRel>:-flto>)
if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/../../wasm_glue/escapement.mjs)  # a checkout; of a prefix escapementConfig.cmake says it
  cmake_path(SET esc_javascript NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../../wasm_glue)
  set_property(GLOBAL PROPERTY esc_javascript ${esc_javascript})
endif()
function(esc_wasm_module name)
  cmake_parse_arguments(PARSE_ARGV 1 module "" "MAXIMUM_MEMORY" "SOURCES;LIBRARIES")
  if(NOT module_MAXIMUM_MEMORY)
    set(module_MAXIMUM_MEMORY 67108864)
  endif()
  add_executable(${name} ${module_SOURCES})
  set_target_properties(${name} PROPERTIES SUFFIX .wasm)
  target_link_libraries(${name} PRIVATE escapement::wasm_output ${module_LIBRARIES})
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_compile_options(${name} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti> -mbulk-memory -mnontrapping-fptoint $<$<CONFIG:MinSizeRel>:-flto>)
  if(TARGET esc_build)  # our own
    target_link_libraries(${name} PRIVATE esc_build)
  endif()
  target_link_options(${name} PRIVATE
    --no-entry -sSTANDALONE_WASM -sMALLOC=emmalloc -sALLOW_MEMORY_GROWTH -sSTACK_SIZE=65536
    -sINITIAL_MEMORY=262144 -sMAXIMUM_MEMORY=${module_MAXIMUM_MEMORY} -Oz
    # Smaller, and an engine has an eighth fewer functions to compile for the first request.
    -sBINARYEN_EXTRA_PASSES=--always-inline-max-function-size=6)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DMODULE=$<TARGET_FILE:${name}> -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_imports.cmake VERBATIM)
endfunction()

# escapement_add_worker(NAME SOURCES... [LIBRARIES...] [BINDINGS...] [MAXIMUM_MEMORY BYTES]): a Worker. In the folder NAME of the current
# build folder:
#
#   NAME.wasm    the module, by esc_wasm_module: as small as Emscripten makes it with CMAKE_BUILD_TYPE=MinSizeRel,
#                which the toolchain file chooses if nothing else is said
#   NAME.mjs     the Worker: `export default worker(module)`; for wrangler's `main`, or to import and extend
#   NAME.d.mts   its types
#   escapement.mjs and the other modules of the library, with their types
#
# LIBRARIES: escapement::escapement by default. BINDINGS: the JavaScript halves of the bindings that the sources use:
# cache, d1, events, json, kv, queues, r2, service, sockets, storage. (web_socket, durable_object and hibernation need more than a
# name: write the Worker's main module, as docs/bindings.md shows.)
function(escapement_add_worker name)
  cmake_parse_arguments(PARSE_ARGV 1 worker "" "MAXIMUM_MEMORY" "LIBRARIES;BINDINGS")
  if(NOT worker_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "escapement_add_worker(${name}): no sources.")
  endif()
  if(NOT COMMAND esc_wasm_module OR NOT CMAKE_SYSTEM_NAME STREQUAL "Emscripten")
    message(FATAL_ERROR "escapement_add_worker(${name}): a Worker is WebAssembly: configure with escapement's emscripten.cmake "
                        "as CMAKE_TOOLCHAIN_FILE.")
  endif()
  set(bindings cache cf d1 events json kv namespaces queues r2 service sockets storage)
  foreach(binding ${worker_BINDINGS})
    if(NOT binding IN_LIST bindings)
      list(JOIN bindings ", " known)
      message(FATAL_ERROR "escapement_add_worker(${name}): no binding '${binding}'; these are: ${known}. A Worker with WebSockets or "
                          "Durable Objects has a main module of its own: docs/bindings.md.")
    endif()
  endforeach()
  if(NOT worker_LIBRARIES)
    set(worker_LIBRARIES escapement::escapement)
  endif()
  set(maximum)
  if(worker_MAXIMUM_MEMORY)
    set(maximum MAXIMUM_MEMORY ${worker_MAXIMUM_MEMORY})
  endif()
  esc_wasm_module(${name} SOURCES ${worker_UNPARSED_ARGUMENTS} LIBRARIES ${worker_LIBRARIES} ${maximum})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${folder} OUTPUT_NAME ${name})
  get_property(javascript GLOBAL PROPERTY esc_javascript)
  file(GLOB modules CONFIGURE_DEPENDS ${javascript}/*.mjs ${javascript}/*.d.mts)
  foreach(module ${modules})
    cmake_path(GET module FILENAME file)
    configure_file(${module} ${folder}/${file} COPYONLY)
  endforeach()
  set(imports)
  set(options)
  foreach(binding ${worker_BINDINGS})
    string(APPEND imports "import { ${binding} } from \"./${binding}.mjs\";\n")
    list(APPEND options ${binding})
  endforeach()
  if(options)
    list(JOIN options ", " options)
    set(options ", { bindings: [${options}] }")
  endif()
  set(written "// Written by escapement_add_worker(${name}).")
  file(CONFIGURE OUTPUT ${folder}/${name}.mjs @ONLY CONTENT [[
@written@
import { worker } from "./escapement.mjs";
@imports@import module from "./@name@.wasm";
export default worker(module@options@);
]])
  file(CONFIGURE OUTPUT ${folder}/${name}.d.mts @ONLY CONTENT [[
@written@
import type { WorkerHandlers } from "./escapement.mjs";
declare const handlers: WorkerHandlers;
export default handlers;
]])
endfunction()
