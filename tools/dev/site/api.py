"""The reference: a page for each public header, the list of headers, the list of symbols."""
import html
import re

import markdown
from highlight import cpp
from markdown import Heading
from names import anchor_of, header_url
from pages import Page, relative

MODULES = {"core": "Core", "timers": "Timers", "io": "Streams and networks", "io/native": "Native",
           "io/sim": "Simulation", "io/tls": "TLS", "io/http": "HTTP", "middleware/client": "Layers for clients",
           "middleware/server": "Layers for servers", "middleware/limits": "Limits", "middleware/files": "Files",
           "middleware/observe": "Observing", "wasm_glue": "WebAssembly"}


class CommentHooks(markdown.Hooks):
    def __init__(self, names, page_url, header, scope):
        self.names, self.page_url, self.header, self.scope = names, page_url, header, scope

    def at(self, url):
        return relative(self.page_url, url)

    def code(self, code, language):
        if language != "cpp":
            return html.escape(code, quote=False)
        return cpp(code, self.code_link)

    def code_link(self, names, called):
        url = self.names.in_code(names, called)
        return self.at(url) if url else None

    def span(self, code):
        shown = html.escape(code, quote=False)
        url = self.names.in_text(code, self.scope, self.header)
        return f"<a href=\"{html.escape(self.at(url))}\">{shown}</a>" if url else shown

    def prose(self, shown):
        """Links names that stand in prose without backticks: "Reactor::post", "task.h"."""
        def one(match):
            url = self.names.in_text(match[0], self.scope, self.header)
            if not url or url == header_url(self.header):
                return match[0]
            return f"<a href=\"{html.escape(self.at(url))}\">{match[0]}</a>"

        return re.sub(r"(?<![\w/.:<>\"-])(?:(?:\w+/)*\w+\.h\b|[A-Za-z_]\w*::\w+(?:::\w+)*)", one, shown)


class CommentRenderer(markdown.Renderer):
    def words(self, text):
        return self.hooks.prose(super().words(text))


def comment_html(names, page_url, header, scope, comment):
    hooks = CommentHooks(names, page_url, header, scope)
    return CommentRenderer(hooks, plain=True).render(comment).html


