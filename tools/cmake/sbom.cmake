# The installed list of parts: share/licenses/escapement/escapement.spdx.json, SPDX 2.3 (ISO/IEC 5962). It names the
# library, the libraries that the prefix contains, and those that it needs, each with its version and licence. Its date
# is that of the last commit, or SOURCE_DATE_EPOCH, so that two builds of one source are equal.
set(sbom_packages)
set(sbom_relations)
function(esc_sbom_package name version license relation)
  string(APPEND sbom_packages ",
    {\"SPDXID\": \"SPDXRef-${name}\", \"name\": \"${name}\", \"versionInfo\": \"${version}\", \"licenseConcluded\": \"${license}\",
     \"licenseDeclared\": \"${license}\", \"copyrightText\": \"NOASSERTION\", \"downloadLocation\": \"NOASSERTION\", \"filesAnalyzed\": false}")
  string(APPEND sbom_relations ",
    {\"spdxElementId\": \"SPDXRef-escapement\", \"relationshipType\": \"${relation}\", \"relatedSpdxElement\": \"SPDXRef-${name}\"}")
  set(sbom_packages "${sbom_packages}" PARENT_SCOPE)
  set(sbom_relations "${sbom_relations}" PARENT_SCOPE)
endfunction()

if(with_io)
  set(version NOASSERTION)
  if(TARGET esc_llhttp)
    file(STRINGS ${ESC_DEPS}/src/llhttp/include/llhttp.h lines REGEX "define LLHTTP_VERSION_(MAJOR|MINOR|PATCH)")
    list(TRANSFORM lines REPLACE "[^0-9]" "")
    list(JOIN lines "." version)
    esc_sbom_package(llhttp "${version}" MIT CONTAINS)
  else()
    esc_sbom_package(llhttp "${llhttp_VERSION}" MIT DEPENDS_ON)
  endif()
endif()
if(esc_tls)
  set(relation DEPENDS_ON)
  if(esc_mbedtls_bundled)
    set(relation CONTAINS)
  endif()
  esc_sbom_package(mbedtls "${MbedTLS_VERSION}" "Apache-2.0 OR GPL-2.0-or-later" ${relation})
endif()
if(with_io AND NOT wasm)
  set(version "${c-ares_VERSION}")
  if(CARES_VERSION)
    set(version "${CARES_VERSION}")
  elseif(NOT version)
    pkg_get_variable(version libcares version)
  endif()
  esc_sbom_package(c-ares "${version}" MIT DEPENDS_ON)
endif()
if(with_io AND NOT wasm AND esc_sqlite STREQUAL "sqlite_database")
  esc_sbom_package(sqlite "${SQLITE_VERSION}" blessing DEPENDS_ON)
endif()
if(whole AND NOT wasm)
  esc_sbom_package(zlib "${ZLIB_VERSION_STRING}" Zlib DEPENDS_ON)
  if(ESC_BROTLI)
    esc_sbom_package(brotli "${BROTLI_VERSION}" MIT DEPENDS_ON)
  endif()
  if(ESC_ZSTD)
    esc_sbom_package(zstd "${ZSTD_VERSION}" BSD-3-Clause DEPENDS_ON)
  endif()
  if(esc_psl)
    esc_sbom_package(libpsl "${PSL_VERSION}" MIT DEPENDS_ON)
  endif()
endif()

set(epoch "$ENV{SOURCE_DATE_EPOCH}")
find_package(Git QUIET)
if(NOT epoch AND Git_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${PROJECT_SOURCE_DIR} log -1 --format=%ct OUTPUT_VARIABLE epoch
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT epoch)
  set(epoch 0)
endif()
set(before "$ENV{SOURCE_DATE_EPOCH}")
set(ENV{SOURCE_DATE_EPOCH} ${epoch})
string(TIMESTAMP created "%Y-%m-%dT%H:%M:%SZ" UTC)
set(ENV{SOURCE_DATE_EPOCH} "${before}")
list(JOIN esc_components "-" parts)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/escapement.spdx.json @ONLY CONTENT [[{
  "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "escapement-@PROJECT_VERSION@",
  "documentNamespace": "https://spdx.org/spdxdocs/escapement-@PROJECT_VERSION@-@parts@-@epoch@",
  "creationInfo": {"created": "@created@", "creators": ["Tool: escapement tools/cmake/sbom.cmake"]},
  "packages": [
    {"SPDXID": "SPDXRef-escapement", "name": "escapement", "versionInfo": "@PROJECT_VERSION@", "licenseConcluded": "MIT",
     "licenseDeclared": "MIT", "copyrightText": "Copyright (c) 2026 the escapement developers", "downloadLocation": "NOASSERTION",
     "filesAnalyzed": false}@sbom_packages@],
  "relationships": [
    {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-escapement"}@sbom_relations@]
}
]])
install(FILES ${PROJECT_BINARY_DIR}/escapement.spdx.json DESTINATION ${license_dir})
