#!/bin/sh
# pkg_config.sh PKG_CONFIG COMPILER FOLDER: builds the consumer with what pkg-config says alone, and runs it.
set -eu
here=$(dirname "$0")
options=$("$1" --cflags --libs --static escapement)
# shellcheck disable=SC2086
"$2" -std=c++20 -O1 "$here/consumer.cpp" -o "$3/by-pkg-config" $options
"$3/by-pkg-config"