def first_sentence(comment):
    text = " ".join(comment.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`\"])", text)[0]


class HeaderPage:
    def __init__(self, names, header):
        self.names, self.header = names, header
        self.url = header_url(header.name)
        self.headings = []
        self.taken = set()

    def comment(self, comment, scope=""):
        return comment_html(self.names, self.url, self.header.name, scope, comment) if comment else ""

    def declaration(self, symbols):
        def link(names, called):
            url = self.names.in_code(names, called)
            if not url or (len(symbols) and url.split("#")[-1] == anchor_of(symbols[0])):
                return None
            return relative(self.url, url)

        return "\n".join(cpp(symbol.declaration + ("" if symbol.kind in {"macro", "enumerator"} else ";"), link)
                         for symbol in symbols)

    def anchor(self, symbol):
        base = anchor = anchor_of(symbol)
        count = 1
        while anchor in self.taken:
            count += 1
            anchor = f"{base}-{count}"
        self.taken.add(anchor)
        return html.escape(anchor)

    def groups(self, symbols):
        """Symbols that share one comment, or one name, shown together."""
        found = []
        for symbol in symbols:
            last = found[-1][-1] if found else None
            alike = last is not None and symbol.kind == last.kind and not (symbol.members or last.members)
            if alike and not symbol.heading and (
                    symbol.grouped or (symbol.path == last.path and not symbol.comment)):
                found[-1].append(symbol)
            else:
                found.append([symbol])
        return found

    def symbol(self, group, depth):
        first = group[0]
        anchors = [self.anchor(symbol) for symbol in group]
        level = min(2 + depth, 5)
        more = "".join(f"<span id=\"{anchor}\"></span>" for anchor in anchors[1:])
        label = html.escape(first.path if depth else first.name)
        known = {heading.text for heading in self.headings}
        if depth == 0 and first.name not in known:
            self.headings.append(Heading(2, anchors[0], first.name))
        elif depth and first.members and first.name not in known:
            self.headings.append(Heading(3, anchors[0], first.name))
        kind = "alias" if first.kind == "type" else first.kind
        if kind == "class" and re.search(rf"\bstruct\b[^;{{]*\b{re.escape(first.name)}\b", first.declaration):
            kind = "struct"
        line = f"source/{self.header.name}.html#L{first.line}"
        parts = [f"<section class=\"symbol depth{depth}\" id=\"{anchors[0]}\">{more}"
                 f"<h{level}><code>{label}</code> <span class=\"kind\">{kind}</span> "
                 f"<a class=\"anchor\" href=\"#{anchors[0]}\" aria-label=\"Link to {label}\">#</a>"
                 f"<a class=\"source\" href=\"{relative(self.url, line)}\" aria-label=\"Source of {label}\">source</a>"
                 f"</h{level}>"]
        if not re.fullmatch(rf"(class|struct|enum class|enum) {re.escape(first.name)}", first.declaration):
            parts.append(f"<pre class=\"declaration\" tabindex=\"0\"><code>{self.declaration(group)}</code></pre>")
        scope = first.path if first.members or first.kind in {"class", "enum"} else first.scope
        doc = self.comment(first.comment, scope)
        if not doc and first.kind in {"class", "enum"} and self.header.documented(first):
            doc = "<p><a href=\"#main\">Described at the top of this page.</a></p>"
        parts.append(f"<div class=\"doc\">{doc}</div>")
        if first.members:
            parts.append(self.members(first, depth))
        parts.append("</section>")
        return "\n".join(parts)

    def members(self, owner, depth):
        plain = [m for m in owner.members if m.kind in {"enumerator", "variable"} and not m.members]
        silent = [m for m in owner.members if m.implicit and not m.comment]
        rest = [m for m in owner.members if m not in plain and m not in silent]
        parts = []
        if plain:
            parts.append(self.fields(plain))
        for group in self.groups(rest):
            if group[0].heading:
                parts.append(f"<p class=\"part\">{html.escape(group[0].heading.strip('- '))}</p>")
            parts.append(self.symbol(group, depth + 1))
        if silent:
            lines = self.declaration(silent)
            anchors = "".join(f"<span id=\"{self.anchor(symbol)}\"></span>" for symbol in silent)
            parts.append(f"<details class=\"silent\"><summary>Construction, assignment, operators</summary>{anchors}"
                         f"<pre class=\"declaration\" tabindex=\"0\"><code>{lines}</code></pre></details>")
        return "\n".join(parts)

    def fields(self, symbols):
        """Options and enumerators: a list of names with what they mean."""
        rows = []
        for symbol in symbols:
            anchor = self.anchor(symbol)
            text = self.comment("" if symbol.grouped and rows else symbol.comment, symbol.scope)
            rows.append(f"<dt id=\"{anchor}\"><a class=\"anchor\" href=\"#{anchor}\" aria-label=\"Link to "
                        f"{html.escape(symbol.name)}\">#</a><code>{self.declaration([symbol])}</code></dt>"
                        f"<dd>{text}</dd>")
        return f"<dl class=\"fields\">{''.join(rows)}</dl>"

    def page(self, description, examples):
        """`examples`: the pages of programs that include the header."""
        header = self.header
        namespaces = sorted({symbol.namespace for symbol in header.symbols if symbol.namespace})
        spaces = ", ".join(f"<code>{html.escape(space)}</code>" for space in namespaces)
        source = relative(self.url, f"source/{header.name}.html")
        symbols = []
        for group in self.groups([s for s in header.symbols if not (s.implicit and not s.comment)]):
            if group[0].heading:
                symbols.append(f"<p class=\"part\">{html.escape(' '.join(group[0].heading.strip('- ').split()))}</p>")
            symbols.append(self.symbol(group, 0))
        silent = [s for s in header.symbols if s.implicit and not s.comment]
        if silent:
            anchors = "".join(f"<span id=\"{self.anchor(symbol)}\"></span>" for symbol in silent)
            symbols.append(f"<details class=\"silent\"><summary>Operators</summary>{anchors}<pre class=\"declaration\" "
                           f"tabindex=\"0\"><code>{self.declaration(silent)}</code></pre></details>")
        where = f" · in {spaces}" if spaces else ""
        used = ", ".join(f"<a href=\"{relative(self.url, page.url)}\">{html.escape(page.title)}</a>"
                         for page in examples)
        where += f" · used in {used}" if used else ""
        body = (f"<h1><code>{html.escape(header.name)}</code></h1>\n"
                f"<p class=\"lead\">{html.escape(description)}</p>"
                f"<pre class=\"include\" tabindex=\"0\"><code><span class=\"p\">#include</span> "
                f"<span class=\"s\">&lt;escapement/{html.escape(header.name)}&gt;</span></code></pre>"
                f"<p class=\"facts\"><a href=\"{source}\">Source</a>{where}</p>"
                f"<div class=\"essay\">{self.comment(header.essay)}</div>\n" + "\n".join(symbols))
        return Page(self.url, header.name, description, body, "API", self.headings,
                    {"": header.essay}, source=header.name, kind="api")


def overview(headers, descriptions):
    """api/index.html"""
    parts = ["<h1>API reference</h1>",
             "<p class=\"lead\">One page for each public header. The headers are the manual; these pages are made "
             "from their comments.</p>", "<p><a href=\"symbols.html\">All symbols from A to Z</a></p>"]
    groups = {}
    for header in headers:
        groups.setdefault(module_of(header.name), []).append(header)
    headings = []
    order = list(MODULES)
    for module, members in sorted(groups.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99):
        title = MODULES.get(module, module)
        anchor = module.replace("/", "-")
        headings.append(Heading(2, anchor, title))
        rows = "".join(f"<dt><a href=\"{relative('api/index.html', header_url(h.name))}\"><code>{h.name}</code></a>"
                       f"</dt><dd>{html.escape(descriptions[h.name])}</dd>" for h in members)
        parts.append(f"<h2 id=\"{anchor}\">{title}</h2><dl class=\"index\">{rows}</dl>")
    return Page("api/index.html", "API reference", "One page for each public header of escapement.", "\n".join(parts),
                "API", headings, kind="api")


def module_of(name):
    folder = name.rsplit("/", 1)[0]
    return folder if folder in MODULES else folder.split("/")[0]


def all_symbols(names, headers):
    """api/symbols.html"""
    rows = []
    seen = set()
    listed = [symbol for header in headers for symbol in header.all_symbols()
              if symbol.kind not in {"enumerator", "variable"} and not symbol.implicit]
    for symbol in sorted(listed, key=lambda symbol: (symbol.path.lower(), symbol.header)):
        if (symbol.path, symbol.header) in seen:
            continue
        seen.add((symbol.path, symbol.header))
        url = relative("api/symbols.html", names.url(symbol))
        rows.append(f"<li><a href=\"{html.escape(url)}\"><code>{html.escape(symbol.path)}</code></a> "
                    f"<span class=\"kind\">{symbol.header}</span></li>")
    body = f"<h1>All symbols</h1><ul class=\"symbols\">{''.join(rows)}</ul>"
    return Page("api/symbols.html", "All symbols", "Every public symbol of escapement.", body, "API", kind="api")
