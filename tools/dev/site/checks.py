"""What must hold of the site: links lead somewhere, symbols are documented, code in documents is real."""
import html.parser
import posixpath
import re
import urllib.parse


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.ids = [], []
        self.images_without_text = 0

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("href", "src"):
            if name in values and tag != "base":
                self.links.append(values[name])
        if tag == "img" and not values.get("alt"):
            self.images_without_text += 1


def check_links(files):
    """`files`: the content of each file of the site. Returns the findings."""
    found = []
    parsed = {}
    for url, content in files.items():
        if url.endswith(".html"):
            parsed[url] = Links()
            parsed[url].feed(content)
    ids = {url: set(page.ids) for url, page in parsed.items()}
    for url, page in parsed.items():
        doubles = {one for one in ids[url] if page.ids.count(one) > 1} if len(ids[url]) != len(page.ids) else set()
        found += [f"{url}: two elements have the id {one}" for one in sorted(doubles)]
        if page.images_without_text:
            found.append(f"{url}: a picture without a text")
        for link in dict.fromkeys(page.links):
            parts = urllib.parse.urlsplit(link)
            if parts.scheme in {"https", "mailto"}:
                continue
            if parts.scheme or parts.netloc:
                found.append(f"{url}: links to {link}: neither https nor of this site")
                continue
            path = urllib.parse.unquote(parts.path)
            target = posixpath.normpath(posixpath.join(posixpath.dirname(url), path)) if path else url
            anchor = urllib.parse.unquote(parts.fragment)
            if target not in files:
                found.append(f"{url}: links to {link}, which does not exist")
            elif anchor and anchor not in ids.get(target, ()):
                found.append(f"{url}: links to {link}, a place that does not exist")
    return found


def check_documented(headers):
    found = []
    for header in headers:
        if not header.essay:
            found.append(f"{header.name}:1: the header says nothing about itself")
        for symbol in header.all_symbols():
            if not header.documented(symbol):
                found.append(f"{header.name}:{symbol.line}: {symbol.path} ({symbol.kind}) has no comment")
    return found


QUOTED = ["docs/index.md", "docs/tutorials/", "docs/migrate/", "docs/how-to/"]


def check_code(root, pages):
    """C++ in documents is quoted from tests/examples where it claims to be whole, and always in QUOTED's documents."""
    found = []
    for page in pages:
        for block in page.blocks:
            where = f"{page.source}:{block.line}"
            if block.language == "cpp" and not block.source and not block.foreign:
                if any(page.source.startswith(place) for place in QUOTED):
                    found.append(f"{where}: C++ that is not quoted from tests/examples")
                elif re.search(r"\bint main\(", block.code):
                    found.append(f"{where}: a whole program that is not quoted from tests/examples")
            if block.source:
                found += [f"{where}: {problem}" for problem in check_quote(root, block)]
    return found


def quoted_text(root, source):
    """The text that `<!-- quote FILE#PART -->` means; None if there is none."""
    name, _, part = source.partition("#")
    path = root / name
    if not path.is_file():
        return None
    text = path.read_text()
    if part:
        marked = re.search(rf"^ *// \[{re.escape(part)}\]\n(.*?)^ *// \[{re.escape(part)}\]", text, re.S | re.M)
        if not marked:
            return None
        text = marked[1]
    lines = text.rstrip().split("\n")
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[indent:] for line in lines)


def check_quote(root, block):
    text = quoted_text(root, block.source)
    if text is None:
        return [f"quotes {block.source}, which does not exist"]
    if text.strip() != block.code.strip():
        return [f"the text differs from {block.source}: tools/site --quotes copies it"]
    return []


def refresh_quotes(root, path):
    """Copies the quoted parts into a document. Returns whether it changed."""
    text = path.read_text()

    def one(match):
        quoted = quoted_text(root, match[2])
        return match[0] if quoted is None else f"{match[1]}\n```{match[3]}\n{quoted}\n```"

    fresh = re.sub(r"(<!-- quote (\S+) -->)\s*\n```(\w*)\n.*?```", one, text, flags=re.S)
    if fresh == text:
        return False
    path.write_text(fresh)
    return True
