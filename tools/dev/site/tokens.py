"""Splits C++ into tokens: enough for declarations, highlighting and links, not for compiling."""
import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<preprocessor>^[ \t]*\#(?:[^\n\\]|\\.)*(?:\\\n(?:[^\n\\]|\\.)*)*)
      | (?P<raw>\b(?:u8|u|U|L)?R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)")
      | (?P<string>(?:u8|u|U|L)?"(?:[^"\\\n]|\\.)*")
      | (?P<character>(?:u8|u|U|L)?'(?:[^'\\\n]|\\.)+')
      | (?P<number>\b[0-9](?:[0-9a-zA-Z.]|'(?=[0-9a-fA-F])|(?<=[eEpP])[+-])*)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<space>\s+)
      | (?P<mark2>::|->\*?|<=>|\[\[|\]\]|&&|\|\||<<|[-+*/%&|^=!<>]=|\.\.\.|[^\s\w])
    """,
    re.X | re.S | re.M,
)


@dataclass
class Token:
    kind: str  # comment, preprocessor, string, number, name, space or mark
    text: str
    line: int  # from 1
    at: int  # offset in the text

    @property
    def end(self):
        return self.at + len(self.text)


KINDS = {"raw": "string", "character": "string", "mark2": "mark"}


def tokens_of(text):
    """Returns every token of `text`, white space included: joined they are the text again."""
    found = []
    line = 1
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "mark":  # the delimiter of a raw string is a group too
            kind = "raw"
        found.append(Token(KINDS.get(kind, kind), match.group(), line, match.start()))
        line += match.group().count("\n")
    return found
