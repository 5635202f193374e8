# The consumer in package/, built as its user would: add_subdirectory, and find_package of an installed copy.
set(installed ${CMAKE_CURRENT_BINARY_DIR}/package/installed)
add_test(NAME "package: install" COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${installed})
set_tests_properties("package: install" PROPERTIES LABELS package FIXTURES_SETUP installed)

function(esc_package_test how)
  add_test(NAME "package: ${how}"
           COMMAND ${CMAKE_CTEST_COMMAND}
                   --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/package ${CMAKE_CURRENT_BINARY_DIR}/package/${how}
                   --build-generator ${CMAKE_GENERATOR}
                   --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER} ${ARGN}
                   --test-command consumer)
  set_tests_properties("package: ${how}" PROPERTIES LABELS package TIMEOUT 300)
endfunction()

esc_package_test(add_subdirectory -DESCAPEMENT_SOURCE=${PROJECT_SOURCE_DIR} -DESC_DEPS=${ESC_DEPS} -DESC_PRECOMPILE=ON)
esc_package_test(find_package "-DCMAKE_PREFIX_PATH=${installed}$<SEMICOLON>${esc_deps_install}/mbedtls")
set_tests_properties("package: find_package" PROPERTIES FIXTURES_REQUIRED installed)
