"""The pages that are made from Markdown: docs/**/*.md and the documents at the root."""
import html
import pathlib
import posixpath
import re

import markdown
from highlight import highlight
from names import header_url
from pages import Page, relative, shorten

ROOT_DOCUMENTS = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
OTHERS_GO_TO = "How to"
PROJECT = "Project"


def document_url(name):
    name = name.removeprefix("docs/")
    return (name.lower() if "/" not in name else name).removesuffix(".md") + ".html"


def read_order(root):
    """docs/contents.txt: sections, and below each its documents, indented, perhaps with a shorter name."""
    sections, labels, section = {}, {}, None
    for line in (root / "docs/contents.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            name, _, label = line.strip().partition("  ")
            sections[section].append(name)
            labels[name] = label.strip()
        else:
            section = line.strip()
            sections.setdefault(section, [])
    return sections, labels


def find_documents(root):
    """Returns (name, section, label) in the order of the navigation; the label may be empty."""
    sections, labels = read_order(root)
    listed = {name for names in sections.values() for name in names}
    found = sorted(str(path.relative_to(root)) for path in (root / "docs").rglob("*.md"))
    sections.setdefault(OTHERS_GO_TO, [])
    sections[OTHERS_GO_TO] += [name for name in found if name not in listed]
    sections.setdefault(PROJECT, [])
    sections[PROJECT] += [name for name in ROOT_DOCUMENTS if (root / name).exists() and name not in listed]
    return [(name, section, labels.get(name, "")) for section, names in sections.items() for name in names]


class DocumentHooks(markdown.Hooks):
    def __init__(self, site, name, url):
        self.site, self.name, self.url = site, name, url

    def at(self, url):
        return relative(self.url, url)

    def code(self, code, language):
        def link(names, called):
            url = self.site.names.in_code(names, called)
            return self.at(url) if url else None

        return highlight(code, language, link)

    def span(self, code):
        shown = html.escape(code, quote=False)
        if self.first_column and self.name.startswith("docs/migrate/"):
            return shown
        url = self.site.names.in_text(code)
        if not url and re.fullmatch(r"[\w./-]+\.(cpp|mjs|h|py|md)", code) and (self.site.root / code).is_file():
            url = self.site.url_of_file(code)
        return f"<a href=\"{html.escape(self.at(url))}\">{shown}</a>" if url and url != self.url else shown

    def link(self, target):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            return target
        if not path:
            return target
        full = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), path))
        url = self.site.url_of_file(full)
        if url is None:
            self.site.problems.append(f"{self.name}: links to {target}, which is no file of the tree")
            return target
        return self.at(url) + (f"#{anchor}" if anchor else "")

    def image(self, source):
        full = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), source))
        if not (self.site.root / full).is_file():
            self.site.problems.append(f"{self.name}: shows {source}, which is no file of the tree")
        url = "pictures/" + posixpath.basename(full)
        self.site.pictures[url] = full
        return self.at(url)

    def caption(self, source):
        file = source.split("#")[0]
        url = self.site.url_of_file(file)
        shown = html.escape(file)
        return f"<a href=\"{self.at(url)}\">{shown}</a>" if url else shown


def first_paragraph(text):
    for part in re.split(r"\n\s*\n", re.sub(r"<!--.*?-->", "", text, flags=re.S)):
        part = part.strip()
        if part and not part.startswith(("#", "|", "```", "![", "-")):
            return re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", " ".join(part.split()))
    return ""


def make_document(site, name, section, label):
    text = (site.root / name).read_text()
    url = document_url(name)
    rendered = markdown.Renderer(DocumentHooks(site, name, url)).render(text)
    title = rendered.title or pathlib.PurePath(name).stem
    kind = "home" if url == "index.html" else "document"
    return Page(url, title, shorten(first_paragraph(text)), rendered.html, section, rendered.headings, rendered.text,
                markdown=text, blocks=rendered.blocks, source=name, kind=kind, label=label)


def source_page(site, name):
    """A file of the tree, with lines that can be linked to."""
    text = (site.root / name).read_text(errors="replace")
    url = f"source/{name}.html"
    language = pathlib.PurePath(name).suffix.removeprefix(".")
    if pathlib.PurePath(name).name == "CMakeLists.txt":
        language = "cmake"

    def link(names, called):
        found = site.names.in_code(names, called)
        return relative(url, found) if found else None

    shown = highlight(text.rstrip("\n"), language, link)
    lines, open_span = [], ""
    for number, line in enumerate(shown.split("\n"), 1):
        line = open_span + line
        last_open, last_close = line.rfind("<span"), line.rfind("</span>")
        open_span = re.match(r"<span[^>]*>", line[last_open:])[0] if last_open > last_close else ""
        lines.append(f"<span class=\"line\" id=\"L{number}\">{line}{'</span>' if open_span else ''}</span>")
    reference = ""
    if name in site.names.headers:
        reference = f"<p class=\"facts\"><a href=\"{relative(url, header_url(name))}\">Reference</a></p>"
    code = "\n".join(lines)
    body = (f"<h1><code>{html.escape(name)}</code></h1>{reference}"
            f"<figure class=\"code whole\"><pre tabindex=\"0\"><code>{code}</code></pre></figure>")
    return Page(url, name, f"The source of {name}.", body, "API", source="", kind="source", listed=False)
