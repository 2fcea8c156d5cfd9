"""What is made of measurements: ratios of pairs, Markdown tables, the verdict of bench-check. Nothing is run here."""

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

OURS = "ours"


@dataclass(frozen=True)
class Comparison:
    """The same work by several sides, one value a round; values of one round were measured one after the other.

    None stands where a side gave none in a round.

    `base` is the side of ours that the others are held against. `limits` are sides that keep nothing for later, so
    they say what is possible and are no rivals. `missing` says why a side has no value; `more` are further columns,
    as text.
    """

    name: str
    unit: str
    higher_is_better: bool
    values: Mapping[str, Sequence[float | None]]
    base: str = OURS
    limits: Sequence[str] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One table of the page: comparisons stand below one another, or, if `wide`, are columns beside one another."""

    key: str
    title: str
    text: str
    comparisons: Sequence[Comparison]
    wide: bool = False
    after: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def item_from(found: Mapping[str, object]) -> Item:
    return Item(**{**found, "comparisons": [Comparison(**each) for each in found["comparisons"]]})


def present(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def times_better(
    ours: Sequence[float | None], theirs: Sequence[float | None], *, higher_is_better: bool
) -> list[float]:
    """By what factor ours is better, round by round; below 1 it is worse."""
    pairs = zip(ours, theirs, strict=False)
    return [mine / other if higher_is_better else other / mine for mine, other in pairs if mine and other]


def number(value: float) -> str:
    """Three significant digits, with thousands separated."""
    if not math.isfinite(value):
        return "-"
    if abs(value) >= 100:
        return f"{round(value, 2 - math.floor(math.log10(abs(value)))):,.0f}" if abs(value) < 1e6 else f"{value:.3g}"
    return f"{value:.3g}"


def spread(found: Sequence[float | None], mark: str = "") -> str:
    """The median, and from where to where where there are several."""
    values = present(found)
    if not values:
        return ""
    middle = f"{number(statistics.median(values))}{mark}"
    if len(values) < 2:
        return middle
    return f"{middle} ({number(min(values))} to {number(max(values))})"


def ratios_of(comparison: Comparison, side: str) -> list[float]:
    ours = comparison.values.get(comparison.base, ())
    return times_better(ours, comparison.values.get(side, ()), higher_is_better=comparison.higher_is_better)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def tall(comparison: Comparison) -> str:
    """A row for each side: its values, and how many times better ours is, pair by pair."""
    columns = list(dict.fromkeys(key for cells in comparison.more.values() for key in cells))
    head = [comparison.name, f"{comparison.unit}, median (min to max)", "ours is better by", *columns]
    rows = []
    for side in dict.fromkeys([*comparison.values, *comparison.missing]):
        found = spread(comparison.values.get(side, ())) or comparison.missing.get(side, "")
        ratio = "" if side == comparison.base else spread(ratios_of(comparison, side), "x")
        rows.append([side, found, ratio, *(comparison.more.get(side, {}).get(key, "") for key in columns)])
    return markdown(head, rows)


def wide(comparisons: Sequence[Comparison]) -> str:
    """A row for each side and a column for each comparison; in brackets, how many times better ours is."""
    sides = dict.fromkeys(side for each in comparisons for side in [*each.values, *each.missing])
    head = [comparisons[0].unit, *(each.name for each in comparisons)]
    return markdown(head, [[side, *(_cell(each, side) for each in comparisons)] for side in sides])


def _cell(comparison: Comparison, side: str) -> str:
    values = present(comparison.values.get(side, ()))
    if not values:
        return comparison.missing.get(side, "")
    if side == comparison.base:
        return spread(values)
    ratios = ratios_of(comparison, side)
    better = f" ({_ratio(ratios)})" if ratios else ""
    return f"{number(statistics.median(values))}{better}"


def _ratio(ratios: Sequence[float]) -> str:
    """The median, and from where to where where there are several."""
    middle = f"{number(statistics.median(ratios))}x"
    return middle if len(ratios) < 2 else f"{middle}, {number(min(ratios))} to {number(max(ratios))}"


def section(item: Item) -> str:
    """An item as it stands in the page."""
    if item.wide:
        by_unit: dict[str, list[Comparison]] = {}
        for each in item.comparisons:
            by_unit.setdefault(each.unit, []).append(each)
        tables = [wide(each) for each in by_unit.values()]
    else:
        tables = [tall(each) for each in item.comparisons]
    return "\n\n".join(part for part in (f"### {item.title}", item.text, *tables, item.after) if part)


def rivals(comparison: Comparison, *, limits: bool) -> list[tuple[float, str]]:
    """How many times better ours is than each other side, the strongest rival first."""
    found = []
    for side in comparison.values:
        ratios = ratios_of(comparison, side)
        if side.startswith(OURS) or side == comparison.base or not ratios or (side in comparison.limits) != limits:
            continue
        found.append((statistics.median(ratios), side))
    return sorted(found)


def overview(items: Sequence[Item]) -> str:
    """One table over all: ours against the strongest side that keeps its trials too, and the strongest of the rest."""
    rows = []
    for item in items:
        for each in _largest(item) if item.wide else item.comparisons:
            ours = present(each.values.get(each.base, ()))
            if not ours:
                continue
            what = f"{item.title}: {each.name}"
            rows.append([what, f"{number(statistics.median(ours))} {each.unit}", *_strongest(each)])
    return markdown(["what", "ours", "best peer that keeps its trials", "best of those that do not"], rows)


def _largest(item: Item) -> list[Comparison]:
    """Of the columns of a table, the last in which a peer that keeps its trials has a value, or else anybody."""
    last = {each.unit: each for each in item.comparisons if rivals(each, limits=True)}
    last |= {each.unit: each for each in item.comparisons if rivals(each, limits=False)}
    return list(last.values())


def _strongest(comparison: Comparison) -> list[str]:
    cells = []
    for limits in (False, True):
        found = rivals(comparison, limits=limits)
        if not found:
            cells.append("")
            continue
        ratio, side = found[0]
        said = f"ours {number(ratio)}x better" if ratio >= 1 else f"**{side} {number(1 / ratio)}x better**"
        cells.append(f"{side}: {said}" if ratio >= 1 else said)
    return cells


def merged(before: Item | None, now: Item) -> Item:
    """The tables of this run, and those of the run before that it did not (yet) make again."""
    if before is None:
        return now
    made = {(each.name, each.unit): each for each in now.comparisons}
    kept = {(each.name, each.unit): each for each in before.comparisons}
    return replace(now, comparisons=sorted({**kept, **made}.values(), key=_size), after=now.after or before.after)


def _size(comparison: Comparison) -> float:
    """What a name begins with, "10,000 trials", where it does."""
    digits = re.match(r"[\d,]+", comparison.name)
    return float(digits[0].replace(",", "")) if digits else 0.0


def between_markers(page: str, name: str, text: str) -> str:
    """The page with this text between its markers; they are put at the end where it has none."""
    begin, end = f"<!-- {name}: made by scripts/bench/everyone.py -->", f"<!-- end of {name} -->"
    block = f"{begin}\n\n{text}\n\n{end}"
    if begin not in page:
        return f"{page.rstrip()}\n\n{block}\n"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, page, flags=re.DOTALL)


@dataclass(frozen=True)
class Guard:
    """A ratio that is watched: how many times better ours is; it may fall by `tolerance` of what is on record."""

    name: str
    tolerance: float


@dataclass(frozen=True)
class Verdict:
    """One guard, judged."""

    guard: Guard
    recorded: float | None
    measured: float | None
    excuse: str = ""

    @property
    def worse(self) -> bool:
        if self.recorded is None or (self.measured is None and self.excuse):
            return False
        return self.measured is None or self.measured < self.recorded * (1 - self.guard.tolerance)


def judge(
    guards: Sequence[Guard],
    recorded: Mapping[str, float],
    measured: Mapping[str, Sequence[float]],
    excuses: Mapping[str, str] | None = None,
) -> list[Verdict]:
    """Each guard with the median of its pairs. Nothing on record: not worse; nothing measured now: worse.

    An excuse names the peer that failed: then there is nothing to compare with, and ours is not worse for that.
    """
    return [
        Verdict(
            guard,
            recorded.get(guard.name),
            statistics.median(measured[guard.name]) if measured.get(guard.name) else None,
            (excuses or {}).get(guard.name, ""),
        )
        for guard in guards
    ]


def verdicts_table(verdicts: Sequence[Verdict]) -> str:
    def cell(value: float | None) -> str:
        return "-" if value is None else number(value)

    rows = [
        [
            each.guard.name, cell(each.recorded), cell(each.measured), f"-{each.guard.tolerance:.0%}",
            _word(each),
        ]
        for each in verdicts
    ]  # fmt: skip
    return markdown(["ratio (higher is better)", "recorded", "now", "may fall by", ""], rows)


def _word(verdict: Verdict) -> str:
    word = "WORSE" if verdict.worse else "new" if verdict.recorded is None else "ok"
    if verdict.measured is None and not verdict.worse:
        word = "not measured"
    return f"{word} ({verdict.excuse})" if verdict.excuse else word
