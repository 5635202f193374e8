"""A page of the site, and the frame around it: head, navigation, contents, footer."""
import html
import posixpath
from dataclasses import dataclass, field

MANY = 20
TOP_LINKS = [("Start", "index.html"), ("API", "api/index.html"), ("Examples", "examples/index.html")]


@dataclass
class Page:
    url: str  # "api/core/task.html", from the root of the site
    title: str
    description: str
    body: str
    section: str  # of the navigation
    headings: list = field(default_factory=list)  # markdown.Heading
    words: dict = field(default_factory=dict)  # for the search: by anchor
    markdown: str = ""  # for llms-full.txt
    blocks: list = field(default_factory=list)  # markdown.Block
    source: str = ""  # the file that it was made from
    kind: str = "page"  # for the style sheet
    listed: bool = True  # in the navigation
    label: str = ""  # in the navigation; empty: the title
    includes: list = field(default_factory=list)  # an example's: "<escapement/core/task.h>"


def relative(from_url, to_url):
    """The address of `to_url` as seen from the page `from_url`."""
    target, _, anchor = to_url.partition("#")
    if not target:
        return f"#{anchor}"
    address = posixpath.relpath(target, posixpath.dirname(from_url) or ".")
    if target == from_url:
        address = "" if anchor else posixpath.basename(target)
    return f"{address}#{anchor}" if anchor else address


def shorten(text, length=160):
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    return text[:length].rsplit(" ", 1)[0].rstrip(",.;:") + " ..."


# An anchor escapement: the wheel, and the anchor that lets one tooth pass at each swing.
LOGO = ("<svg viewBox=\"0 0 32 32\" width=\"26\" height=\"26\" aria-hidden=\"true\"><g fill=\"none\" "
        "stroke=\"currentColor\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-linecap=\"round\">"
        "<circle cx=\"16\" cy=\"20\" r=\"7.2\"/>"
        "<circle cx=\"16\" cy=\"20\" r=\"1.4\" fill=\"currentColor\" stroke=\"none\"/>"
        "<path d=\"M16 12.8v-2.6M9.8 16.4 7.5 15M9.8 23.6 7.5 25M16 27.2v2.6M22.2 23.6l2.3 1.4M22.2 16.4l2.3-1.4\"/>"
        "<path d=\"M5.5 11.5C7 6 11 3 16 3s9 3 10.5 8.5l-3.4-1M5.5 11.5l3.4-1\"/></g></svg>")


def navigation(site, page):
    """Every section; of a long one only the first page, unless the reader is in it."""
    parts = []
    for section, pages in site.sections():
        shown = pages if section == page.section or len(pages) <= MANY else pages[:1]
        parts.append(f"<p class=\"section\">{html.escape(section)}</p>{navigation_list(page, shown)}")
    return "\n".join(parts)


def navigation_list(page, shown):
    parts, folder = [], ""
    for other in shown:
        label = other.label or other.title
        if other.url.startswith("api/") and "/" in label:  # "io/http/client.h" stands below "io/http"
            above, _, label = label.rpartition("/")
            if above != folder:
                parts.append(f"<li class=\"folder\">{html.escape(above)}</li>")
                folder = above
        here = ' aria-current="page"' if other.url == page.url else ""
        parts.append(f"<li><a href=\"{relative(page.url, other.url)}\"{here}>{html.escape(label)}</a></li>")
    return f"<ul>{''.join(parts)}</ul>"


def contents(page):
    """The sections of a long page, for wide screens."""
    headings = [heading for heading in page.headings if heading.level <= 3]
    if len(headings) < 2:
        return ""
    top = min(heading.level for heading in headings)
    items = "".join(f"<li class=\"depth{heading.level - top}\"><a href=\"#{html.escape(heading.anchor)}\">"
                    f"{html.escape(heading.text)}</a></li>" for heading in headings)
    return ("<nav class=\"contents\" aria-label=\"On this page\"><p class=\"section\">On this page</p>"
            f"<ul>{items}</ul></nav>")


def around(site, page):
    """The whole document."""
    root = relative(page.url, "index.html").removesuffix("index.html")
    base = f"<base href=\"{html.escape(site.base_path)}\">" if page.url == "404.html" else ""
    at = lambda url: relative(page.url, url)
    title = f"escapement: {page.title}" if page.url == "index.html" else f"{page.title} · escapement"
    top = "".join(f"<a href=\"{at(url)}\">{name}</a>" for name, url in TOP_LINKS)
    neighbours = site.neighbours(page)
    turn = "".join(
        f"<a class=\"{which}\" rel=\"{which}\" href=\"{at(other.url)}\"><span>{word}</span>"
        f"{html.escape(other.title)}</a>"
        for which, word, other in neighbours)
    turn = f"<nav class=\"turn\" aria-label=\"Neighbouring pages\">{turn}</nav>" if turn else ""
    made_from = f"Made from <code>{html.escape(page.source)}</code>. " if page.source else ""
    return f"""<!doctype html>
<html lang="en" data-root="{root}">
<head>
<meta charset="utf-8">{base}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<meta name="description" content="{html.escape(shorten(page.description))}">
<link rel="icon" href="{at('favicon.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="{at('style.css')}">
<script src="{at('search.js')}" defer></script>
</head>
<body class="{page.kind} in-{page.section.lower().replace(' ', '-')}">
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="{at('index.html')}">{LOGO}<span>escapement</span></a>
<div class="search" role="search"><input type="search" id="search" placeholder="Search"
 aria-label="Search the documentation" autocomplete="off" spellcheck="false" role="combobox"
 aria-expanded="false" aria-controls="results"
 aria-autocomplete="list"><kbd aria-hidden="true">/</kbd>
<ul id="results" role="listbox" aria-label="Search results" hidden></ul></div>
<nav class="links" aria-label="Main">{top}</nav>
<a class="menu" href="#menu">Menu</a>
</header>
<div class="columns">
<main id="main">
{page.body}
{turn}
</main>
{contents(page)}
<nav class="side" id="menu" aria-label="Site"><a class="close" href="#main">Close</a>
{navigation(site, page)}
</nav>
</div>
<footer>{made_from}escapement {html.escape(site.version)}, a C++20 library of coroutines, timers and HTTP.
<a href="{at('llms.txt')}">llms.txt</a></footer>
</body>
</html>
"""
