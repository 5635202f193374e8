# Finds each dependency: a package that CMake finds, or the one that tools/setup put into .deps. Each esc_need_X()
# makes the target named in its comment, or stops with the name of the package to install.

include(CheckSymbolExists)

set(ESC_DEPS "${PROJECT_SOURCE_DIR}/.deps" CACHE PATH "Where tools/setup put its part")
if(DEFINED ENV{ESC_DEPS})
  set(ESC_DEPS "$ENV{ESC_DEPS}")
endif()
if(wasm)
  set(esc_deps_install ${ESC_DEPS}/install/wasm)
else()
  set(esc_deps_install ${ESC_DEPS}/install/native)
endif()

function(esc_missing what package)
  message(FATAL_ERROR "${what} was not found. Run tools/setup (Debian 12), or install it: ${package}.")
endfunction()

# Records the find_dependency line by which an installed copy of `component` finds a dependency again: users of a static
# library need it too.
function(esc_find_again component line)
  set_property(GLOBAL APPEND PROPERTY esc_find_again_${component} "${line}")
endfunction()
# Records the same for pkg-config: "zlib", "libcares >= 1.18"
function(esc_pkg_config component package)
  set_property(GLOBAL APPEND PROPERTY esc_pkg_config_${component} "${package}")
endfunction()

# llhttp::llhttp, static
function(esc_need_llhttp)
  find_package(llhttp 9 CONFIG QUIET)
  foreach(found llhttp_static llhttp_shared)
    if(TARGET llhttp::${found} AND NOT TARGET llhttp::llhttp)
      add_library(llhttp::llhttp ALIAS llhttp::${found})
    endif()
  endforeach()
  if(TARGET llhttp::llhttp)
    esc_find_again(io "find_dependency(llhttp 9 CONFIG)")
    esc_pkg_config(io libllhttp)
    return()
  endif()
  set(source ${ESC_DEPS}/src/llhttp)
  if(NOT EXISTS ${source}/src/llhttp.c)
    esc_missing("llhttp 9" "libllhttp-dev of Debian 13, or its release sources")
  endif()
  add_library(esc_llhttp STATIC ${source}/src/api.c ${source}/src/http.c ${source}/src/llhttp.c)
  target_include_directories(esc_llhttp SYSTEM PUBLIC $<BUILD_INTERFACE:${source}/include>)
  # Optimise in every build: generated code is slow unoptimised, and nobody debugs it.
  target_compile_options(esc_llhttp PRIVATE $<IF:$<BOOL:${wasm}>,-Oz,-O2>)
  set_target_properties(esc_llhttp PROPERTIES POSITION_INDEPENDENT_CODE ${esc_position_independent})
  add_library(llhttp::llhttp ALIAS esc_llhttp)
endfunction()

# CAres::cares
function(esc_need_cares)
  esc_pkg_config(io "libcares >= 1.18")
  find_package(c-ares CONFIG QUIET)
  if(TARGET c-ares::cares)
    add_library(CAres::cares ALIAS c-ares::cares)
    esc_find_again(io "find_dependency(c-ares CONFIG)")
    return()
  endif()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(CARES QUIET IMPORTED_TARGET GLOBAL libcares>=1.18)
  endif()
  if(NOT TARGET PkgConfig::CARES)
    esc_missing("c-ares 1.18" "libc-ares-dev")
  endif()
  add_library(CAres::cares ALIAS PkgConfig::CARES)
  esc_find_again(io "find_dependency(PkgConfig)")
  esc_find_again(io "pkg_check_modules(CARES QUIET REQUIRED IMPORTED_TARGET GLOBAL libcares>=1.18)")
endfunction()

# ZLIB::ZLIB
macro(esc_need_zlib)
  find_package(ZLIB QUIET GLOBAL)
  if(NOT TARGET ZLIB::ZLIB)
    esc_missing("zlib" "zlib1g-dev")
  endif()
  esc_find_again(middleware "find_dependency(ZLIB)")
  esc_pkg_config(middleware zlib)
endmacro()

# Sets esc_tls if the mbedTLS that was found supports more than a handful of concurrent handshakes (each holds keys,
# and without the first option there is room for 32 in the process) and several threads (the second).
macro(esc_check_mbedtls)
  get_target_property(mbedtls_headers MbedTLS::mbedtls INTERFACE_INCLUDE_DIRECTORIES)
  set(CMAKE_REQUIRED_INCLUDES ${mbedtls_headers})
  set(CMAKE_REQUIRED_QUIET ON)
  unset(ESC_MBEDTLS_DYNAMIC_KEYS CACHE)
  unset(ESC_MBEDTLS_THREADS CACHE)
  check_symbol_exists(MBEDTLS_PSA_KEY_STORE_DYNAMIC mbedtls/build_info.h ESC_MBEDTLS_DYNAMIC_KEYS)
  check_symbol_exists(MBEDTLS_THREADING_C mbedtls/build_info.h ESC_MBEDTLS_THREADS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_QUIET)
  set(mbedtls_lacks "mbedTLS was built without MBEDTLS_PSA_KEY_STORE_DYNAMIC or MBEDTLS_THREADING_C. Run tools/setup again.")
  if(ESC_MBEDTLS_DYNAMIC_KEYS AND ESC_MBEDTLS_THREADS)
    set(esc_tls ON)
  elseif(ESC_TLS STREQUAL "AUTO")
    message(WARNING "No TLS: ${mbedtls_lacks}")
  else()
    message(FATAL_ERROR "${mbedtls_lacks}")
  endif()
