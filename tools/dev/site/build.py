"""Builds the documentation site; tools/site is the command, and has the help."""
import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path.insert(0, str(HERE))

import api  # noqa: E402
import checks  # noqa: E402
import documents  # noqa: E402
import gallery  # noqa: E402
import pages  # noqa: E402
import search  # noqa: E402
from headers import read_header  # noqa: E402
from names import Names, header_url  # noqa: E402

SECTIONS_AFTER_DOCUMENTS = ["Examples", "API"]


class Site:
    def __init__(self, root, base_url):
        self.root = root
        self.base_url = base_url.rstrip("/") + "/"
        self.base_path = re.sub(r"^https?://[^/]+", "", self.base_url)
        self.problems = []
        self.pictures = {}
        self.sources = {}
        self.pages = []
        project = (root / "CMakeLists.txt").read_text()
        self.version = re.search(r"project\([^)]*?VERSION (\d+\.\d+(?:\.\d+)?)", project)[1]
        lines = (root / "tools/cmake/installed_headers.txt").read_text().splitlines()
        names = [line for line in lines if line and not line.startswith("#") and "/detail/" not in line]
        self.headers = [read_header(name, (root / name).read_text()) for name in names]
        self.names = Names(self.headers)
        self.documents = documents.find_documents(root)
        self.document_names = {document[0] for document in self.documents}
        self.examples = gallery.find_examples(root)
        self.make_pages()

    def url_of_file(self, name):
        """The page of a file of the tree; a file that has none gets one with its source."""
        if name == "README.md":
            return "index.html"
        if name in self.document_names:
            return documents.document_url(name)
        if name in self.names.headers:
            return header_url(name)
        if name in self.examples:
            return gallery.example_url(name)
        if not (self.root / name).is_file():
            return None
        if name.endswith((".svg", ".png")):
            url = "pictures/" + name.rsplit("/", 1)[-1]
            self.pictures[url] = name
            return url
        self.sources[name] = True
        return f"source/{name}.html"

    def describe(self, header):
        """What README's table says one finds there, else the essay's first sentence."""
        readme = (self.root / "README.md").read_text()
        rows = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \|$", readme, re.M)
        for what, where in rows:
            listed = re.findall(r"`([^`]+)`", where)
            folder = listed[0].rpartition("/")[0] if listed else ""
            full = [name if "/" in name else f"{folder}/{name}" for name in listed]
            if header.name in full:
                each = what.split("; ")  # one for each header, or one for all
                text = each[full.index(header.name)] if len(each) == len(full) else what
                plain = text.replace("`", "").strip()
                return plain if text.startswith("`") else plain[0].upper() + plain[1:]
        return api.first_sentence(header.essay).rstrip(".:")

    def make_pages(self):
        made = [documents.make_document(self, *document) for document in self.documents]
        examples = [gallery.make_example(self, name) for name in self.examples]
        descriptions = {header.name: self.describe(header) for header in self.headers}
        users = {header.name: [page for page in examples if f"<escapement/{header.name}>" in page.includes]
                 for header in self.headers}
        references = [api.HeaderPage(self.names, header).page(descriptions[header.name], users[header.name][:6])
                      for header in self.headers]
        self.pages = [*made, gallery.overview(self, examples), *examples,
                      api.overview(self.headers, descriptions), api.all_symbols(self.names, self.headers), *references]
        done = set()
        for name in [header.name for header in self.headers]:
            self.sources[name] = True
        while rest := [name for name in self.sources if name not in done]:
            for name in rest:
                done.add(name)
                self.pages.append(documents.source_page(self, name))
        self.pages.append(self.missing())

    def missing(self):
        body = ("<h1>No such page</h1><p class=\"lead\">The page may have moved with its header or document.</p>"
                "<ul><li><a href=\"index.html\">The first page</a></li>"
                "<li><a href=\"api/symbols.html\">All symbols</a></li>"
                "<li><a href=\"examples/index.html\">Examples</a></li></ul>")
        return pages.Page("404.html", "No such page", "This page does not exist.", body, "",
                          kind="missing", listed=False)

    def sections(self):
        """The navigation: each section's name and pages."""
        found = {}
        for page in self.pages:
            if page.listed and page.section not in SECTIONS_AFTER_DOCUMENTS:
                found.setdefault(page.section, []).append(page)
        for section in SECTIONS_AFTER_DOCUMENTS:
            found[section] = [page for page in self.pages if page.listed and page.section == section]
        project = found.pop(documents.PROJECT, [])
        return [*found.items(), (documents.PROJECT, project)]

    def neighbours(self, page):
        """The documents before and after this one in its section."""
        if page.kind != "document" or not page.listed:
            return []
        row = next((members for section, members in self.sections() if section == page.section), [])
        if page not in row:
            return []
        at = row.index(page)
        return [(which, word, row[other]) for which, word, other in
                (("prev", "Before", at - 1), ("next", "Next", at + 1)) if 0 <= other < len(row)]

    def files(self):
        """The content of each file by its address."""
        made = {page.url: pages.around(self, page) for page in self.pages}
        for name in ("style.css", "search.js", "favicon.svg"):
            made[name] = (HERE / "assets" / name).read_text()
        made["search-index.js"] = search.index(self)
        made["sitemap.xml"] = search.sitemap(self)
        made["robots.txt"] = f"User-agent: *\nAllow: /\nSitemap: {self.base_url}sitemap.xml\n"
        made["llms.txt"] = search.llms(self)
        made["llms-full.txt"] = search.llms_full(self)
        for url, name in self.pictures.items():
            made[url] = (self.root / name).read_text()
        return made


def check(site, files):
    return [*site.problems, *checks.check_links(files), *checks.check_documented(site.headers),
            *checks.check_code(site.root, site.pages)]


def write(files, folder):
    for url, content in files.items():
        path = folder / url
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def main():
    parser = argparse.ArgumentParser(prog="tools/site", add_help=False)
    parser.add_argument("folder", nargs="?", default=ROOT / "build/site", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quotes", action="store_true")
    parser.add_argument("--base-url", default="https://escapement.example/")
    arguments = parser.parse_args()
    if arguments.quotes:
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
            if checks.refresh_quotes(ROOT, path):
                print(f"site: {path.relative_to(ROOT)} quotes anew")
        return 0
    site = Site(ROOT, arguments.base_url)
    files = site.files()
    if arguments.check:
        found = check(site, files)
        for line in found:
            print(line)
        print(f"site: {len(found)} findings" if found else f"site: {len(files)} files, no finding")
        return 1 if found else 0
    write(files, arguments.folder)
    print(f"site: {len(files)} files in {arguments.folder}; open {arguments.folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
