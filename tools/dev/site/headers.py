"""Reads a public header: its essay, and its symbols with their comments.

It knows C++ as clang-format writes it, and only declarations: bodies, initialisers and namespaces called `detail` are
skipped. A comment belongs to the declarations that follow it without an empty line.
"""
import re
from dataclasses import dataclass, field

from tokens import tokens_of

INTERNAL = {"detail"}
# Members whose meaning the language gives: what co_await calls, and the types of an iterator.
PLUMBING = {"waits_for", "await_ready", "await_suspend", "await_resume", "suspend", "promise_type", "Value",
            "iterator_category", "value_type", "difference_type", "pointer", "reference", "begin", "end"}
CLASS_WORDS = {"class", "struct", "union"}


@dataclass
class Symbol:
    kind: str  # class, enum, enumerator, function, variable, type, concept or macro
    name: str
    scope: str  # "Server", "Error::State"; empty outside of classes
    declaration: str  # the source, without a body
    comment: str  # without the slashes
    line: int
    header: str = ""
    namespace: str = ""
    grouped: bool = False  # the comment is that of an earlier declaration
    heading: str = ""  # the text of a comment that stands alone before it: "--- Imports: fetch"
    implicit: bool = False  # says all there is to say: a copy, a destructor, an override
    members: list = field(default_factory=list)

    @property
    def path(self):
        return f"{self.scope}::{self.name}" if self.scope else self.name


@dataclass
class Header:
    name: str  # "core/task.h"
    essay: str
    symbols: list
    text: str

    def documented(self, symbol):
        """Returns whether a comment explains the symbol: its own, that of an overload, or the header's first lines."""
        if symbol.comment or symbol.implicit:
            return True
        if any(other.path == symbol.path and other.comment for other in self.all_symbols()):
            return True
        subject = re.split(r"\n\n|[.:] ", self.essay + "\n\n")[0]
        if not symbol.scope and re.search(rf"\b{re.escape(symbol.name)}\b", subject, re.I):
            return True
        return symbol.kind == "enumerator" and symbol.grouped

    def all_symbols(self):
        def walk(symbols):
            for symbol in symbols:
                yield symbol
                yield from walk(symbol.members)
        return walk(self.symbols)


def bare(comment):
    """The text of // lines, each without the slashes and one space."""
    return "\n".join(re.sub(r"^\s*// ?", "", line).rstrip() for line in comment.split("\n"))


