# The client of GitHub as a Worker, and the fake GitHub that it is tested against.
set(recorded)
foreach(scenario paginate-issues get-repository rename-repository get-content search-issues release-assets add-labels-to-issue
        create-file errors)
  set(file ${fixtures}/scenarios/api.github.com/${scenario}/normalized-fixture.json)
  if(EXISTS ${file})
    file(READ ${file} text)
    string(APPEND recorded "      R\"###(${text})###\",\n")
  endif()
endforeach()
if(NOT recorded)
  add_test(NAME "example: GitHub, in Workers" COMMAND ${CMAKE_COMMAND} -E echo "skipped: @octokit/fixtures is not installed (tools/setup)")
  set_tests_properties("example: GitHub, in Workers" PROPERTIES SKIP_REGULAR_EXPRESSION "skipped")
  return()
endif()
file(CONFIGURE OUTPUT recordings_text.cpp @ONLY CONTENT [[
#include "github/recordings_text.h"

std::vector<std::string_view> recordings_text() {
  return {
@recorded@  };
}
]])
esc_need_json()
esc_wasm_module(github_worker SOURCES github/worker.cpp github/rs256_web_crypto.cpp ${github_sources}
                LIBRARIES escapement::middleware nlohmann_json::nlohmann_json)
esc_wasm_module(github_fake SOURCES github/fake_worker.cpp github/fake_github.cpp github/fields.cpp github/base64.cpp
                ${serve}/fixture_service.cpp ${serve}/recordings.cpp ${CMAKE_CURRENT_BINARY_DIR}/recordings_text.cpp
                LIBRARIES escapement::middleware nlohmann_json::nlohmann_json)
foreach(target github_worker github_fake)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR})
endforeach()
foreach(host node workerd)
  add_test(NAME "example: GitHub, in ${host}"
           COMMAND ${node_program} ${CMAKE_CURRENT_SOURCE_DIR}/github/worker_test.mjs ${host}
                   $<TARGET_FILE:github_worker> $<TARGET_FILE:github_fake>)
  set_tests_properties("example: GitHub, in ${host}" PROPERTIES TIMEOUT 120)
endforeach()
