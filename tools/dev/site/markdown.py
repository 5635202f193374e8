"""Turns the Markdown of docs/, and comments of the headers, into HTML.

It reads the part of CommonMark and of GitHub's tables that this project writes. Two remarks have a meaning:
`<!-- quote FILE#PART -->` names the source of the code block that follows, and `<!-- beside NAME -->` puts the two code
blocks that follow next to each other, the first under NAME.
"""
import html
import re
from dataclasses import dataclass, field

FENCE = re.compile(r"^(\s*)(```+|~~~+)\s*(.*)$")
ITEM = re.compile(r"^(\s*)([-*+]|\d+[.)])\s+(.*)$")
TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
REMARK = re.compile(r"^\s*<!--\s*(.*?)\s*-->\s*$")
INLINE = re.compile(
    r"""(?P<code>(?P<ticks>`+)(?P<inside>.+?)(?P=ticks))
      | !\[(?P<alt>[^\]]*)\]\((?P<source>[^)\s]+)\)
      | \[(?P<label>(?:[^\[\]]|\[[^\]]*\])+)\]\((?P<target>[^)\s]+)\)
      | <(?P<bare>https?://[^>\s]+)>
      | (?P<address>\bhttps://[^\s<>)"]*[^\s<>)".,;:])
      | \*\*(?P<strong>(?:[^*]|\*(?!\*))+)\*\*
      | (?<![\w*])\*(?P<emphasis>[^*\s](?:[^*]*[^*\s])?)\*(?![\w*])
      | \\(?P<escaped>[\\`*_{}\[\]()\#+.!|<>-])""",
    re.X | re.S,
)


def slug(text):
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"<[^>]+>|[`*]", "", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@dataclass
class Heading:
    level: int
    anchor: str
    text: str  # plain


@dataclass
class Block:
    """A code block, for those who check them."""
    language: str
    code: str
    source: str  # what <!-- quote --> says
    line: int
    foreign: bool  # the first of two that stand beside each other: another library's


@dataclass
class Rendered:
    html: str = ""
    title: str = ""
    headings: list = field(default_factory=list)
    blocks: list = field(default_factory=list)
    text: dict = field(default_factory=dict)  # by anchor: the words, for the search


class Hooks:
    """How a page's code, links and names look; the site derives its own."""

    def code(self, code, language):
        return html.escape(code, quote=False)

    def link(self, target):
        return target

    def image(self, source):
        return source

    def span(self, code):
        """The inside of a code span; may hold a link."""
        return html.escape(code, quote=False)

    # Set while the first column of a table is rendered, which often names other libraries' things.
    first_column = False

    def caption(self, source):
        """HTML above a quoted code block."""
        return html.escape(source)