class Reader:
    def __init__(self, name, text):
        self.name = name
        self.text = text
        self.tokens = [token for token in tokens_of(text) if token.kind != "space"]
        self.at = 0
        self.line_starts = [0] + [match.end() for match in re.finditer("\n", text)]

    def peek(self, ahead=0):
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else None

    def own_line(self, token):
        return not self.text[self.line_starts[token.line - 1]:token.at].strip()

    def last_line(self, token):
        return token.line + token.text.count("\n")

    def skip_balanced(self):
        """Skips from an opening bracket to behind its closing one."""
        depth = 0
        while token := self.peek():
            self.at += 1
            if token.kind != "mark":
                continue
            depth += {"(": 1, "{": 1, "[": 1, "[[": 1, ")": -1, "}": -1, "]": -1, "]]": -1}.get(token.text, 0)
            if depth <= 0:
                return

    def comment_block(self):
        """Takes the comment lines that follow each other; returns their text and last line."""
        first = self.peek()
        lines, last = [], first.line - 1
        while (token := self.peek()) and token.kind == "comment" and token.line == last + 1 and self.own_line(token):
            lines.append(token.text)
            last = self.last_line(token)
            self.at += 1
        return bare("\n".join(lines)), last

    def trailing_comment(self, line):
        """Takes a comment that stands behind a declaration in `line`, with its continuation below."""
        token = self.peek()
        if token is None or token.kind != "comment" or token.line != line or self.own_line(token):
            return ""
        column = token.at - self.line_starts[line - 1]
        lines = [bare(token.text)]
        self.at += 1
        while ((token := self.peek()) and token.kind == "comment" and token.line == line + len(lines)
               and self.own_line(token) and token.at - self.line_starts[token.line - 1] == column):
            lines.append(bare(token.text))
            self.at += 1
        return "\n".join(lines)

    # --- Scopes

    def scope(self, namespace, path, enclosing=None):
        """Reads declarations up to the closing brace; returns the public ones."""
        found = []
        public = enclosing != "class"
        comment, comment_end, heading = "", -2, ""
        group, group_end = "", -2
        while token := self.peek():
            if token.kind == "comment":
                if not self.own_line(token):
                    self.at += 1
                    continue
                if comment and comment_end < token.line - 1:
                    heading = comment
                comment, comment_end = self.comment_block()
                continue
            if comment and comment_end < token.line - 1:
                heading, comment = comment, ""
            if token.text == "}":
                self.at += 1
                return found
            if token.kind == "preprocessor":
                self.at += 1
                macro = re.match(r"\s*#\s*define\s+(\w+)(\([^)]*\))?", token.text)
                if macro and enclosing is None and not any(symbol.name == macro[1] for symbol in found):
                    found.append(Symbol("macro", macro[1], "", f"#define {macro[1]}{macro[2] or ''}", comment,
                                        token.line, heading=heading))
                    heading = ""
                if macro or not re.match(r"\s*#\s*(if|ifdef|ifndef)\b", token.text):
                    comment = ""
                continue
            if enclosing and token.text in {"public", "private", "protected"} and self.peek(1).text == ":":
                public = token.text == "public"
                self.at += 2
                comment = ""
                continue
            if token.text == ";":
                self.at += 1
                continue
            if token.text == "namespace" or (token.text == "inline" and self.peek(1).text == "namespace"):
                found += self.namespace(namespace)
                comment = ""
                continue
            if token.text == "extern" and self.peek(1).kind == "string" and self.peek(2).text == "{":
                self.at += 3
                found += self.scope(namespace, path, None)
                comment = ""
                continue
            grouped = not comment and token.line == group_end + 1
            symbols = self.declaration(namespace, path, comment or (group if grouped else ""), enclosing)
            end = self.last_line(self.tokens[self.at - 1])
            trailing = self.trailing_comment(end)
            for symbol in symbols:
                if trailing:
                    symbol.comment = f"{symbol.comment}\n\n{trailing}" if symbol.comment and not grouped else trailing
                symbol.grouped = grouped and not trailing
                symbol.heading, heading = heading, ""
            if symbols and public:
                found += symbols
            if symbols and (symbols[0].implicit or symbols[0].members):
                comment, grouped = "", False
            group, group_end = (comment or (group if grouped else "")), end + trailing.count("\n")
            comment = ""
        return found

    def namespace(self, outer):
        names = []
        while (token := self.peek()).text not in {"{", ";", "="}:
            if token.kind == "name" and token.text not in {"namespace", "inline"}:
                names.append(token.text)
            self.at += 1
        if self.peek().text != "{":
            while self.peek().text != ";":
                self.at += 1
            return []
        if not names or INTERNAL & set(names):
            self.skip_balanced()
            return []
        self.at += 1
        return self.scope("::".join(filter(None, [outer, *names])), "")

    # --- Declarations

    def declaration(self, namespace, path, comment, enclosing):
        start = self.at
        self.skip_template()
        self.skip_attributes()
        word = self.peek().text
        ahead = self.find_body() if word in CLASS_WORDS | {"enum"} else None
        if ahead is not None:
            return self.definition(start, word, ahead, namespace, path, comment)
        return self.simple(start, namespace, path, comment, enclosing)

    def skip_template(self):
        while self.peek() and self.peek().text in {"template", "requires"}:
            if self.peek().text == "template":
                self.at += 1
                depth = 0
                while token := self.peek():
                    self.at += 1
                    depth += {"<": 1, ">": -1, "<<": 2}.get(token.text, 0)
                    if depth == 0:
                        break
                continue
            self.at += 1
            self.skip_constraint()

    def skip_constraint(self):
        """Skips the expression of a requires clause: parts joined by && and ||."""
        while True:
            if self.peek().text == "(":
                self.skip_balanced()
            else:
                while self.peek().kind == "name" or self.peek().text == "::":
                    self.at += 1
                if self.peek().text == "<":
                    depth = 0
                    while token := self.peek():
                        self.at += 1
                        depth += {"<": 1, ">": -1}.get(token.text, 0)
                        if depth == 0:
                            break
            if self.peek().text not in {"&&", "||"}:
                return
            self.at += 1

    def skip_attributes(self):
        """Skips [[...]], and macros that stand for such: ESC_CORO_TYPE, ESC_IMPORT(now)."""
        while self.peek():
            if self.peek().text == "[[":
                self.skip_balanced()
                continue
            kept = self.at
            if not self.peek().text.startswith("ESC_"):
                return
            self.at += 1
            if self.peek() and self.peek().text == "(":
                self.skip_balanced()
            if self.peek() is None or (self.peek().kind != "name" and self.peek().text not in {"::", "[["}):
                self.at = kept
                return

    def find_body(self):
        """Returns where the brace of a class or enum stands, None if this only declares or names it."""
        index = self.at
        while index < len(self.tokens) and self.tokens[index].text not in {"{", ";", "(", "="}:
            if self.tokens[index].text in {"[[", "alignas"}:
                closing = "]]" if self.tokens[index].text == "[[" else ")"
                while index < len(self.tokens) and self.tokens[index].text != closing:
                    index += 1
            index += 1
        return index if index < len(self.tokens) and self.tokens[index].text == "{" else None

    def definition(self, start, word, brace, namespace, path, comment):
        head = [token for token in self.tokens[self.at:brace] if token.kind != "comment"]
        names = []
        depth = 0
        for token in head[1:]:
            depth += {"[[": 1, "]]": -1, "(": 1, ")": -1}.get(token.text, 0)
            if token.text in {":", "<"} and depth == 0:
                break
            if (token.kind == "name" and depth == 0 and not token.text.startswith("ESC_")
                    and token.text not in {"class", "struct", "final"}):
                names.append(token.text)
        declaration = self.source(start, brace)
        line = self.tokens[start].line
        self.at = brace + 1
        name = names[-1] if names else ""
        inner = f"{path}::{name}" if path else name
        kind = "enum" if word == "enum" else "class"
        one_line = self.tokens[brace].line
        members = self.enumerators(inner) if kind == "enum" else self.scope(namespace, inner, word)
        if self.peek() and self.peek().text != ";":  # struct { ... } object = {...};
            while self.peek().text != ";":
                self.skip_balanced() if self.peek().text == "{" else self.advance()
        self.at += 1
        if kind == "enum" and self.tokens[self.at - 1].line == one_line:
            for member in members:
                member.grouped = bool(comment)  # too short for a comment each
        if not name:
            return members
        if "::" in declaration.split(name)[0]:
            return []  # a nested class, defined outside
        if all(member.kind != "function" or member.name == name or member.implicit for member in members):
            for member in members:  # a plain struct: its constructor sets the fields
                member.implicit |= member.name == name
        if any(member.name == "await_resume" for member in members):
            for member in members:  # an operation: functions make them, to be awaited
                member.implicit |= member.name in {name, "wait", "result"}
        return [Symbol(kind, name, path, declaration, comment, line, namespace=namespace, members=members)]

    def advance(self):
        self.at += 1

    def enumerators(self, path):
        found = []
        comment = ""
        while (token := self.peek()).text != "}":
            if token.kind == "comment":
                text, _ = self.comment_block() if self.own_line(token) else (self.trailing_comment(token.line), 0)
                comment = text
                continue
            start, depth = self.at, 0
            while (part := self.peek()).text not in {",", "}"} or depth:
                if part.kind == "comment":
                    break
                depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(part.text, 0)
                self.at += 1
            declaration = self.source(start, self.at)
            line = self.tokens[self.at - 1].line
            if self.peek().text == ",":
                self.at += 1
            trailing = self.trailing_comment(line)
            text = "\n\n".join(filter(None, [comment, trailing]))
            found.append(Symbol("enumerator", token.text, path, declaration, text, token.line))
            comment = ""
        self.at += 1
        return found

    def simple(self, start, namespace, path, comment, enclosing):
        """A function, variable, alias or concept, up to its semicolon or body."""
        parameters = equals = colon = None
        end = None
        angles = 0
        while token := self.peek():
            text = token.text
            if text == "<" and equals is None and parameters is None and self.tokens[self.at - 1].kind == "name":
                angles += self.tokens[self.at - 1].text != "operator"
            elif text == ">" and angles:
                angles -= 1
            if text == ";":
                end = self.at
                self.at += 1
                break
            if text == "(":
                if parameters is None and equals is None and angles == 0 and not self.is_operator_call():
                    parameters = self.at
                self.skip_balanced()
                if self.after_operator_parentheses(start):
                    parameters = None
                continue
            if text == "[" or text == "[[":
                self.skip_balanced()
                continue
            if text == "=" and equals is None and self.tokens[self.at - 1].text != "operator":
                equals = self.at
            if text == ":" and parameters is not None and colon is None and equals is None:
                colon = self.at
            if text == "{":
                if parameters is None or equals is not None:
                    self.skip_balanced()
                    continue
                before = self.tokens[self.at - 1]
                if colon is not None and (before.kind == "name" or before.text == ">"):
                    self.skip_balanced()
                    continue
                end = colon if colon is not None else self.at
                self.skip_balanced()
                if self.peek() and self.peek().text == ";":
                    self.at += 1
                break
            self.at += 1
        end = end if end is not None else self.at
        words = [token.text for token in self.tokens[start:end]]
        if colon is not None and end > colon:
            end = colon
        return self.classify(start, end, words, parameters, equals, namespace, path, comment)

    def is_operator_call(self):
        return self.tokens[self.at - 1].text == "operator"

    def after_operator_parentheses(self, start):
        """After the () of operator(): its parameters are still to come."""
        return (self.at - 3 >= start and self.tokens[self.at - 3].text == "operator"
                and self.tokens[self.at - 2].text == "(" and self.peek().text == "(")

    def classify(self, start, end, words, parameters, equals, namespace, path, comment):
        line = self.tokens[start].line
        declaration = self.source(start, end)
        make = lambda kind, name, **more: [Symbol(kind, name, path, declaration, comment, line, namespace=namespace,
                                                  **more)]
        if "static_assert" in words[:1] or words[:1] == ["friend"] and "operator" not in words:
            return []
        if "using" in words[:1] or ("using" in words and "template" in words[:1]):
            if words[1:2] == ["namespace"]:
                return []
            name = words[words.index("=") - 1] if "=" in words else words[-1]
            return make("type", name, implicit=name in PLUMBING)
        if "concept" in words:
            return make("concept", words[words.index("concept") + 1])
        if words[:1] and words[0] in CLASS_WORDS | {"enum"} and parameters is None:
            return []  # a forward declaration
        plain = self.plain_start(start)
        if parameters is not None:
            operator = next((i for i in range(plain, parameters + 1) if self.tokens[i].text == "operator"), None)
            if operator is not None:
                name = re.sub(r"\s*", "", self.source(operator, parameters))
                name = self.source(operator, parameters) if self.tokens[operator + 1].kind == "name" else name
                return make("function", name.strip(), implicit=True)
            if self.tokens[parameters + 1].text == "*":  # a pointer to a function
                return make("variable", self.tokens[parameters + 2].text)
            if parameters == plain or self.tokens[parameters - 1].kind != "name":
                return []
            name = self.tokens[parameters - 1].text
            if self.tokens[parameters - 2].text == "::":
                return []  # a member that is defined outside of its class
            if name.startswith("ESC_") and parameters - 1 == plain:
                return make("function", name, implicit=True)
            if self.tokens[parameters - 2].text == "~":
                name = "~" + name
            return make("function", name, implicit=self.says_enough(name, words, path, declaration))
        names = [token for token in self.tokens[plain:equals or end] if token.kind == "name"]
        if "template" in words[:1] and not names or self.is_forward(plain):
            return []
        brace = next((i for i in range(plain, end) if self.tokens[i].text == "{"), None)
        if brace is not None and (equals is None or brace < equals):
            names = [token for token in self.tokens[plain:brace] if token.kind == "name"]
        return make("variable", names[-1].text, implicit=names[-1].text in PLUMBING) if names else []

    def plain_start(self, start):
        """Where the declaration begins behind its template head and attributes."""
        kept, self.at = self.at, start
        self.skip_template()
        self.skip_attributes()
        found, self.at = self.at, kept
        return found

    def is_forward(self, plain):
        return self.tokens[plain].text in CLASS_WORDS

    @staticmethod
    def says_enough(name, words, path, declaration):
        own = path.rsplit("::", 1)[-1]
        given = declaration.endswith(("= default", "= delete"))
        if name.startswith("~") or name in PLUMBING or "override" in words or given:
            return True
        moves = re.search(rf"\b{re.escape(own)}\((const )?{re.escape(own)}(<\w+>)?\s*&&?", declaration) if own else None
        return bool(name == own and (moves or re.search(rf"\b{re.escape(own)}\(\)", declaration)))

    def source(self, start, end):
        """The text of the tokens, indented as in column one, without comments."""
        first, last = self.tokens[start], self.tokens[end - 1]
        column = first.at - self.line_starts[first.line - 1]
        text = "".join(token.text for token in tokens_of(self.text[first.at:last.end]) if token.kind != "comment")
        text = re.sub(r"\bESC_(INLINE|NOINLINE|CORO_TYPE|CORO_WRAPPER)\b\s*", "", text)  # hints for compilers
        lines = [line.rstrip() for line in text.split("\n")]
        lines = [lines[0], *(line[min(column, len(line) - len(line.lstrip())):] for line in lines[1:])]
        return "\n".join(line for line in lines if line.strip())


def read_header(name, text):
    reader = Reader(name, text)
    essay = ""
    if reader.peek() and reader.peek().kind == "comment":
        essay, _ = reader.comment_block()
    symbols = reader.scope("", "")
    header = Header(name, essay, symbols, text)
    for symbol in header.all_symbols():
        symbol.header = name
    return header
