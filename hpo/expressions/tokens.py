"""Splits an expression into words, numbers, texts and signs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hpo.expressions.tree import ExpressionError

LONGEST = 2000
"""Characters of an expression."""
_TOKENS = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,4})?(?![\w.]))
      | (?P<word>[^\W\d][\w.]*)
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<sign><=|>=|!=|==|\*\*|//|[-+*/%<>=(),\[\]])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)
_ADVICE = {
    "&": "write and",
    "|": "write or",
    "!": "write not, or !=",
    "^": "write ** for a power",
    "'": "the quote is never closed",
    '"': "the quote is never closed",
    "`": "the backtick is never closed",
    "{": "a parameter's name stands by itself, without braces",
    "$": "a parameter's name stands by itself",
}


@dataclass(frozen=True)
class Token:
    """A piece of an expression; `kind` is number, word, quoted (a name in backticks), text, sign or end."""

    kind: str
    text: str
    column: int

    def __str__(self) -> str:
        return f"'{self.text}'" if self.kind != "end" else "the end"


def tokens(text: str) -> Sequence[Token]:
    """The pieces, the last of them the end; ExpressionError at what is none."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression may have {LONGEST} characters, this one has {len(text)}", LONGEST + 1)
    found: list[Token] = []
    at = 0
    while not found or found[-1].kind != "end":
        match = _TOKENS.match(text, at)
        if match is None or match.lastgroup is None:
            raise _not_readable(text, at)
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        at = match.end()
    return found


def unquoted(token: Token) -> str:
    """What stands between the quotes; a doubled quote stands for one."""
    quote = token.text[0]
    return token.text[1:-1].replace(quote * 2, quote)


def _not_readable(text: str, at: int) -> ExpressionError:
    at += len(text[at:]) - len(text[at:].lstrip())
    rest = text[at:]
    if rest[0].isdigit():
        word = re.match(r"[\w.]+", rest)
        name = word[0] if word else rest[0]
        return ExpressionError(f"{name[:40]!r} is no number; a name that begins with a digit needs backticks", at + 1)
    advice = _ADVICE.get(rest[0])
    return ExpressionError(f"{rest[0]!r} is not understood{f': {advice}' if advice else ''}", at + 1)
