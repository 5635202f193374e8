#!/usr/bin/env python3
"""recipes.py CMAKE SOURCE VERSION: reads the vcpkg port and the Conan recipe as their tools would, without them. Each
has the project's version; the port's script runs with stand-ins for vcpkg's functions; the recipe's methods run with
stand-ins for Conan's classes. The options that they set are options of the project."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import types

cmake, source, version = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
packaging = source / "tools" / "packaging"
project = (source / "CMakeLists.txt").read_text() + (source / "tools/cmake/dependencies.cmake").read_text()
wrong = []


def check(condition, text):
    if not condition:
        wrong.append(text)


def check_options(names, by):
    for name in names:
        check(re.search(rf"\b(option|set)\({name} ", project), f"{by} sets {name}, which is no option")


def vcpkg():
    port = packaging / "vcpkg" / "escapement"
    manifest = json.loads((port / "vcpkg.json").read_text())
    check(manifest["version"] == version, f"vcpkg.json has version {manifest['version']}, the project {version}")
    seen = {}
    for features in ("core", "core;http"):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "run.cmake"
            script.write_text(f"""cmake_minimum_required(VERSION 3.25)
set(FEATURES "{features}")
set(PORT escapement)
set(CURRENT_BUILDTREES_DIR "{folder}")
set(CURRENT_PACKAGES_DIR "{folder}/packages")
function(vcpkg_cmake_configure)
  message("configure: ${{ARGV}}")
endfunction()
function(vcpkg_install_copyright)
  if(NOT EXISTS "${{ARGV1}}")
    message(FATAL_ERROR "no licence at ${{ARGV1}}")
  endif()
endfunction()
foreach(name vcpkg_cmake_install vcpkg_cmake_config_fixup vcpkg_fixup_pkgconfig)
  cmake_language(EVAL CODE "function(${{name}})\nendfunction()")
endforeach()
set(CMAKE_CURRENT_LIST_DIR "{port}")
include("{port}/portfile.cmake")
""")
            done = subprocess.run([cmake, "-P", script], capture_output=True, text=True,
                                  env={"ESCAPEMENT_SOURCE": str(source), "PATH": "/usr/bin:/bin"})
            check(done.returncode == 0, f"portfile.cmake fails: {done.stderr}")
            seen[features] = done.stderr
            check_options(re.findall(r"-D(\w+)=", done.stderr), "portfile.cmake")
    check("-DESC_COMPONENTS=timers" in seen["core"], "without http the port builds more than timers")
    check("-DESC_COMPONENTS=middleware" in seen["core;http"], "with http the port does not build middleware")


def conan():
    required, variables = [], {}

    class ConanFile:
        def requires(self, what):
            required.append(what)

    class Toolchain:
        def __init__(self, recipe):
            self.cache_variables = variables

        def generate(self):
            pass

    modules = {"conan": {"ConanFile": ConanFile},
               "conan.tools.cmake": {"CMake": object, "CMakeDeps": lambda recipe: Toolchain(recipe),
                                     "CMakeToolchain": Toolchain, "cmake_layout": lambda recipe: None},
               "conan.tools.files": {"copy": lambda *_: None}}
    for name in ("conan", "conan.tools", "conan.tools.cmake", "conan.tools.files"):
        module = types.ModuleType(name)
        for key, value in modules.get(name, {}).items():
            setattr(module, key, value)
        sys.modules[name] = module
    path = packaging / "conan" / "conanfile.py"
    space = {"__file__": str(path), "__name__": "conanfile"}
    exec(compile(path.read_text(), str(path), "exec"), space)
    for http in (False, True):
        required.clear()
        recipe = space["Escapement"]()
        recipe.options = types.SimpleNamespace(http=http, shared=False)
        recipe.set_version()
        check(recipe.version == version, f"conanfile.py has version {recipe.version}, the project {version}")
        recipe.requirements()
        check(len(required) == (4 if http else 0), f"conanfile.py with http={http} requires {required}")
        recipe.generate()
        check(variables["ESC_COMPONENTS"] == ("middleware" if http else "timers"), "conanfile.py: wrong ESC_COMPONENTS")
    check_options([name for name in variables if name.startswith("ESC_")], "conanfile.py")
    for part in space["PARTS"]:
        check(list(source.glob(part)), f"conanfile.py exports {part}, which is not there")


vcpkg()
conan()
print("\n".join(wrong) or "the recipes are in order")
sys.exit(1 if wrong else 0)
