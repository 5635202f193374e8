#!/usr/bin/env python3
"""tools/coverage, on a program of a few lines: its figure, its pages, its exit codes."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

LIBRARY = """int sign(int n) {
  if (n < 0) {
    return -1;
  }
  return n > 0;
}
"""
MAIN = """int sign(int n);
int main(int count, char**) { return sign(count) - 1; }
"""


def coverage(*arguments):
    done = subprocess.run([sys.executable, ROOT / "tools/coverage", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class Coverage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="escapement-coverage-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()
        (self.folder / "library").mkdir()
        (self.folder / "library/sign.cpp").write_text(LIBRARY)
        (self.folder / "main.cpp").write_text(MAIN)

    def program(self, *flags):
        program = self.folder / "program"
        sources = [self.folder / "library/sign.cpp", self.folder / "main.cpp"]
        subprocess.run(["clang++-19", *flags, *sources, "-o", program], check=True)
        return program

    def test_a_program_that_leaves_two_lines_out(self):
        program = self.program("-fprofile-instr-generate", "-fcoverage-mapping")
        out = self.folder / "out"
        what = ["--program", program, "--sources", self.folder / "library", "--out", out]
        code, table, said = coverage(*what)
        self.assertEqual((code, table.splitlines()[-1].split()), (0, ["all", "6", "4", "66.67"]))
        self.assertIn(str(out / "html/index.html"), said)
        self.assertTrue((out / "html/index.html").is_file())
        code, found, _ = coverage(*what, "--json")
        found = json.loads(found)
        self.assertEqual((code, found["lines"]), (0, {"count": 6, "covered": 4, "percent": 66.67}))
        self.assertEqual(list(found["files"]), ["sign.cpp"])  # main.cpp is not below the folder

    def test_a_program_that_fails_or_was_not_built_for_it(self):
        what = ["--sources", self.folder / "library", "--out", self.folder / "out", "--program"]
        code, _, said = coverage(*what, self.program())
        self.assertEqual(code, 1)
        self.assertIn("were not built with", said)
        (self.folder / "main.cpp").write_text("int main() { return 3; }")
        code, _, said = coverage(*what, self.program("-fprofile-instr-generate", "-fcoverage-mapping"))
        self.assertEqual(code, 1)
        self.assertIn("coverage: failed: ", said)
        code, _, said = coverage(*what, self.folder / "nothing")
        self.assertEqual(code, 1)
        self.assertIn("does not exist", said)

    def test_misuse(self):
        for wrong in [["nosuch"], ["--program", "x"], ["--sources", "x"], ["--out"], ["--program", "--sources", "x"],
                      ["core", "--program", "x", "--sources", "y"]]:
            code, out, said = coverage(*wrong)
            self.assertEqual((code, out), (2, ""), wrong)
            self.assertTrue(said.startswith("coverage: "), said)
        code, out, _ = coverage("--help")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("tools/coverage"))


if not all(shutil.which(name) for name in ("clang++-19", "llvm-cov-19", "llvm-profdata-19")):
    print("skipped: no clang 19 with llvm-cov")
    sys.exit(77)
unittest.main()
