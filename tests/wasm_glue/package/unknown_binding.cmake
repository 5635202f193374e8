# A binding that needs more than its name is refused, and the error says so:  cmake -DFUNCTIONS=.../wasm.cmake -P unknown_binding.cmake
cmake_minimum_required(VERSION 3.25)
set(CMAKE_SYSTEM_NAME Emscripten)
include(${FUNCTIONS})
escapement_add_worker(app app.cpp BINDINGS kv web_socket)
