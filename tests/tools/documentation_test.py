#!/usr/bin/env python3
"""The documentation site's generator: how it reads headers and Markdown, and that its checks find faults."""
import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools/dev/site"))

import checks  # noqa: E402
import markdown  # noqa: E402
from api import first_sentence  # noqa: E402
from headers import read_header  # noqa: E402
from highlight import highlight  # noqa: E402
from names import Names, anchor_of  # noqa: E402
from tokens import tokens_of  # noqa: E402

HEADER = """// Lamp: shines.
//
//     Lamp lamp;

#pragma once

namespace escapement {

namespace detail {
struct Hidden {};
}  // namespace detail

class Lamp;  // declared before

// Colours.
enum class Colour : int {
  red,    // stop
  green,  // go,
          // with care
};
enum class Small { a, b };

class Lamp final : public Base<int> {
 public:
  // The wattage.
  static constexpr int watts = 40;
  // Turns it on. `how` may be empty.
  explicit Lamp(std::function<void(int)> how = {}, int level = (1 + 2)) : how_(std::move(how)), level_{level} {}
  Lamp(const Lamp&) = delete;
  ~Lamp() { off(); }

  bool lit() const { return level_ > 0; }  // whether it shines
  int naked() const;

  // Sets the level.
  template <class T>
    requires(!std::same_as<T, Lamp>) && std::integral<T>
  void level(T to) {
    level_ = to;
  }
  void level(double to);

  // Called with each change.
  void (*observer)(const Lamp&) = nullptr;
  std::array<int, sizeof(int) + 1> table{};

  bool operator==(const Lamp&) const = default;
  int operator()(int a) const { return a; }

 private:
  friend class Other;
  void off();
  struct Secret {};
  std::function<void(int)> how_;
  int level_ = 0;
};

template <class T>
void Lamp::level(T) {}

// Is a lamp.
template <class T>
concept Lampish = requires(T lamp) { lamp.lit(); };

// Makes a lamp,
// for everybody.
inline Lamp make(int level = 3) { return Lamp({}, level); }

}  // namespace escapement

// Rings.
ESC_IMPORT(ring) int ring_bell(int times);

// Says lamp.
#define ESC_LAMP(name) \\
  Lamp name
"""


class Headers(unittest.TestCase):
    def setUp(self):
        self.header = read_header("core/lamp.h", HEADER)
        self.by_path = {}
        for symbol in self.header.all_symbols():
            self.by_path.setdefault(symbol.path, []).append(symbol)

    def test_symbols(self):
        self.assertEqual([(symbol.kind, symbol.name) for symbol in self.header.symbols],
                         [("enum", "Colour"), ("enum", "Small"), ("class", "Lamp"), ("concept", "Lampish"),
                          ("function", "make"), ("function", "ring_bell"), ("macro", "ESC_LAMP")])
        members = [(symbol.kind, symbol.name) for symbol in self.by_path["Lamp"][0].members]
        self.assertEqual(members, [("variable", "watts"), ("function", "Lamp"), ("function", "Lamp"),
                                   ("function", "~Lamp"), ("function", "lit"), ("function", "naked"),
                                   ("function", "level"), ("function", "level"), ("variable", "observer"),
                                   ("variable", "table"), ("function", "operator=="), ("function", "operator()")])

    def test_declarations(self):
        declared = {path: symbols[0].declaration for path, symbols in self.by_path.items()}
        self.assertEqual(declared["Lamp"], "class Lamp final : public Base<int>")
        self.assertEqual(declared["Lamp::Lamp"],
                         "explicit Lamp(std::function<void(int)> how = {}, int level = (1 + 2))")
        self.assertEqual(declared["Lamp::level"],
                         "template <class T>\n  requires(!std::same_as<T, Lamp>) && std::integral<T>\nvoid level(T to)")
        self.assertEqual(declared["make"], "inline Lamp make(int level = 3)")
        self.assertEqual(declared["Lamp::operator()"], "int operator()(int a) const")

    def test_comments(self):
        comments = {path: symbols[0].comment for path, symbols in self.by_path.items()}
        self.assertEqual(comments["make"], "Makes a lamp,\nfor everybody.")
        self.assertEqual(comments["Colour::green"], "go,\nwith care")
        self.assertEqual(comments["Lamp::lit"], "whether it shines")
        self.assertEqual(comments["Lamp::naked"], "")
        self.assertEqual(comments["ESC_LAMP"], "Says lamp.")
        self.assertTrue(self.header.essay.startswith("Lamp: shines."))

    def test_undocumented(self):
        found = [symbol.path for symbol in self.header.all_symbols() if not self.header.documented(symbol)]
        self.assertEqual(found, ["Small", "Small::a", "Small::b", "Lamp::naked"])
        self.assertEqual(len(checks.check_documented([self.header])), 4)

    def test_names(self):
        names = Names([self.header])
        self.assertEqual(names.in_text("Lamp::level"), "api/core/lamp.html#Lamp.level")
        self.assertEqual(names.in_text("level()", "Lamp"), "api/core/lamp.html#Lamp.level")
        self.assertEqual(names.in_text("lamp.h"), "api/core/lamp.html")
        self.assertIsNone(names.in_text("level"))
        self.assertIsNone(names.in_code(["make"], False))
        self.assertEqual(names.in_code(["escapement", "make"], True), "api/core/lamp.html#make")
        self.assertEqual(anchor_of(self.by_path["Lamp::operator=="][0]), "Lamp.operator-eq-eq")

    def test_tokens_are_the_text_again(self):
        for path in [*ROOT.glob("core/*.h"), *ROOT.glob("io/**/*.h"), *ROOT.glob("tests/examples/**/*.cpp")]:
            text = path.read_text()
            self.assertEqual("".join(token.text for token in tokens_of(text)), text, path)


