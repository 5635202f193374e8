# esc_wasm_module(NAME SOURCES... [LIBRARIES...]): a standalone NAME.wasm of the sources and the library, for
# escapement.mjs. No JavaScript is generated.
function(esc_wasm_module name)
  cmake_parse_arguments(PARSE_ARGV 1 module "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${module_SOURCES})
  set_target_properties(${name} PROPERTIES SUFFIX .wasm)
  target_link_libraries(${name} PRIVATE esc_build escapement::wasm_glue ${module_LIBRARIES})
  target_compile_options(${name} PRIVATE ${esc_link_time_code})
  target_link_options(${name} PRIVATE
    --no-entry -sSTANDALONE_WASM -sMALLOC=emmalloc -sALLOW_MEMORY_GROWTH -sSTACK_SIZE=65536
    -sINITIAL_MEMORY=262144 -sERROR_ON_UNDEFINED_SYMBOLS=0 -Oz)
endfunction()
