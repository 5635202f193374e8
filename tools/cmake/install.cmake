# The installed prefix: libraries, headers, find_package(escapement), pkg-config, licenses. Libraries built by
# tools/setup are installed with them, so that the prefix needs neither this checkout nor .deps; system libraries
# are found again.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/escapement)
set(license_dir ${CMAKE_INSTALL_DATADIR}/licenses/escapement)

set(esc_components core timers io middleware)
if(wasm)
  list(APPEND esc_components wasm_glue)
endif()
foreach(module ${esc_components})
  install(TARGETS escapement_${module} EXPORT escapement-targets)
endforeach()
# Leaves out headers that need sockets or files on wasm, and the wasm glue natively.
set(esc_not_installed "^wasm_glue/")
if(wasm)
  set(esc_not_installed "^io/native/|^io/tls/|^middleware/files/(file_tree|static_files)|^middleware/server/compress")
endif()
file(STRINGS tools/cmake/installed_headers.txt esc_headers REGEX "^[a-z]")
list(FILTER esc_headers EXCLUDE REGEX "${esc_not_installed}")
foreach(header ${esc_headers})
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/escapement/${folder})
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS tools/cmake/installed_headers.txt)
install(TARGETS escapement EXPORT escapement-targets)
if(wasm)
  install(TARGETS escapement_wasm_output EXPORT escapement-targets)
endif()
install(FILES LICENSE DESTINATION ${license_dir})

# --- Libraries in .deps ---------------------------------------------------------------------------------------
if(TARGET esc_llhttp)
  if(NOT BUILD_SHARED_LIBS)  # a shared library contains it
    install(TARGETS esc_llhttp EXPORT escapement-targets)
    set(pc_llhttp -lesc_llhttp)
  endif()
  install(FILES tools/cmake/licenses/llhttp.txt DESTINATION ${license_dir} RENAME LICENSE.llhttp)
endif()
set(pc_mbedtls)
if(esc_mbedtls_bundled)
  if(NOT EXISTS ${ESC_DEPS}/src/mbedtls/LICENSE)
    message(FATAL_ERROR "The license of mbedTLS is not in ${ESC_DEPS}/src/mbedtls: run tools/setup, or set ESC_INSTALL=OFF.")
  endif()
  install(FILES ${ESC_DEPS}/src/mbedtls/LICENSE DESTINATION ${license_dir} RENAME LICENSE.mbedtls)
  if(NOT BUILD_SHARED_LIBS)  # a shared library contains it
    foreach(library mbedtls mbedx509 mbedcrypto)
      install(FILES $<TARGET_FILE:MbedTLS::${library}> DESTINATION ${CMAKE_INSTALL_LIBDIR}/escapement)
      list(APPEND pc_mbedtls "\${libdir}/escapement/lib${library}.a")
    endforeach()
    install(FILES tools/cmake/escapement-bundled.cmake DESTINATION ${package_dir})
    esc_find_again("include(\${CMAKE_CURRENT_LIST_DIR}/escapement-bundled.cmake)")
  endif()
endif()

# --- find_package ---------------------------------------------------------------------------------------------
get_property(esc_find_again GLOBAL PROPERTY esc_find_again)
list(JOIN esc_find_again "\n" esc_find_again)
configure_package_config_file(tools/cmake/escapementConfig.cmake.in ${PROJECT_BINARY_DIR}/escapementConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/escapementConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/escapementConfig.cmake ${PROJECT_BINARY_DIR}/escapementConfigVersion.cmake
        DESTINATION ${package_dir})
install(EXPORT escapement-targets NAMESPACE escapement:: DESTINATION ${package_dir})

# --- For WebAssembly: the JavaScript, its types, the toolchain file, esc_wasm_module ------------------------------
if(wasm)
  install(FILES wasm_glue/escapement.mjs wasm_glue/escapement.d.mts DESTINATION ${CMAKE_INSTALL_DATADIR}/escapement)
  install(FILES tools/cmake/emscripten.cmake tools/cmake/wasm.cmake tools/cmake/check_imports.cmake
          DESTINATION ${package_dir})
endif()

# --- pkg-config -----------------------------------------------------------------------------------------------
if(wasm)
  return()
endif()
get_property(pc_requires GLOBAL PROPERTY esc_pkg_config)
list(JOIN pc_requires ", " pc_requires)
list(JOIN pc_mbedtls " " pc_mbedtls)
# An archive needs these at every link; a shared library has resolved them already.
set(pc_private)
set(pc_rest " ${pc_llhttp} ${pc_mbedtls} -pthread")
if(BUILD_SHARED_LIBS)
  set(pc_private .private)
  set(pc_rest)
endif()
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix /prefix/${pc_dir} /prefix)
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(tools/cmake/escapement.pc.in ${PROJECT_BINARY_DIR}/escapement.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/escapement.pc DESTINATION ${pc_dir})
