# The installed prefix: libraries, headers, find_package(escapement), pkg-config, licenses. Libraries built by
# tools/setup are installed with them, so that the prefix needs neither this checkout nor .deps; system libraries
# are found again.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/escapement)
set(license_dir ${CMAKE_INSTALL_DATADIR}/licenses/escapement)

set(installed_components ${esc_components})
if(wasm AND with_io)
  list(APPEND installed_components wasm_glue)
endif()
foreach(module ${installed_components})
  install(TARGETS escapement_${module} EXPORT escapement-${module})
endforeach()
# Leaves out headers that need sockets or files on wasm, and the wasm glue natively.
set(esc_not_installed "^wasm_glue/")
if(wasm)
  set(esc_not_installed "^timers/sleep_backend|^io/native/|^io/tls/|^middleware/files/(file_body|file_tree|static_files)|^middleware/server/compress")
endif()
file(STRINGS tools/cmake/installed_headers.txt esc_headers REGEX "^[a-z]")
list(FILTER esc_headers EXCLUDE REGEX "${esc_not_installed}")
list(JOIN installed_components "|" modules)
list(FILTER esc_headers INCLUDE REGEX "^(${modules})/")
foreach(header ${esc_headers})
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/escapement/${folder})
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS tools/cmake/installed_headers.txt)
if(wasm AND with_io)
  install(TARGETS escapement_wasm_output EXPORT escapement-wasm_glue)
endif()
install(FILES LICENSE DESTINATION ${license_dir})

# --- Libraries in .deps ---------------------------------------------------------------------------------------
if(TARGET esc_llhttp)
  if(NOT BUILD_SHARED_LIBS)  # a shared library contains it
    install(TARGETS esc_llhttp EXPORT escapement-io)
    set(pc_bundled -lesc_llhttp)
  endif()
  install(FILES tools/cmake/licenses/llhttp.txt DESTINATION ${license_dir} RENAME LICENSE.llhttp)
endif()
if(esc_mbedtls_bundled)
  if(NOT EXISTS ${ESC_DEPS}/src/mbedtls/LICENSE)
    message(FATAL_ERROR "The license of mbedTLS is not in ${ESC_DEPS}/src/mbedtls: run tools/setup, or set ESC_INSTALL=OFF.")
  endif()
  install(FILES ${ESC_DEPS}/src/mbedtls/LICENSE DESTINATION ${license_dir} RENAME LICENSE.mbedtls)
  if(NOT BUILD_SHARED_LIBS)  # a shared library contains it
    foreach(library mbedtls mbedx509 mbedcrypto)
      install(FILES $<TARGET_FILE:MbedTLS::${library}> DESTINATION ${CMAKE_INSTALL_LIBDIR}/escapement)
      list(APPEND pc_bundled "\${libdir}/escapement/lib${library}.a")
    endforeach()
    install(FILES tools/cmake/escapement-bundled.cmake DESTINATION ${package_dir})
    esc_find_again(io "include(\${CMAKE_CURRENT_LIST_DIR}/escapement-bundled.cmake)")
  endif()
endif()

include(tools/cmake/sbom.cmake)

# --- find_package ---------------------------------------------------------------------------------------------
# Each component finds its own dependencies, and only where it is wanted.
set(esc_load)
foreach(module ${installed_components})
  get_property(again GLOBAL PROPERTY esc_find_again_${module})
  list(APPEND again "include(\${CMAKE_CURRENT_LIST_DIR}/escapement-${module}.cmake)")
  list(JOIN again "\n  " again)
  string(APPEND esc_load "if(\"${module}\" IN_LIST esc_wanted)\n  ${again}\nendif()\n")
  install(EXPORT escapement-${module} NAMESPACE escapement:: DESTINATION ${package_dir})
endforeach()
configure_package_config_file(tools/cmake/escapementConfig.cmake.in ${PROJECT_BINARY_DIR}/escapementConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/escapementConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/escapementConfig.cmake ${PROJECT_BINARY_DIR}/escapementConfigVersion.cmake
        DESTINATION ${package_dir})

# --- For WebAssembly: the JavaScript, its types, the toolchain file, esc_wasm_module ------------------------------
if(wasm)
  install(FILES wasm_glue/escapement.mjs wasm_glue/escapement.d.mts wasm_glue/host_operation.mjs wasm_glue/host_operation.d.mts
          wasm_glue/packed.mjs wasm_glue/packed.d.mts wasm_glue/storage.mjs wasm_glue/storage.d.mts wasm_glue/durable_object.mjs wasm_glue/durable_object.d.mts
          DESTINATION ${CMAKE_INSTALL_DATADIR}/escapement)
  install(FILES tools/cmake/emscripten.cmake tools/cmake/wasm.cmake tools/cmake/check_imports.cmake
          DESTINATION ${package_dir})
endif()

# --- pkg-config -----------------------------------------------------------------------------------------------
if(wasm)
  return()
endif()
# One file for each module, and escapement.pc for all of them.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix /prefix/${pc_dir} /prefix)
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
set(pc_task_tree "")
if(esc_task_tree)
  set(pc_task_tree " -DESC_TASK_TREE=1")
endif()
function(esc_pc name description requires requires_private libraries)
  list(JOIN requires ", " pc_requires)
  list(JOIN requires_private ", " pc_requires_private)
  list(JOIN libraries " " pc_libraries)
  configure_file(tools/cmake/escapement.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pc_dir})
endfunction()
set(pc_below)
foreach(module ${esc_components})
  get_property(pc_private GLOBAL PROPERTY esc_pkg_config_${module})
  set(pc_libraries -lescapement_${module})
  if(module STREQUAL "io")
    list(APPEND pc_bundled -pthread)
  endif()
  if(NOT BUILD_SHARED_LIBS)  # an archive needs these at every link; a shared library has resolved them already
    list(APPEND pc_below ${pc_private})
    set(pc_private)
    if(module STREQUAL "io")
      list(APPEND pc_libraries ${pc_bundled})
    endif()
  endif()
  esc_pc(escapement-${module} "the ${module} module of escapement" "${pc_below}" "${pc_private}" "${pc_libraries}")
  set(pc_below escapement-${module})
endforeach()
esc_pc(escapement "Reactor, timers and HTTP for C++20 coroutines (compile with -std=c++20)" "${pc_below}" "" "")

# --- CPS: https://cps-org.github.io/cps ---------------------------------------------------------------------------
if(CMAKE_VERSION VERSION_GREATER_EQUAL 4.3)
  install(TARGETS escapement EXPORT escapement-all)
  install(PACKAGE_INFO escapement EXPORT escapement-all VERSION ${PROJECT_VERSION})
  foreach(module ${installed_components})
    install(PACKAGE_INFO escapement EXPORT escapement-${module} APPENDIX ${module})
  endforeach()
endif()
