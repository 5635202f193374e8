# esc-serve with everything switched on, and behind the proxies of tools/deploy where they are installed.
if(ESC_BUILD_TOOLS)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(here ${CMAKE_CURRENT_LIST_DIR})
  add_test(NAME "tools: esc-serve, files, threads, logs" COMMAND Python3::Interpreter ${here}/site_test.py $<TARGET_FILE:esc-serve>)
  foreach(proxy nginx haproxy)
    add_test(NAME "tools: esc-serve behind ${proxy}"
             COMMAND Python3::Interpreter ${here}/deploy_test.py ${proxy} $<TARGET_FILE:esc-serve>
                     ${PROJECT_SOURCE_DIR}/tools/deploy)
    set_tests_properties("tools: esc-serve behind ${proxy}" PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
  endforeach()
endif()
