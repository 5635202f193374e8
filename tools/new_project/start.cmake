cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# An installed escapement, or the checkout from which this project was made.
set(ESCAPEMENT_SOURCE "@ESCAPEMENT@" CACHE PATH "Used if no escapement is installed")