endmacro()

# Sets esc_installed_mbedtls, the target by which an installed copy links mbedTLS: a copy built by tools/setup is
# installed with the library (esc_mbedtls_bundled, install.cmake), a system copy is found again.
macro(esc_remember_mbedtls)
  set(esc_mbedtls_bundled OFF)
  cmake_path(IS_PREFIX ESC_DEPS "${MbedTLS_DIR}" NORMALIZE esc_mbedtls_bundled)
  if(esc_mbedtls_bundled)
    set(esc_installed_mbedtls escapement::mbedtls)
  else()
    set(esc_installed_mbedtls MbedTLS::mbedtls)
    esc_find_again(io "find_dependency(MbedTLS 3.6 CONFIG)")
    esc_pkg_config(io "mbedtls >= 3.6")
  endif()
endmacro()

# Sets esc_tls as ESC_TLS asks, and makes MbedTLS::mbedtls if it is on. A macro, because the targets that
# find_package imports are visible where it is called.
macro(esc_find_tls)
  set(esc_tls OFF)
  if(wasm AND ESC_TLS AND NOT ESC_TLS STREQUAL "AUTO")
    message(FATAL_ERROR "ESC_TLS is ON, but in WebAssembly TLS belongs to the host: use its fetch (wasm_glue/host_fetch.h).")
  elseif(NOT wasm AND ESC_TLS)
    # GLOBAL: a project that adds this one as a subdirectory links it too.
    find_package(MbedTLS 3.6 CONFIG QUIET GLOBAL HINTS ${esc_deps_install}/mbedtls)
    if(TARGET MbedTLS::mbedtls_static AND NOT TARGET MbedTLS::mbedtls)
      add_library(MbedTLS::mbedtls ALIAS MbedTLS::mbedtls_static)
    endif()
    if(TARGET MbedTLS::mbedtls)
      esc_check_mbedtls()
      if(esc_tls)
        esc_remember_mbedtls()
      endif()
    elseif(ESC_TLS STREQUAL "AUTO")
      message(STATUS "mbedTLS 3.6 was not found: no TLS, https URLs will be refused")
    else()
      esc_missing("mbedTLS 3.6" "libmbedtls-dev of Debian 13, or its release sources")
    endif()
  endif()
endmacro()

# Catch2::Catch2WithMain, and the module Catch for catch_discover_tests
macro(esc_need_catch2)
  find_package(Catch2 3 CONFIG QUIET)
  if(NOT TARGET Catch2::Catch2WithMain)
    if(NOT EXISTS ${esc_deps_install}/catch2/lib/libCatch2.a)
      esc_missing("Catch2 3" "catch2 of Debian 13, or its release sources")
    endif()
    add_library(Catch2::Catch2WithMain STATIC IMPORTED GLOBAL)
    set_target_properties(Catch2::Catch2WithMain PROPERTIES
      IMPORTED_LOCATION ${esc_deps_install}/catch2/lib/libCatch2.a
      INTERFACE_INCLUDE_DIRECTORIES ${esc_deps_install}/catch2/include
      INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${esc_deps_install}/catch2/include)
    list(APPEND CMAKE_MODULE_PATH ${ESC_DEPS}/src/catch2/extras)
  endif()
endmacro()

# The openssl program, which makes the certificates of the tests
function(esc_need_openssl)
  find_program(ESC_OPENSSL openssl)
  if(NOT ESC_OPENSSL)
    esc_missing("The openssl program" "openssl; or configure with ESC_TLS=OFF")
  endif()
endfunction()

# benchmark::benchmark
macro(esc_need_benchmark)
  find_package(benchmark CONFIG QUIET)
  if(NOT TARGET benchmark::benchmark)
    esc_missing("Google Benchmark" "libbenchmark-dev")
  endif()
endmacro()

# CLI11::CLI11
macro(esc_need_cli11)
  find_package(CLI11 CONFIG QUIET)
  if(NOT TARGET CLI11::CLI11)
    esc_missing("CLI11" "libcli11-dev")
  endif()
endmacro()

# nlohmann_json::nlohmann_json
macro(esc_need_json)
  find_package(nlohmann_json CONFIG QUIET)
  if(NOT TARGET nlohmann_json::nlohmann_json)
    esc_missing("nlohmann-json" "nlohmann-json3-dev")
  endif()
endmacro()
