"""The search's index, a script that the page loads when somebody begins to search; and what machines read."""
import html
import json
import re

from api import first_sentence
from pages import shorten


def plain(text):
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", text)
    return " ".join(re.sub(r"[`*]", "", text).replace("|", " ").split())


def index(site):
    """Rows of title, address, kind and words."""
    rows = []
    for page in site.pages:
        if page.kind in {"source", "missing"}:
            continue
        kind = {"api": "header", "example": "example"}.get(page.kind, "page")
        rows.append([page.title, page.url, kind, shorten(plain(page.words.get("", page.description)), 400)])
        if page.kind == "api":
            continue
        for heading in page.headings:
            words = shorten(plain(page.words.get(heading.anchor, "")), 400)
            rows.append([heading.text, f"{page.url}#{heading.anchor}", page.title, words])
    seen = set()
    for header in site.headers:
        for symbol in header.all_symbols():
            constructor = symbol.path.endswith(f"{symbol.name}::{symbol.name}")
            if symbol.implicit or constructor or (symbol.path, header.name) in seen:
                continue
            seen.add((symbol.path, header.name))
            words = shorten(plain(first_sentence(symbol.comment)), 160) if symbol.comment else ""
            rows.append([symbol.path, site.names.url(symbol), header.name, words])
    return "window.searchIndex = " + json.dumps(rows, ensure_ascii=False, separators=(",", ":")) + ";\n"


def sitemap(site):
    urls = "".join(f"<url><loc>{html.escape(site.base_url + page.url)}</loc></url>\n" for page in site.pages
                   if page.kind not in {"source", "missing"})
    return ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            f"<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{urls}</urlset>\n")


ABOUT = ("escapement is a C++20 library: a single-threaded coroutine reactor with an exact timer wheel, and an "
         "HTTP/1.1 client and server built on it. The same code runs natively (epoll or poll), as WebAssembly "
         "(Cloudflare Workers, browser Workers, Node), and in a deterministic simulation.")


def llms(site):
    """llms.txt, as llmstxt.org describes it."""
    lines = ["# escapement", "", f"> {ABOUT}", "",
             f"Everything in one file: [llms-full.txt]({site.base_url}llms-full.txt)", ""]
    for section, pages in site.sections():
        lines += [f"## {section}", ""]
        lines += [f"- [{page.title}]({site.base_url}{page.url}): {shorten(page.description)}" for page in pages]
        lines.append("")
    return "\n".join(lines)


def llms_full(site):
    """The documents, then each header's essay and declarations with their comments."""
    parts = [f"# escapement\n\n> {ABOUT}\n"]
    for page in site.pages:
        if page.markdown:
            parts.append(f"\n\n<!-- {page.source} -->\n\n{page.markdown.strip()}\n")
    for header in site.headers:
        parts.append(f"\n\n# <escapement/{header.name}>\n\n{header.essay}\n\n"
                     f"```cpp\n{api_text(header.symbols, '')}```\n")
    return "".join(parts)


def api_text(symbols, indent):
    out = ""
    for symbol in symbols:
        if symbol.implicit and not symbol.comment:
            continue
        if symbol.comment and not symbol.grouped:
            out += "".join(f"{indent}//{' ' + line if line else ''}\n" for line in symbol.comment.split("\n"))
        declared = symbol.declaration.replace("\n", f"\n{indent}")
        if symbol.members:
            out += f"{indent}{declared} {{\n{api_text(symbol.members, indent + '  ')}{indent}}};\n"
        else:
            end = {"enumerator": ",", "macro": ""}.get(symbol.kind, ";")
            out += f"{indent}{declared}{end}\n"
    return out
