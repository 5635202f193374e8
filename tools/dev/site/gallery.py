"""The gallery: every program of tests/examples, which the tests build and run, with what it prints."""
import html
import re

from highlight import highlight
from markdown import Heading
from pages import Page, relative, shorten

PLACE = "tests/examples"
GROUPS = {"programs": "Programs", "": "Small programs", "start": "From the first page",
          "tutorial": "From the tutorials", "migrate": "From the migration pages", "howto": "From the how-to pages"}


def is_program(text):
    return re.search(r"^int main\(|^ESC_(WORKER|TASK)\(", text, re.M) is not None


def without_marks(text):
    """The text without the lines that only mark the parts that documents quote."""
    return re.sub(r"^ *// (\[\w+\]|clang-format (on|off))\n", "", text, flags=re.M)


def opening_comment(text):
    lines = []
    for line in text.split("\n"):
        if not line.startswith("//"):
            break
        lines.append(line.removeprefix("//").strip())
    return " ".join(lines)


def find_examples(root):
    """Returns the names of the programs, "tests/examples/compose.cpp"."""
    found = [path for path in sorted((root / PLACE).rglob("*.cpp")) if is_program(path.read_text())]
    return [str(path.relative_to(root)) for path in found]


def example_url(name):
    return "examples/" + name.removeprefix(PLACE + "/").removesuffix(".cpp") + ".html"


def make_example(site, name):
    path = site.root / name
    text = path.read_text()
    url = example_url(name)
    header = path.with_suffix(".h")
    about = opening_comment(header.read_text()) if header.exists() else opening_comment(text)
    title = path.stem.replace("_", " ")

    def link(names, called):
        found = site.names.in_code(names, called)
        return relative(url, found) if found else None

    code = without_marks(text)
    code = re.sub(r"^(//[^\n]*\n)+\n?", "", code).strip()
    parts = [f"<h1>{html.escape(title)}</h1>", f"<p class=\"lead\">{html.escape(about)}</p>"]
    session = path.with_suffix(".session")
    if session.exists():
        shown = highlight(session.read_text().rstrip(), "session")
        parts.append(f"<h2 id=\"prints\">Prints</h2><figure class=\"code session\"><pre tabindex=\"0\"><code>{shown}"
                     "</code></pre></figure>")
    parts.append(f"<h2 id=\"source\">Source</h2><figure class=\"code\"><figcaption>{name}</figcaption>"
                 f"<pre tabindex=\"0\"><code>{highlight(code, 'cpp', link)}</code></pre></figure>")
    for suffix, language in ((".h", "cpp"), (".mjs", "js")):  # the rest of the program
        beside = path.with_suffix(suffix)
        if beside.exists():
            shown = highlight(without_marks(beside.read_text()).rstrip(), language, link)
            parts.append(f"<figure class=\"code\"><figcaption>{beside.relative_to(site.root)}</figcaption>"
                         f"<pre tabindex=\"0\"><code>{shown}</code></pre></figure>")
    return Page(url, title, shorten(about), "\n".join(parts), "Examples", [], {"": about}, source=name, kind="example",
                listed=False, includes=re.findall(r"#include (<[^>]+>)", text))


def overview(site, pages):
    groups = {}
    for page in pages:
        folder = page.source.removeprefix(PLACE + "/").rpartition("/")[0]
        groups.setdefault(folder, []).append(page)
    parts = ["<h1>Examples</h1>", "<p class=\"lead\">Whole programs. The project's tests build each of them, run "
             "it and compare what it prints.</p>"]
    headings = []
    order = list(GROUPS)
    for folder, members in sorted(groups.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99):
        title = GROUPS.get(folder, folder.capitalize())
        headings.append(Heading(2, folder or "small", title))
        cards = "".join(f"<li><a href=\"{relative('examples/index.html', page.url)}\">"
                        f"<strong>{html.escape(page.title)}</strong>"
                        f"<span>{html.escape(page.description)}</span></a></li>" for page in members)
        parts.append(f"<h2 id=\"{folder or 'small'}\">{html.escape(title)}</h2><ul class=\"cards\">{cards}</ul>")
    return Page("examples/index.html", "Examples", "Whole programs that the tests build and run.", "\n".join(parts),
                "Examples", headings, kind="document")
