#!/usr/bin/env python3
"""tools/api_diff, between small trees made here: what counts as added, removed and changed, and its exit codes."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

OLD = """// Lamp: shines.
#pragma once
namespace escapement {
namespace detail {
struct Hidden {};
}
class [[nodiscard("a lamp (unlit) is dark")]] Lamp {
 public:
  explicit Lamp(int level = 0);  // a comment
  void off();
  class alignas(8) Bulb {
   public:
    int watts() const;
  };

 private:
  int level_;
};
enum class Colour { red, green };
int lamps();
}  // namespace escapement
"""


class ApiDiff(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="escapement-api-")
        self.addCleanup(self.folder.cleanup)

    def tree(self, name, text):
        tree = pathlib.Path(self.folder.name) / name
        listed = "# headers\ncore/lamp.h\ncore/detail/hidden.h\n"
        for file, content in {"tools/cmake/installed_headers.txt": listed, "core/lamp.h": text,
                              "core/detail/hidden.h": "int hidden();\n"}.items():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).write_text(content)
        return str(tree)

    def diff(self, *arguments):
        done = subprocess.run([sys.executable, ROOT / "tools/api_diff", *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def compare(self, new):
        code, out, _ = self.diff(self.tree("old", OLD), self.tree("new", new), "--json")
        found = json.loads(out)
        names = {kind: [symbol["name"] for symbol in found[kind]] for kind in found}
        return code, names, found

    def test_nothing_changes_by_comments_spaces_private_parts_and_warnings(self):
        new = OLD.replace("// a comment", "").replace("int level = 0", "int  level=0")
        new = new.replace("int level_", "long level_")
        new = new.replace("a lamp (unlit) is dark", "name it").replace("struct Hidden {};", "")
        code, names, _ = self.compare(new)
        self.assertEqual((code, names), (0, {"added": [], "removed": [], "changed": []}))

    def test_added(self):
        new = OLD.replace("int lamps();", "int lamps();\nint lights();").replace("red, green", "red, green, blue")
        code, names, _ = self.compare(new)
        self.assertEqual((code, names["added"]), (0, ["escapement::Colour::blue", "escapement::lights"]))
        self.assertEqual((names["removed"], names["changed"]), ([], []))

    def test_removed(self):
        for gone, name in [("  void off();\n", "escapement::Lamp::off"), ("int lamps();\n", "escapement::lamps"),
                           (", green", "escapement::Colour::green"),
                           ("    int watts() const;\n", "escapement::Lamp::Bulb::watts")]:
            code, names, _ = self.compare(OLD.replace(gone, ""))
            self.assertEqual((code, names["removed"]), (1, [name]))

    def test_what_becomes_private_or_internal_is_removed(self):
        code, names, _ = self.compare(OLD.replace("  void off();", " private:\n  void off();\n public:"))
        self.assertEqual((code, names["removed"]), (1, ["escapement::Lamp::off"]))

    def test_changed(self):
        code, names, found = self.compare(OLD.replace("void off();", "void off(bool slowly);\n  void off(int after);"))
        self.assertEqual((code, names["changed"]), (0, ["escapement::Lamp::off"]))
        self.assertEqual(found["changed"][0]["old"], ["void off()"])
        self.assertEqual(found["changed"][0]["new"], ["void off(bool slowly)", "void off(int after)"])
        self.assertEqual(found["changed"][0]["header"], "core/lamp.h")

    def test_text(self):
        code, out, _ = self.diff(self.tree("old", OLD), self.tree("new", OLD.replace("void off();", "int off();")))
        self.assertEqual(code, 0)
        self.assertIn("  escapement::Lamp::off  (core/lamp.h)\n    - void off()\n    + int off()\n", out)

    def test_list(self):
        code, out, _ = self.diff("--list", self.tree("old", OLD))
        self.assertEqual(code, 0)
        self.assertIn("escapement::Lamp::Bulb::watts", out.splitlines())
        self.assertNotIn("hidden", out)

    def test_misuse(self):
        old = self.tree("old", OLD)
        (pathlib.Path(self.folder.name) / "empty").mkdir()
        for wrong in [[], [old], [old, "no-such-version"], [old, old, old], ["--colour", old],
                      [old, str(pathlib.Path(self.folder.name) / "empty")]]:
            code, out, said = self.diff(*wrong)
            self.assertEqual((code, out), (2, ""), wrong)
            self.assertTrue(said.startswith("api_diff: "), said)
        code, out, _ = self.diff("--help")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("tools/api_diff"))

    def test_this_tree(self):
        code, out, said = self.diff("--list", str(ROOT))
        self.assertEqual((code, said), (0, ""))
        for symbol in ["escapement::Runnable::run", "escapement::Event::Wait", "escapement::http::ServerOptions"]:
            self.assertIn(symbol, out.splitlines())


if __name__ == "__main__":
    unittest.main()