class Renderer:
    def __init__(self, hooks, plain=False):
        self.hooks = hooks
        self.plain = plain  # a comment: no emphasis, headings or tables
        self.out = Rendered()
        self.quote = self.beside = ""
        self.pair = []
        self.anchor = ""

    def render(self, text):
        self.out.html = self.blocks(text.split("\n"), 1)
        return self.out

    # --- Blocks

    def blocks(self, lines, number):
        parts = []
        at = 0
        while at < len(lines):
            line = lines[at]
            began = at
            if not line.strip():
                at += 1
                continue
            if not self.plain and (remark := re.match(r"\s*<!--", line)):
                at = self.remark(lines, at)
            elif fence := (None if self.plain else FENCE.match(line)):
                at = self.fence(lines, at, fence, parts, number)
            elif line.startswith("    "):
                at = self.indented(lines, at, parts)
            elif not self.plain and (heading := re.match(r"^(#{1,6})\s+(.*?)\s*#*$", line)):
                self.heading(len(heading[1]), heading[2], parts)
                at += 1
            elif not self.plain and at + 1 < len(lines) and "|" in line and TABLE_RULE.match(lines[at + 1]):
                at = self.table(lines, at, parts)
            elif ITEM.match(line):
                at = self.list(lines, at, parts, number)
            elif not self.plain and line.startswith(">"):
                while at < len(lines) and lines[at].startswith(">"):
                    at += 1
                inside = [re.sub(r"^> ?", "", quoted) for quoted in lines[began:at]]
                parts.append(f"<blockquote>{self.blocks(inside, number + began)}</blockquote>")
            elif not self.plain and re.match(r"^(---+|\*\*\*+)\s*$", line):
                parts.append("<hr>")
                at += 1
            else:
                at += 1
                while at < len(lines) and lines[at].strip() and not self.interrupts(lines[at]):
                    at += 1
                paragraph = "\n".join(part.strip() for part in lines[began:at])
                self.remember(paragraph)
                parts.append(f"<p>{self.inline(paragraph)}</p>")
        return "\n".join(parts)

    def interrupts(self, line):
        if ITEM.match(line) and not re.match(r"\s*\d", line):
            return True
        return not self.plain and bool(FENCE.match(line) or re.match(r"^(#{1,6}\s|>|\s*<!--)", line))

    def remember(self, text):
        self.out.text[self.anchor] = f"{self.out.text.get(self.anchor, '')} {text}".strip()

    def remark(self, lines, at):
        end = at
        while "-->" not in lines[end] and end + 1 < len(lines):
            end += 1
        remark = REMARK.match(" ".join(lines[at:end + 1]))
        if remark and remark[1].startswith("quote "):
            self.quote = remark[1].removeprefix("quote ").strip()
        if remark and remark[1].startswith("beside "):
            self.beside = remark[1].removeprefix("beside ").strip()
        return end + 1

    def fence(self, lines, at, fence, parts, number):
        end = at + 1
        while end < len(lines) and not lines[end].strip().startswith(fence[2]):
            end += 1
        indent = len(fence[1])
        code = "\n".join(line[min(indent, len(line) - len(line.lstrip())):] for line in lines[at + 1:end])
        language = fence[3].split()[0] if fence[3] else ""
        foreign = bool(self.beside) and not self.pair
        self.out.blocks.append(Block(language, code, self.quote, number + at, foreign))
        figure = self.figure(code, language, self.quote)
        if self.beside:
            self.pair.append(figure)
            if len(self.pair) == 2:
                names = [self.beside, "escapement"]
                columns = "".join(f"<div><p class=\"whose\">{html.escape(name)}</p>{shown}</div>"
                                  for name, shown in zip(names, self.pair))
                parts.append(f"<div class=\"beside\">{columns}</div>")
                self.beside, self.pair = "", []
        else:
            parts.append(figure)
        self.quote = ""
        return end + 1

    def figure(self, code, language, source=""):
        shown = self.hooks.code(code, language)
        caption = f"<figcaption>{self.hooks.caption(source)}</figcaption>" if source else ""
        return f"<figure class=\"code\">{caption}<pre tabindex=\"0\"><code>{shown}</code></pre></figure>"

    def indented(self, lines, at, parts):
        end = at
        while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
            end += 1
        while not lines[end - 1].strip():
            end -= 1
        code = "\n".join(line[4:] for line in lines[at:end])
        drawn = re.search(r"-{3,}|\|\.|<-|->\s*$|^\s*\|", code, re.M)
        looks_like_cpp = re.search(r"[;{}]\s*(//.*)?$|\w\(.*\)|^#include|::", code, re.M) and not drawn
        parts.append(self.figure(code, "cpp" if looks_like_cpp else "text"))
        return end

    def heading(self, level, text, parts):
        shown = self.inline(text)
        plain = re.sub(r"<[^>]+>", "", shown)
        anchor = slug(html.unescape(plain))
        taken = {heading.anchor for heading in self.out.headings}
        count, base = 0, anchor
        while anchor in taken:
            count += 1
            anchor = f"{base}-{count}"
        if level == 1 and not self.out.title:
            self.out.title = html.unescape(plain)
            parts.append(f"<h1>{shown}</h1>")
            return
        self.anchor = anchor
        self.out.headings.append(Heading(level, anchor, html.unescape(plain)))
        parts.append(f"<h{level} id=\"{anchor}\">{shown} <a class=\"anchor\" href=\"#{anchor}\" "
                     f"aria-label=\"Link to this section\">#</a></h{level}>")

    def table(self, lines, at, parts):
        head = self.cells(lines[at])
        aligned = [self.alignment(rule) for rule in self.cells(lines[at + 1])]
        end = at + 2
        while end < len(lines) and "|" in lines[end] and lines[end].strip():
            end += 1

        def row(tag, cells):
            shown = ""
            for column, cell in enumerate(cells):
                self.hooks.first_column = column == 0
                shown += f"<{tag}{aligned[column] if column < len(aligned) else ''}>{self.inline(cell)}</{tag}>"
            self.hooks.first_column = False
            return f"<tr>{shown}</tr>"

        body = [self.cells(line) for line in lines[at + 2:end]]
        self.remember(" ".join(" ".join(cells) for cells in [head, *body]))
        header = f"<thead>{row('th', head)}</thead>" if any(head) else ""
        rows = "\n".join(row("td", cells) for cells in body)
        parts.append("<div class=\"table\" role=\"region\" aria-label=\"Table\" tabindex=\"0\">"
                     f"<table class=\"columns{len(head)}\">{header}"
                     f"<tbody>\n{rows}\n</tbody></table></div>")
        return end

    @staticmethod
    def cells(line):
        line = re.sub(r"^\s*\||\|\s*$", "", line.strip())
        return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)]

    @staticmethod
    def alignment(rule):
        return ' class="right"' if rule.endswith(":") else ""

    def list(self, lines, at, parts, number):
        first = ITEM.match(lines[at])
        indent, ordered = len(first[1]), first[2][0].isdigit()
        items = []
        while at < len(lines):
            item = ITEM.match(lines[at])
            if not item or len(item[1]) != indent or item[2][0].isdigit() != ordered:
                break
            width = len(lines[at]) - len(item[3])
            inside, began = [item[3]], at
            at += 1
            while at < len(lines):
                line = lines[at]
                if not line.strip():
                    if at + 1 < len(lines) and lines[at + 1].startswith(" " * (indent + 2)):
                        inside.append("")
                        at += 1
                        continue
                    break
                if len(line) - len(line.lstrip()) <= indent and ITEM.match(line):
                    break
                if len(line) - len(line.lstrip()) <= indent:
                    if inside[-1] == "" or self.interrupts(line):
                        break
                inside.append(line[min(width, len(line) - len(line.lstrip())):])
                at += 1
            shown = self.blocks(inside, number + began)
            if shown.count("<p>") == 1 and shown.startswith("<p>"):
                shown = shown.replace("<p>", "", 1).replace("</p>", "", 1)
            items.append(f"<li>{shown}</li>")
            while at < len(lines) and not lines[at].strip() and at + 1 < len(lines) and ITEM.match(lines[at + 1]) \
                    and len(ITEM.match(lines[at + 1])[1]) == indent:
                at += 1
        tag = "ol" if ordered else "ul"
        parts.append(f"<{tag}>" + "\n".join(items) + f"</{tag}>")
        return at

    # --- Inside a line

    def inline(self, text):
        parts = []
        at = 0
        for match in INLINE.finditer(text):
            if self.plain and not (match["code"] or match["address"]):
                continue
            parts.append(self.words(text[at:match.start()]))
            parts.append(self.one(match))
            at = match.end()
        parts.append(self.words(text[at:]))
        return "".join(parts)

    def one(self, match):
        if match["code"]:
            return f"<code>{self.hooks.span(match['inside'].strip())}</code>"
        if match["source"]:
            alt = html.escape(match["alt"])
            return f"<img src=\"{html.escape(self.hooks.image(match['source']))}\" alt=\"{alt}\" loading=\"lazy\">"
        if match["label"]:
            inside = self.inline(match["label"])
            inside = re.sub(r"</?a\b[^>]*>", "", inside)
            return f"<a href=\"{html.escape(self.hooks.link(match['target']))}\">{inside}</a>"
        if address := match["bare"] or match["address"]:
            return f"<a href=\"{html.escape(address)}\">{html.escape(address)}</a>"
        if match["strong"]:
            return f"<strong>{self.inline(match['strong'])}</strong>"
        if match["emphasis"]:
            return f"<em>{self.inline(match['emphasis'])}</em>"
        return html.escape(match["escaped"])

    def words(self, text):
        """Prose; RFCs become links."""
        shown = html.escape(text, quote=False)

        def rfc(found):
            section = f"#section-{found[2]}" if found[2] else ""
            return f"<a href=\"https://www.rfc-editor.org/rfc/rfc{found[1]}{section}\">{found[0]}</a>"

        return re.sub(r"\bRFC (\d{3,5})(?: section (\d+(?:\.\d+)*))?", rfc, shown)
