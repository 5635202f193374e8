# The consumers in package/, built as their users would: add_subdirectory, FetchContent, and an installed copy found by
# CMake and by pkg-config, with both compilers, both standards, with and without exceptions, static and shared. The copy
# has moved since it was installed, and nothing else is on the path.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(place ${CMAKE_CURRENT_BINARY_DIR}/package)
set(installed ${place}/moved)
add_test(NAME "package: install"
         COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/package/install.py ${CMAKE_COMMAND} ${PROJECT_BINARY_DIR}
                 ${place} --absent ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${ESC_DEPS})
set_tests_properties("package: install" PROPERTIES LABELS package FIXTURES_SETUP installed)

# Without what this shell knows of other places.
set(alone ${CMAKE_COMMAND} -E env --unset=ESC_DEPS --unset=CMAKE_PREFIX_PATH --unset=PKG_CONFIG_PATH --unset=MbedTLS_ROOT
          --unset=MbedTLS_DIR)
set(compilers -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER} -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER})

function(esc_package_test how)
  add_test(NAME "package: ${how}"
           COMMAND ${alone} ${CMAKE_CTEST_COMMAND}
                   --build-and-test ${CMAKE_CURRENT_SOURCE_DIR}/package ${place}/${how}
                   --build-generator ${CMAKE_GENERATOR} --build-options ${compilers} ${ARGN}
                   --test-command consumer)
  set_tests_properties("package: ${how}" PROPERTIES LABELS package TIMEOUT 900)
endfunction()

esc_package_test(add_subdirectory -DESCAPEMENT_SOURCE=${PROJECT_SOURCE_DIR} -DESC_DEPS=${ESC_DEPS} -DESC_UNITY=ON
                 -DBUILD_SHARED_LIBS=ON -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0)
set_tests_properties("package: add_subdirectory" PROPERTIES FIXTURES_SETUP built_below)
add_test(NAME "package: a parent's install leaves it out"
         COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/package/install.py ${CMAKE_COMMAND}
                 ${place}/add_subdirectory ${place}/parent --only bin/consumer)
set_tests_properties("package: a parent's install leaves it out" PROPERTIES LABELS package FIXTURES_REQUIRED built_below)

function(esc_installed_test how)
  esc_package_test(${how} -DCMAKE_PREFIX_PATH=${installed} ${ARGN})
  set_tests_properties("package: ${how}" PROPERTIES FIXTURES_REQUIRED installed)
endfunction()
esc_installed_test(find_package)
# Only the first one is optimised, for the warnings that need it.
esc_installed_test(cxx23 -DCMAKE_CXX_STANDARD=23 -DCONSUMER_FLAGS=-O0)
esc_installed_test(no_exceptions "-DCONSUMER_FLAGS=-O0$<SEMICOLON>-fno-exceptions$<SEMICOLON>-fno-rtti")
esc_installed_test(timers_alone -DTIMERS_ONLY=ON -DESCAPEMENT_COMPONENTS=timers)
find_program(other_compiler NAMES clang++-19 clang++)
find_program(other_c_compiler NAMES clang-19 clang)
if(other_compiler AND other_c_compiler)
  set(clang -DCMAKE_CXX_COMPILER=${other_compiler} -DCMAKE_C_COMPILER=${other_c_compiler})
  esc_installed_test(clang ${clang} -DCONSUMER_FLAGS=-O0)
  esc_installed_test(clang_cxx23_no_exceptions ${clang} -DCMAKE_CXX_STANDARD=23 "-DCONSUMER_FLAGS=-O0$<SEMICOLON>-fno-exceptions$<SEMICOLON>-fno-rtti")
endif()

# What FetchContent would have unpacked: the tree without .deps, as ESC_DEPS says.
esc_package_test(fetch_content -DESCAPEMENT_FETCHED=${PROJECT_SOURCE_DIR} -DESC_DEPS=${place}/none -DTIMERS_ONLY=ON)

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
  foreach(program "escapement consumer" "escapement-timers timers_only")
    string(REPLACE " " ";" arguments "${program}")
    list(GET arguments 0 module)
    add_test(NAME "package: pkg-config ${module}"
             COMMAND ${alone} PKG_CONFIG_PATH=${installed}/${CMAKE_INSTALL_LIBDIR}/pkgconfig
                     sh ${CMAKE_CURRENT_SOURCE_DIR}/package/pkg_config.sh ${PKG_CONFIG_EXECUTABLE} ${CMAKE_CXX_COMPILER} ${place} ${arguments})
    set_tests_properties("package: pkg-config ${module}" PROPERTIES LABELS package FIXTURES_REQUIRED installed TIMEOUT 120)
  endforeach()
endif()

# The shared libraries of add_subdirectory show our own symbols only, and carry their version.
find_program(NM nm)
if(NM)
  add_test(NAME "package: shared libraries hide what they contain"
           COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/package/exports.py ${NM} ${place}/add_subdirectory/escapement)
  set_tests_properties("package: shared libraries hide what they contain" PROPERTIES LABELS package FIXTURES_REQUIRED built_below)
endif()

# Projects of tools/new-project, against the installed copy.
foreach(kind misuse server client timers worker)
  add_test(NAME "package: new-project ${kind}"
           COMMAND ${alone} ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/package/new_project.py ${CMAKE_COMMAND} ${PROJECT_SOURCE_DIR}
                   ${place} ${kind} -DCMAKE_PREFIX_PATH=${installed} ${compilers})
  set_tests_properties("package: new-project ${kind}" PROPERTIES LABELS package FIXTURES_REQUIRED installed TIMEOUT 300)
endforeach()

# The description for build systems of all kinds, which CMake writes from 4.3 on.
if(CMAKE_VERSION VERSION_GREATER_EQUAL 4.3)
  add_test(NAME "package: CPS" COMMAND ${CMAKE_COMMAND} -DPREFIX=${installed} -P ${CMAKE_CURRENT_SOURCE_DIR}/package/cps.cmake)
  set_tests_properties("package: CPS" PROPERTIES LABELS package FIXTURES_REQUIRED installed)
else()
  add_test(NAME "package: CPS" COMMAND ${CMAKE_COMMAND} -E echo "skipped: CMake ${CMAKE_VERSION} writes no CPS files; 4.3 does")
  set_tests_properties("package: CPS" PROPERTIES LABELS package SKIP_REGULAR_EXPRESSION "skipped: ")
endif()

# The vcpkg port and the Conan recipe, by stand-ins for those tools.
add_test(NAME "package: recipes"
         COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/package/recipes.py ${CMAKE_COMMAND} ${PROJECT_SOURCE_DIR}
                 ${PROJECT_VERSION})
set_tests_properties("package: recipes" PROPERTIES LABELS package)

# The release script, for the components that build in seconds.
if(EXISTS ${PROJECT_SOURCE_DIR}/.git)
  add_test(NAME "package: release" COMMAND ${alone} ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/release --quick --since HEAD --out ${place}/release)
  set_tests_properties("package: release" PROPERTIES LABELS package TIMEOUT 300)
endif()
