"""A Conan 2 recipe of escapement, for this checkout: conan create tools/packaging/conan"""
import pathlib
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
PARTS = ["CMakeLists.txt", "LICENSE", "core/*", "timers/*", "io/*", "middleware/*", "wasm_glue/*", "tools/cmake/*"]


class Escapement(ConanFile):
    name = "escapement"
    license = "MIT"
    description = "A reactor with a hierarchical timer wheel, and HTTP on it, for C++20 coroutines"
    topics = ("coroutines", "timer-wheel", "http", "wasm")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    # http=False: the reactor and the timers, which need nothing.
    options = {"shared": [True, False], "http": [True, False]}
    default_options = {"shared": False, "http": True}

    def set_version(self):
        text = ROOT / "CMakeLists.txt"
        self.version = re.search(r"project\(escapement VERSION ([\d.]+)", text.read_text())[1]

    def export_sources(self):
        for part in PARTS:
            copy(self, part, ROOT, self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        if self.options.http:
            self.requires("c-ares/[>=1.18]")
            self.requires("llhttp/[>=9]")
            self.requires("mbedtls/[>=3.6.7 <4]")
            self.requires("zlib/[>=1.2.11]")

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables.update({
            "ESC_COMPONENTS": "middleware" if self.options.http else "timers",
            "ESC_INSTALL": True, "ESC_BUILD_TESTS": False, "ESC_BUILD_TOOLS": False, "ESC_DEPS": "none",
            "BUILD_SHARED_LIBS": bool(self.options.shared)})
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        # Users get our own package configuration, with its components.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs.append("lib/cmake/escapement")
