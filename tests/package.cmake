# The consumer in package/, built as its user would: add_subdirectory, and an installed copy found by CMake and by
# pkg-config. The copy has moved since it was installed, and nothing else is on the path.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(place ${CMAKE_CURRENT_BINARY_DIR}/package)
set(installed ${place}/moved)
add_test(NAME "package: install"
         COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/package/install.py ${CMAKE_COMMAND} ${PROJECT_BINARY_DIR}
                 ${place} --absent ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${ESC_DEPS})
set_tests_properties("package: install" PROPERTIES LABELS package FIXTURES_SETUP installed)

# Whatever this shell knows of other places.
set(alone ${CMAKE_COMMAND} -E env --unset=ESC_DEPS --unset=CMAKE_PREFIX_PATH --unset=PKG_CONFIG_PATH --unset=MbedTLS_ROOT
          --unset=MbedTLS_DIR)
set(compilers -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER})

function(esc_package_test how)
  add_test(NAME "package: ${how}"
           COMMAND ${alone} ${CMAKE_CTEST_COMMAND}
                   --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/package ${place}/${how}
                   --build-generator ${CMAKE_GENERATOR} --build-options ${compilers} ${ARGN}
                   --test-command consumer)
  set_tests_properties("package: ${how}" PROPERTIES LABELS package TIMEOUT 300)
endfunction()

esc_package_test(add_subdirectory -DESCAPEMENT_SOURCE=${PROJECT_SOURCE_DIR} -DESC_DEPS=${ESC_DEPS} -DESC_PRECOMPILE=ON
                 -DBUILD_SHARED_LIBS=ON)
set_tests_properties("package: add_subdirectory" PROPERTIES FIXTURES_SETUP built_below)
add_test(NAME "package: a parent's install leaves it out"
         COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/package/install.py ${CMAKE_COMMAND}
                 ${place}/add_subdirectory ${place}/parent --only bin/consumer)
set_tests_properties("package: a parent's install leaves it out" PROPERTIES LABELS package FIXTURES_REQUIRED built_below)

esc_package_test(find_package -DCMAKE_PREFIX_PATH=${installed})
set_tests_properties("package: find_package" PROPERTIES FIXTURES_REQUIRED installed)

function(esc_components_test components)
  add_test(NAME "package: components ${components}"
           COMMAND ${alone} ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_SOURCE_DIR}/package -B ${place}/components-${components}
                   -G ${CMAKE_GENERATOR} ${compilers} -DCMAKE_PREFIX_PATH=${installed} -DESCAPEMENT_COMPONENTS=${components})
  set_tests_properties("package: components ${components}" PROPERTIES LABELS package FIXTURES_REQUIRED installed ${ARGN})
endfunction()
esc_components_test(io)
foreach(nonsense nonsense wasm_glue)
  esc_components_test(${nonsense} PASS_REGULAR_EXPRESSION "has no component '${nonsense}' here")
endforeach()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  add_test(NAME "package: pkg-config"
           COMMAND ${alone} PKG_CONFIG_PATH=${installed}/${CMAKE_INSTALL_LIBDIR}/pkgconfig
                   sh ${CMAKE_CURRENT_SOURCE_DIR}/package/pkg_config.sh ${PKG_CONFIG_EXECUTABLE} ${CMAKE_CXX_COMPILER} ${place})
  set_tests_properties("package: pkg-config" PROPERTIES LABELS package FIXTURES_REQUIRED installed TIMEOUT 120)
endif()
