"""The filter language: a text such as `metrics.rmse < 6 and params.kind = 'rf'` becomes a condition.

    condition   = comparison | condition AND condition | condition OR condition | NOT condition | ( condition )
    comparison  = key = value | key != value | key < value | key <= value | key > value | key >= value
                | key [NOT] LIKE 'a%' | key [NOT] ILIKE 'a%' | key [NOT] IN (value, ..) | key IS [NOT] NULL
    key         = metrics.NAME | params.NAME | tags.NAME | status, state, name, number, .. (see `trackers.conditions`)
    value       = 'text' | "text" | 1.5e-3 | true | false

A name with other characters than letters, digits and `_ . - /` is put in backticks or double quotes. It is MLflow's
filter language, with OR, NOT and parentheses besides; AND, OR and all other words may be small letters.

What holds for every store:

- A comparison with something the run does not have is false, whichever operator, also `!=` and NOT LIKE. So is one
  with a metric that is NaN. `NOT (..)` turns it round: `NOT metrics.rmse < 6` takes in runs without the metric.
- Params and tags are texts; compared to a number they count as the number they look like, else the comparison is
  false. `params.depth < 10` is true of '9', and false of 'deep'.
- LIKE knows `%` (any text) and `_` (one character), ILIKE does not mind the case. Texts sort by code point.
"""

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from trackers.conditions import ATTRIBUTES, And, Comparison, Condition, Key, Kind, Not, Operator, Or
from trackers.errors import FilterError
from trackers.records import STATUS_OF_STATE, Order, Status

LONGEST = 2048
DEEPEST = 20


_MLFLOW_NAMES = {"run_name": "name", "start_time": "started", "end_time": "ended", "Name": "name", "created": "started"}
_KINDS = {
    "metrics": Kind.METRIC, "metric": Kind.METRIC,
    "params": Kind.PARAM, "param": Kind.PARAM, "parameters": Kind.PARAM,
    "tags": Kind.TAG, "tag": Kind.TAG,
    "attributes": Kind.ATTRIBUTE,
}  # fmt: skip


def parse_filter(text: str, *, bare_metrics: bool = False) -> Condition | None:
    """The condition a text stands for, None for an empty one; FilterError with a caret below the fault.

    With `bare_metrics` a word that is no attribute is a metric: `roc_auc >= 0.98 and seconds < 30`.
    """
    if len(text.encode("utf-8", "replace")) > LONGEST:
        raise FilterError(f"a filter may have {LONGEST} bytes, this one has {len(text.encode('utf-8', 'replace'))}")
    return None if not text.strip() else _Parser(text, bare_metrics=bare_metrics).whole()


def parse_order(order: Order) -> Key:
    """The key to sort by; FilterError where it is none."""
    parser = _Parser(order.key)
    key = parser.key()
    parser.expect("end")
    return key


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


