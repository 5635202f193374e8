"""Finds the place in the reference that a name in code or in a comment means."""
import re

# Other names are also usual for variables, and are linked only where they are called.
KINDS_THAT_ARE_TYPES = {"class", "enum", "type", "concept"}


SIGNS = {"<": "lt", ">": "gt", "=": "eq", "*": "star", "-": "minus", "+": "plus", "!": "not", "(": "call", "[": "at",
         "&": "and", "|": "or", "/": "over", "%": "mod", "^": "xor", "~": "not"}


def anchor_of(symbol):
    """The symbol's place in its page: "Server.listen"; signs are spelled out."""
    spelled = re.sub(r"[^\w.]", lambda sign: f"-{SIGNS[sign[0]]}" if sign[0] in SIGNS else "-",
                     symbol.path.replace("::", "."))
    return re.sub(r"-{2,}", "-", spelled).strip("-")


def header_url(name):
    return "api/" + re.sub(r"\.h$", ".html", name)


class Names:
    def __init__(self, headers):
        self.top = {}  # name -> symbols outside of classes
        self.paths = {}  # "Server::listen" -> symbols
        self.headers = {header.name for header in headers}
        self.by_file = {}
        for header in headers:
            self.by_file.setdefault(header.name.rsplit("/", 1)[-1], []).append(header.name)
            for symbol in header.all_symbols():
                self.paths.setdefault(symbol.path, []).append(symbol)
                if not symbol.scope and symbol.kind != "enumerator":
                    self.top.setdefault(symbol.name, []).append(symbol)

    def url(self, symbol):
        return f"{header_url(symbol.header)}#{anchor_of(symbol)}"

    def in_code(self, names, called):
        """`names`: a name as it stands in code, split at "::", or the "<escapement/core/task.h>" of an include."""
        if names[0].startswith("<"):
            return self.file(names[0])
        path = [name for name in names if name not in {"escapement", "http", "wasm", "posix"}]
        if len(path) > 1:
            found = self.paths.get("::".join(path))
            return self.url(found[0]) if found else None
        if not path or len(names) > 1 and names[0] == "std":
            return None
        found = self.top.get(path[0], [])
        if len(names) > 1:
            found = [symbol for symbol in found if symbol.namespace.endswith(names[-2])]
        if not found or len({symbol.header for symbol in found}) > 1:
            return None
        if found[0].kind not in KINDS_THAT_ARE_TYPES and not called and found[0].kind != "macro":
            return None
        return self.url(found[0])

    def in_text(self, text, scope="", header=""):
        """`text`: the inside of a code span, as "Semaphore::acquire", "set()" or "task.h"."""
        text = re.sub(r"\(\)$|<>$", "", text.strip())
        if text.endswith(".h"):
            return self.file(text)
        if not re.fullmatch(r"[A-Za-z_~]\w*(::\w+)*", text):
            return None
        text = re.sub(r"^(escapement::)?(http::|wasm::|posix::)?", "", text)
        scopes = scope.split("::") if scope else []
        for depth in range(len(scopes), -1, -1):
            found = self.paths.get("::".join([*scopes[:depth], text]))
            if found:
                same = [symbol for symbol in found if symbol.header == header]
                if same or len({symbol.header for symbol in found}) == 1:
                    return self.url((same or found)[0])
        return None

    def file(self, name):
        """The page of "task.h", "core/task.h" or "<escapement/core/task.h>"."""
        name = name.strip("<>").removeprefix("escapement/")
        if name in self.headers:
            return header_url(name)
        same = [full for full in self.by_file.get(name.rsplit("/", 1)[-1], []) if full.endswith("/" + name)]
        return header_url(same[0]) if len(same) == 1 else None
