"""Colours code: C++ by its tokens, with links to the API; other languages by their words."""
import html
import re

from tokens import tokens_of

CPP = set("""alignas alignof asm auto bool break case catch char char8_t class co_await co_return co_yield concept const
consteval constexpr const_cast continue decltype default delete do double dynamic_cast else enum explicit extern false
final float for friend if inline int long mutable namespace new noexcept nullptr operator override private protected
public reinterpret_cast requires return short signed sizeof static static_assert static_cast struct switch template this
throw true try typedef typename union unsigned using virtual void volatile while""".split())

WORDS = {
    "rust": """as async await break const continue else enum fn for if impl in let loop match mod move mut pub ref
return self Self static struct trait true false type unsafe use where while dyn""",
    "js": """async await break case catch class const continue default do else export extends false finally for from
function if import in instanceof let new null of return static super switch this throw true try typeof undefined var
void while yield""",
    "cmake": """add_subdirectory add_executable target_link_libraries find_package project cmake_minimum_required
include set FetchContent_Declare FetchContent_MakeAvailable PRIVATE PUBLIC REQUIRED VERSION LANGUAGES""",
    "sh": "if then else fi for do done while case esac export cd",
    "python": """and as async await class def elif else except for from if import in is not or pass raise return try
with""",
    "text": "",
}
SAME = {"c++": "cpp", "cc": "cpp", "h": "cpp", "c": "cpp", "rs": "rust", "javascript": "js", "mjs": "js", "ts": "js",
        "mts": "js", "bash": "sh", "shell": "sh", "console": "sh", "py": "python", "toml": "sh", "yaml": "sh"}
LINE_COMMENT = {"rust": "//", "js": "//", "cmake": "#", "sh": "#", "python": "#"}


def mark(kind, text):
    return f"<span class=\"{kind}\">{html.escape(text, quote=False)}</span>"


def cpp(code, link_of=None):
    """`link_of(names, called)` yields the address of a name, split at "::", or None."""
    tokens = tokens_of(code)
    out = []
    for index, token in enumerate(tokens):
        text = token.text
        if token.kind == "comment":
            out.append(mark("c", text))
        elif token.kind == "string":
            out.append(mark("s", text))
        elif token.kind == "number":
            out.append(mark("n", text))
        elif token.kind == "preprocessor":
            out.append(preprocessor(text, link_of))
        elif token.kind == "name" and text in CPP:
            out.append(mark("k", text))
        elif token.kind == "name" and link_of is not None and (address := linked(tokens, index, link_of)):
            out.append(f"<a href=\"{html.escape(address)}\">{html.escape(text)}</a>")
        elif token.kind == "name" and text[:1].isupper() and not text.isupper():
            out.append(mark("t", text))
        else:
            out.append(html.escape(text, quote=False))
    return "".join(out)


def preprocessor(text, link_of):
    """A line that begins with #; an include of a public header leads there."""
    include = re.match(r"(\s*#\s*include\s+)(<escapement/[^>]+>)(.*)", text, re.S)
    address = link_of([include[2]], False) if include and link_of is not None else None
    if not address:
        return mark("p", text)
    words, name, rest = (html.escape(part, quote=False) for part in include.groups())
    return f"<span class=\"p\">{words}<a href=\"{html.escape(address)}\">{name}</a></span>{rest}"


def linked(tokens, index, link_of):
    names = [tokens[index].text]
    before = index - 1
    while before >= 1 and tokens[before].text == "::" and tokens[before - 1].kind == "name":
        names.insert(0, tokens[before - 1].text)
        before -= 2
    if before >= 0 and tokens[before].text in {".", "->", "::"}:
        return None
    after = next((token for token in tokens[index + 1:] if token.kind != "space"), None)
    return link_of(names, after is not None and after.text in {"(", "<"})


def other(code, language):
    words = set(WORDS.get(language, "").split())
    comment = LINE_COMMENT.get(language)
    if language not in WORDS or language == "text":
        return html.escape(code, quote=False)
    quoted = r"\"(?:[^\"\\\n]|\\.)*\"" + ("" if language == "rust" else r"|'(?:[^'\\\n]|\\.)*'")
    if language == "js":
        quoted += r"|`(?:[^`\\]|\\.)*`"
    start = r"(?:(?<=\s)|^)" if comment == "#" else ""
    pattern = re.compile(rf"(?P<c>{start}{comment}[^\n]*)|(?P<s>{quoted})|(?P<n>\b\d[\w.]*)|(?P<word>[A-Za-z_]\w*!?)",
                         re.M)

    def one(match):
        if match.lastgroup == "word":
            return mark("k", match[0]) if match[0] in words else html.escape(match[0], quote=False)
        return mark(match.lastgroup, match[0])

    out, at = [], 0
    for match in pattern.finditer(code):
        out += [html.escape(code[at:match.start()], quote=False), one(match)]
        at = match.end()
    return "".join(out) + html.escape(code[at:], quote=False)


def console(code):
    """A session: what is typed after "$ ", and what came back."""
    return "\n".join(mark("prompt", "$ ") + html.escape(line[2:], quote=False) if line.startswith("$ ")
                     else mark("printed", line) for line in code.split("\n"))


def highlight(code, language, link_of=None):
    language = SAME.get(language, language)
    if language == "cpp":
        return cpp(code, link_of)
    if language == "session":
        return console(code)
    return other(code, language)
