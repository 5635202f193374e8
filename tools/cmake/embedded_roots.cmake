# ESC_EMBEDDED_ROOTS: the trusted certificates of a PEM file become part of the library, for programs on systems that
# have none. Sets `embedded_roots` to the source file of embedded_roots() (io/tls/tls.h), relative to io/.
set(ESC_EMBEDDED_ROOTS "" CACHE FILEPATH "PEM file of trusted certificates to build in, such as /etc/ssl/certs/ca-certificates.crt; empty: none")

set(embedded_roots tls/detail/no_embedded_roots.cpp)
if(ESC_EMBEDDED_ROOTS)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ESC_EMBEDDED_ROOTS})
  file(READ ${ESC_EMBEDDED_ROOTS} text)
  string(REGEX MATCHALL "-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----" certificates "${text}")
  if(NOT certificates)
    message(FATAL_ERROR "ESC_EMBEDDED_ROOTS: there is no certificate in ${ESC_EMBEDDED_ROOTS}.")
  endif()
  set(source "#include <escapement/io/tls/tls.h>\n\nstd::string escapement::embedded_roots() {\n  std::string text;\n")
  foreach(certificate ${certificates})
    string(APPEND source "  text += R\"(${certificate}\n)\";\n")
  endforeach()
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/embedded_roots.cpp @ONLY CONTENT "${source}  return text;\n}\n")
  file(RELATIVE_PATH embedded_roots ${PROJECT_SOURCE_DIR}/io ${PROJECT_BINARY_DIR}/embedded_roots.cpp)
endif()
