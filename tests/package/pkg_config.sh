#!/bin/sh
# pkg_config.sh PKG_CONFIG COMPILER FOLDER MODULE PROGRAM: builds PROGRAM.cpp with what pkg-config says of MODULE alone,
# and runs it.
set -eu
here=$(dirname "$0")
options=$("$1" --cflags --libs --static "$4")
# shellcheck disable=SC2086
"$2" -std=c++20 -O1 "$here/$5.cpp" -o "$3/by-pkg-config-$5" $options
"$3/by-pkg-config-$5"
