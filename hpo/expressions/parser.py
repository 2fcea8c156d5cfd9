"""Reads an expression by recursive descent; `and`, `or`, `not`, comparisons and arithmetic rank as in Python.

any      = all {or all}                       all      = negation {and negation}
negation = not negation | comparison          series   = term {+|- term}
comparison = series {(< <= > >= == = !=) series} | series [not] in [literal, ..]
term     = sign {* / // % sign}               sign     = - sign | power
power    = atom [** sign]                     atom     = literal | name | function(any, ..) | (any)
name     = word | `any name` | metrics.word | metrics.`any name`
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from hpo.expressions.tokens import Token, tokens, unquoted
from hpo.expressions.tree import (
    All,
    Any,
    Call,
    Chain,
    Expression,
    ExpressionError,
    Literal,
    Member,
    Name,
    Negative,
    Not,
    Series,
)
from hpo.space import Value

DEEPEST = 20
"""How deep parentheses and the like may lie in each other."""
FUNCTIONS = ("abs", "log", "max", "min", "sqrt")
CONSTANTS: dict[str, Value] = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
WORDS = ("and", "or", "not", "in", *CONSTANTS)
COMPARISONS = ("<", "<=", ">", ">=", "==", "=", "!=")
METRICS = "metrics."


def parse(text: str) -> Expression:
    """The expression a text stands for; ExpressionError, with the column, where it is none."""
    return _Parser(tokens(text)).whole()


class _Parser:
    def __init__(self, found: Sequence[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        if self._token.kind == "end":
            raise ExpressionError("an expression must not be empty; write one such as a < b", 1)
        tree = self._any()
        if self._token.kind != "end":
            raise self._unexpected("an operator such as <, +, and")
        return tree

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._token
        self._at += token.kind != "end"
        return token

    def _takes(self, *texts: str) -> Token | None:
        """The next token if it is one of these signs or words."""
        token = self._token
        is_meant = token.kind == "sign" or (token.kind == "word" and token.text in WORDS)
        return self._next() if is_meant and token.text in texts else None

    def _unexpected(self, wanted: str) -> ExpressionError:
        return ExpressionError(f"expected {wanted}, got {self._token}", self._token.column)

    def _deeper(self, read: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(f"an expression may be nested {DEEPEST} deep", self._token.column)
        found = read()
        self._depth -= 1
        return found

    def _any(self) -> Expression:
        return self._joined("or", self._all, Any)

    def _all(self) -> Expression:
        return self._joined("and", self._negation, All)

    def _joined(self, word: str, read: Callable[[], Expression], joined: type[All] | type[Any]) -> Expression:
        parts = [read()]
        column = self._token.column
        while self._takes(word):
            parts.append(read())
        return joined(tuple(parts), column) if len(parts) > 1 else parts[0]

    def _negation(self) -> Expression:
        token = self._takes("not")
        return Not(self._deeper(self._negation), token.column) if token else self._comparison()

    def _comparison(self) -> Expression:
        first = self._series()
        if (member := self._member(first)) is not None:
            return member
        operands, operators, column = [first], [], self._token.column
        while sign := self._takes(*COMPARISONS):
            operators.append("==" if sign.text == "=" else sign.text)
            operands.append(self._series())
        return Chain(tuple(operands), tuple(operators), column) if operators else first

    def _member(self, operand: Expression) -> Expression | None:
        column, is_negated = self._token.column, self._takes("not") is not None
        if not self._takes("in"):
            if is_negated:
                raise self._unexpected("in")
            return None
        if not self._takes("["):
            raise self._unexpected("a list such as [1, 2]")
        values = [self._literal()]
        while self._takes(","):
            values.append(self._literal())
        if not self._takes("]"):
            raise self._unexpected("',' or ']'")
        return Member(operand, tuple(values), is_negated, column)

    def _series(self) -> Expression:
        return self._ranked(("+", "-"), self._term)

    def _term(self) -> Expression:
        return self._ranked(("*", "/", "//", "%"), self._sign)

    def _ranked(self, signs: tuple[str, ...], read: Callable[[], Expression]) -> Expression:
        first, column = read(), self._token.column
        rest: list[tuple[str, Expression]] = []
        while sign := self._takes(*signs):
            rest.append((sign.text, read()))
        return Series(first, tuple(rest), column) if rest else first

    def _sign(self) -> Expression:
        if token := self._takes("-"):
            return Negative(self._deeper(self._sign), token.column)
        base = self._atom()
        if token := self._takes("**"):
            return Series(base, (("**", self._deeper(self._sign)),), token.column)
        return base

    def _atom(self) -> Expression:
        token = self._token
        if token.kind in ("number", "text") or (token.kind == "word" and token.text in CONSTANTS):
            return self._literal()
        if self._takes("("):
            inner = self._deeper(self._any)
            if not self._takes(")"):
                raise self._unexpected("')'")
            return inner
        if token.kind == "quoted":
            return Name(unquoted(self._next()), is_metric=False, column=token.column)
        if token.kind == "word" and token.text not in WORDS:
            self._next()
            return self._call(token) if self._takes("(") else self._name(token)
        raise self._unexpected("a name, a number or '('")

    def _name(self, token: Token) -> Name:
        if not token.text.startswith(METRICS):
            return Name(token.text, is_metric=False, column=token.column)
        name = token.text.removeprefix(METRICS)
        if not name and self._token.kind == "quoted":
            name = unquoted(self._next())
        if not name:
            raise ExpressionError("a metric is named metrics.NAME", token.column)
        return Name(name, is_metric=True, column=token.column)

    def _call(self, token: Token) -> Expression:
        if token.text not in FUNCTIONS:
            near = get_close_matches(token.text, FUNCTIONS, 1)
            hint = f" - did you mean '{near[0]}'?" if near else f"; there are {', '.join(FUNCTIONS)}"
            raise ExpressionError(f"there is no function '{token.text[:60]}'{hint}", token.column)
        arguments = [self._deeper(self._any)]
        while self._takes(","):
            arguments.append(self._deeper(self._any))
        if not self._takes(")"):
            raise self._unexpected("',' or ')'")
        if token.text not in ("min", "max") and len(arguments) > 1:
            raise ExpressionError(f"{token.text} takes one argument, got {len(arguments)}", token.column)
        return Call(token.text, tuple(arguments), token.column)

    def _literal(self) -> Literal:
        sign = self._takes("-")
        token = self._next()
        if token.kind == "number":
            number = _number(token)
            return Literal(-number if sign else number, token.column)
        if token.kind == "text" and not sign:
            return Literal(unquoted(token), token.column)
        if token.kind == "word" and token.text in CONSTANTS and not sign:
            return Literal(CONSTANTS[token.text], token.column)
        hint = f": put text in quotes, '{token.text[:60]}'" if token.kind == "word" else ""
        raise ExpressionError(f"expected a number, a text, true, false or null, got {token}{hint}", token.column)


def _number(token: Token) -> int | float:
    if token.text.isdecimal():
        return int(token.text)
    number = float(token.text)
    if number in (float("inf"), float("-inf")):
        raise ExpressionError(f"{token.text} is too large a number", token.column)
    return number
