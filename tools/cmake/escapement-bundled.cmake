# The mbedTLS installed beside the libraries of this prefix, under target names of our own: the program may have an
# mbedTLS too.
get_filename_component(esc_bundled "${CMAKE_CURRENT_LIST_DIR}/../../escapement" ABSOLUTE)
set(esc_needs)
foreach(esc_library mbedcrypto mbedx509 mbedtls)
  if(NOT TARGET escapement::${esc_library})
    add_library(escapement::${esc_library} STATIC IMPORTED)
    set_target_properties(escapement::${esc_library} PROPERTIES
      IMPORTED_LOCATION "${esc_bundled}/lib${esc_library}.a" INTERFACE_LINK_LIBRARIES "${esc_needs}")
  endif()
  set(esc_needs escapement::${esc_library})
endforeach()
unset(esc_bundled)
unset(esc_needs)
unset(esc_library)
