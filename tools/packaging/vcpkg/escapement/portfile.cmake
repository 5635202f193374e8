# A vcpkg port of escapement. Until a registry carries it, use it as an overlay, for this checkout:
#   ESCAPEMENT_SOURCE=$PWD vcpkg install escapement --overlay-ports=tools/packaging/vcpkg
# A registry's copy replaces the next lines by vcpkg_from_github with a release's SHA512 (tools/release prints it).
if(NOT DEFINED ENV{ESCAPEMENT_SOURCE})
  message(FATAL_ERROR "Set ESCAPEMENT_SOURCE to a checkout of escapement.")
endif()
set(SOURCE_PATH "$ENV{ESCAPEMENT_SOURCE}")

set(components timers)
if("http" IN_LIST FEATURES)
  set(components middleware)
endif()
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DESC_COMPONENTS=${components} -DESC_INSTALL=ON -DESC_BUILD_TESTS=OFF -DESC_BUILD_TOOLS=OFF
          -DESC_DEPS=${CURRENT_BUILDTREES_DIR}/none)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/escapement)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