class Markdown(unittest.TestCase):
    def render(self, text, **options):
        return markdown.Renderer(markdown.Hooks(), **options).render(text)

    def test_blocks(self):
        made = self.render("# Title\n\nSome *em* and **strong** `co<de>`.\n\n- one\n  more\n- two\n\n  ```cpp\n  f();\n"
                           "  ```\n\n## A `b` c!\n\n| a | b |\n|---|---:|\n| 1 \\| 2 | [x](y.md) |\n\n> said\n")
        self.assertEqual(made.title, "Title")
        self.assertEqual([(heading.anchor, heading.text) for heading in made.headings], [("a-b-c", "A b c!")])
        for part in ("<em>em</em>", "<strong>strong</strong>", "<code>co&lt;de&gt;</code>", "<li>one\nmore</li>",
                     "f();", "<td>1 | 2</td>", '<td class="right"><a href="y.md">x</a></td>',
                     "<blockquote><p>said</p></blockquote>"):
            self.assertIn(part, made.html)

    def test_html_is_not_passed_on(self):
        self.assertNotIn("<script", self.render("<script>alert(1)</script>\n\n[x](javascript\")<b>").html)

    def test_comments(self):
        made = self.render("Takes *p and a_b_c.\n\n    int f();\n\n- first\n- second: RFC 9110 section 5.3", plain=True)
        self.assertIn("Takes *p and a_b_c.", made.html)
        self.assertIn("<pre", made.html)
        self.assertIn("https://www.rfc-editor.org/rfc/rfc9110#section-5.3", made.html)

    def test_beside(self):
        made = self.render("<!-- beside tokio -->\n```rust\na\n```\n<!-- quote x.cpp#y -->\n```cpp\nb\n```\n")
        self.assertIn('class="beside"', made.html)
        self.assertEqual([(block.source, block.foreign) for block in made.blocks], [("", True), ("x.cpp#y", False)])

    def test_highlight(self):
        self.assertEqual(highlight("return 1'000; // <", "cpp"),
                         '<span class="k">return</span> <span class="n">1\'000</span>; <span class="c">// &lt;</span>')
        self.assertIn('<span class="k">let</span>', highlight("let x = 'a';", "rust"))

    def test_first_sentence(self):
        self.assertEqual(first_sentence("Takes 1.5 s, e.g. now. Then rests."), "Takes 1.5 s, e.g. now.")


class FirstPage(unittest.TestCase):
    def test_a_program_of_ones_own_in_under_ten_commands(self):
        commands = re.search(r"```sh\n(.*?)```", (ROOT / "docs/index.md").read_text(), re.S)[1].strip().splitlines()
        self.assertLess(len(commands), 10)
        self.assertEqual(commands[-1], "./build/hello")


class Checks(unittest.TestCase):
    def test_links(self):
        files = {"index.html": '<a href="a.html#x">1</a><a href="a.html#y">2</a><a href="b.html">3</a>'
                               '<a href="http://h/">4</a><a href="https://h/">5</a><img src="a.svg">',
                 "a.html": '<p id="x"><p id="x">'}
        found = "\n".join(checks.check_links(files))
        for part in ("a.html#y, a place", "b.html, which does not", "http://h/", "picture without",
                     "a.svg, which does not", "two elements have the id x"):
            self.assertIn(part, found)
        self.assertNotIn("https", found.replace("neither https", ""))
        self.assertEqual(found.count("\n"), 5)

    def test_quotes(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "a.cpp").write_text("  // [part]\n  int a;\n  // [part]\n")
            page = root / "page.md"
            page.write_text("<!-- quote a.cpp#part -->\n```cpp\nint b;\n```\n<!-- quote a.cpp#none -->\n```cpp\n```\n")
            blocks = markdown.Renderer(markdown.Hooks()).render(page.read_text()).blocks
            self.assertIn("differs", checks.check_quote(root, blocks[0])[0])
            self.assertIn("does not exist", checks.check_quote(root, blocks[1])[0])
            self.assertTrue(checks.refresh_quotes(root, page))
            self.assertIn("```cpp\nint a;\n```", page.read_text())
            self.assertFalse(checks.refresh_quotes(root, page))


unittest.main()
