# esc_wasm_module(NAME SOURCES... [LIBRARIES...] [MAXIMUM_MEMORY BYTES]): a standalone NAME.wasm of the sources and
# the library, for escapement.mjs. No JavaScript is generated.
#
# MAXIMUM_MEMORY: how far the module's memory may grow, a multiple of 65536; 64 MiB by default, half of a Worker's
# isolate of 128 MB. Allocations beyond it fail as Errc::overloaded, "out of memory".
#
# A module that needs something that escapement.mjs does not provide (sockets, files, the environment) fails to
# build, naming the symbol.
set(esc_link_time_code $<$<CONFIG:MinSizeRel>:-flto>)
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
    -sINITIAL_MEMORY=262144 -sMAXIMUM_MEMORY=${module_MAXIMUM_MEMORY} -Oz)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -DMODULE=$<TARGET_FILE:${name}> -P ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check_imports.cmake VERBATIM)
endfunction()