_TOKENS = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<word>[^\W\d][\w./-]*)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`)
      | (?P<operator><=|>=|!=|<>|==|=|<|>)
      | (?P<mark>[(),])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)


class _Parser:
    def __init__(self, text: str, *, bare_metrics: bool = False) -> None:
        self._text = text
        self._bare_metrics = bare_metrics
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def whole(self) -> Condition:
        condition = self._any()
        self.expect("end")
        return condition

    def key(self) -> Key:
        token = self._next()
        if token.kind != "word":
            raise self._fault(token, "here a key is needed, such as metrics.rmse, params.lr, tags.team or status")
        family, dot, name = token.text.partition(".")
        if dot and family in ("attributes", "attribute", "attr", "run"):
            return self._attribute(token, name)
        if self._bare_metrics and token.text not in (*ATTRIBUTES, *_MLFLOW_NAMES) and family not in _KINDS:
            return Key(Kind.METRIC, token.text)
        if not dot:
            return self._attribute(token, family)
        if family not in ("metrics", "params", "tags"):
            raise self._unknown(token, family, [*_NAMED, *sorted(ATTRIBUTES)], guess=_KINDS.get(family))
        quoted = self._peek()
        if (
            not name
            and quoted.kind == "text"
            and quoted.text[0] in '`"'
            and quoted.start == token.start + len(token.text)
        ):
            name = _unquoted(self._next().text)
        if not name:
            raise self._fault(token, f"after '{family}.' a name is needed, such as {family}.x or {family}.`x y`")
        return Key(_KINDS[family], name)

    def expect(self, kind: str, text: str = "") -> _Token:
        token = self._next()
        if token.kind != kind or (text and token.text != text):
            wanted = {"end": "AND, OR or the end of the filter"}.get(kind, f"'{text}'")
            raise self._fault(token, f"here {wanted} is needed")
        return token

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._skip("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._skip("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Condition:
        self._depth += 1
        try:
            if self._depth > DEEPEST:
                raise self._fault(self._peek(), f"a filter may be nested {DEEPEST} deep")
            if self._skip("NOT"):
                return Not(self._one())
            if self._peek().text == "(":
                self._next()
                condition = self._any()
                self.expect("mark", ")")
                return condition
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Condition:
        key = self.key()
        token = self._next()
        if token.kind == "operator":
            sign = {"==": "=", "<>": "!="}.get(token.text, token.text)
            return Comparison(key, Operator(sign), self._values(key, Operator(sign), [self._next()]))
        if token.word == "IS":
            negated = self._skip("NOT")
            if not self._skip("NULL"):
                raise self._fault(self._peek(), "after IS comes NULL or NOT NULL")
            return Comparison(key, Operator.PRESENT if negated else Operator.ABSENT)
        negation = "NOT " if token.word == "NOT" else ""
        if negation:
            token = self._next()
        if token.word not in ("LIKE", "ILIKE", "IN"):
            raise self._fault(token, "here an operator is needed: = != < <= > >= LIKE ILIKE IN IS")
        operator = Operator(negation + token.word)
        tokens = self._listed() if token.word == "IN" else [self._next()]
        return Comparison(key, operator, self._values(key, operator, tokens))

    def _listed(self) -> list[_Token]:
        self.expect("mark", "(")
        tokens = [self._next()]
        while self._peek().text == ",":
            self._next()
            tokens.append(self._next())
        self.expect("mark", ")")
        return tokens

    def _values(self, key: Key, operator: Operator, tokens: Sequence[_Token]) -> tuple[str, ...] | tuple[float, ...]:
        if all(token.kind == "number" for token in tokens):
            return self._numbers(key, operator, tokens)
        texts = tuple(self._text_value(key, operator, token) for token in tokens)
        if "\0" in "".join(texts):
            raise self._fault(tokens[0], "a text cannot hold a NUL character")
        return texts

    def _numbers(self, key: Key, operator: Operator, tokens: Sequence[_Token]) -> tuple[float, ...]:
        if operator.endswith("LIKE") or (key.kind is Kind.ATTRIBUTE and not key.is_number):
            raise self._fault(tokens[0], f"{_shown(key)} is compared to a text here, write '{tokens[0].text}'")
        numbers = tuple(float(token.text) for token in tokens)
        if not all(math.isfinite(number) for number in numbers):
            raise self._fault(tokens[0], "this number is too large")
        return numbers

    def _text_value(self, key: Key, operator: Operator, token: _Token) -> str:
        if token.word in ("TRUE", "FALSE") and not key.is_number:
            return token.word.capitalize()  # as a bool param is kept
        if token.kind == "number":
            raise self._fault(token, "all values of a list are numbers, or all are texts in quotes")
        if token.kind != "text" or token.text[0] == "`":
            hint = f" - did you mean '{token.text}'?" if token.kind == "word" and not key.is_number else ""
            raise self._fault(token, f"here a value is needed, a number or a text in quotes{hint}")
        if key.is_number:
            raise self._fault(token, f"{_shown(key)} is a number and is compared to numbers without quotes")
        text = _unquoted(token.text)
        if key.kind is Kind.ATTRIBUTE and key.name in _WORDS and not operator.endswith("LIKE"):
            if text.upper() not in _WORDS[key.name]:
                raise self._unknown(token, text, _WORDS[key.name])
            return text.upper()
        return text

    def _attribute(self, token: _Token, name: str) -> Key:
        known = _MLFLOW_NAMES.get(name, name)
        if known not in ATTRIBUTES:
            raise self._unknown(token, name, [*sorted(ATTRIBUTES), *_NAMED])
        return Key(Kind.ATTRIBUTE, known)

    def _unknown(self, token: _Token, word: str, known: Sequence[str], guess: str | None = None) -> FilterError:
        near = guess or next(iter(difflib.get_close_matches(word, known, 1, 0.5)), None)
        if near is None:
            return self._fault(token, f"unknown word '{word}'; there are {', '.join(known)}")
        hint = near + token.text[len(word) :] if token.text.startswith(word + ".") else near
        return self._fault(token, f"unknown word '{word}' - did you mean '{hint.rstrip('.')}'?")

    def _fault(self, token: _Token, message: str) -> FilterError:
        shown = self._text.replace("\n", " ").replace("\t", " ")
        length = max(1, len(token.text))
        return FilterError(f"{message}\n    {shown}\n    {' ' * token.start}{'^' * length}")

    def _split(self) -> list[_Token]:
        tokens: list[_Token] = []
        position = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKENS.match(self._text, position)
            if match is None or match.lastgroup is None:
                start = position + len(self._text[position:]) - len(self._text[position:].lstrip())
                raise self._fault(_Token("bad", self._text[start], start), _stray(self._text[start]))
            kind = match.lastgroup
            tokens.append(_Token(kind, match[kind], match.start(kind)))
            position = match.end()
        return tokens

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _skip(self, word: str) -> bool:
        if self._peek().word != word:
            return False
        self._next()
        return True


_NAMED = ["metrics.", "params.", "tags."]
_WORDS = {"status": [str(status) for status in Status], "state": list(STATUS_OF_STATE)}


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


def _shown(key: Key) -> str:
    return key.name if key.kind is Kind.ATTRIBUTE else f"{key.kind}.{key.name}"


def _stray(character: str) -> str:
    if character in "'\"`":
        return f"this quote {character} is never closed"
    return f"here {character!r} means nothing"
