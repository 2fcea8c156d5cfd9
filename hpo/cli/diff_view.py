"""Two runs side by side, as an object for programs, a table for files, and sections for people."""

from collections.abc import Iterator, Mapping, Sequence

from hpo.cli.formats import Table, as_table, finite
from hpo.cli.text import cell, duration, lines, number, one_line
from hpo.cli.trial_rows import seconds_of, state_of
from hpo.on_both_sides import Part
from hpo.pairs import MetricPair, Pair
from hpo.provenance.changed import Changed
from hpo.provenance.code_changes import counted
from hpo.settings_on_record import ABSENT
from hpo.trial_diff import Side, TrialDiff

INDENT = "  "
LONGEST = 100
_COLOURS = {"+": "32", "-": "31", "@": "36"}


def diff_object(diff: TrialDiff) -> dict[str, object]:
    """All of it; a value that one side lacks is absent, and only settings leave out what is the same."""
    return {
        "before": _side_object(diff.before),
        "after": _side_object(diff.after),
        "settings": [_pair_object(pair) for pair in diff.settings],
        "params": [_pair_object(pair) for pair in diff.params],
        "metrics": [_pair_object(pair) for pair in diff.metrics],
        "seeds": [_pair_object(pair) for pair in diff.seeds],
        "code": _part_object(diff.code) | {"diff": _diff_text(diff.code)},
        "data": _part_object(diff.data),
        "environment": _part_object(diff.environment),
    }


def diff_table(diff: TrialDiff) -> Table:
    """One row for each thing that differs."""
    sections = (
        ("setting", diff.settings), ("param", diff.params), ("metric", diff.metrics), ("seed", diff.seeds),
    )  # fmt: skip
    rows: list[Mapping[str, object]] = []
    for section, pairs in sections:
        rows += [{"section": section, **_pair_row(pair)} for pair in pairs if not pair.is_same]
    for part in (diff.code, diff.data, diff.environment):
        rows += [_change_row(change) for change in part.changes]
    return Table(("section", "name", "before", "after", "difference", "verdict"), rows)


def diff_text(diff: TrialDiff, *, stat: bool, color: bool) -> str:
    """Every section on its own: what differs, in one line what does not; `stat` leaves out the lines of code."""
    before, after = diff.before.address, diff.after.address
    heads = [f"--- {one_line(before)}  {_state(diff.before)}", f"+++ {one_line(after)}  {_state(diff.after)}"]
    labels = (before, after) if before != after else ("before", "after")
    blocks = ["\n".join(_coloured(line, color=color) for line in heads)]
    for title, pairs in (("settings", diff.settings), ("params", diff.params), ("metrics", diff.metrics)):
        if pairs:
            blocks.append(_section(title, pairs, labels))
    blocks.append(_section("seeds", diff.seeds, labels))
    blocks.append(_part("code", diff.code))
    if code := "" if stat else _diff_text(diff.code):
        blocks.append("\n".join(_coloured(line, color=color) for line in lines(code).splitlines()))
    blocks += [_part("data", diff.data), _part("environment", diff.environment)]
    return "\n\n".join(blocks)


def _side_object(side: Side) -> dict[str, object]:
    run, trial = side.run, side.run.trial
    return {
        "address": side.address,
        "sweep": side.sweep.name if side.sweep else None,
        "number": trial.number if trial else None,
        "state": state_of(run),
        "attempt": trial.attempt if trial else None,
        "seconds": seconds_of(run),
        "run_id": run.id,
    }


def _pair_object(pair: Pair) -> dict[str, object]:
    known = {"before": pair.before, "after": pair.after}
    of_metric = {"difference": pair.difference, "verdict": pair.verdict or None} if isinstance(pair, MetricPair) else {}
    return {
        "name": pair.name,
        "same": pair.is_same,
        **{side: finite(value) for side, value in known.items() if value is not ABSENT},
        **of_metric,
    }


def _part_object(part: Part) -> dict[str, object]:
    return {
        "same": part.same,
        "note": part.note or None,
        "changes": [vars(change) for change in part.changes],
        "limits": list(part.limits),
    }


def _pair_row(pair: Pair) -> dict[str, object]:
    more = {"difference": pair.difference, "verdict": pair.verdict or None} if isinstance(pair, MetricPair) else {}
    return {"name": pair.name, "before": _known(pair.before), "after": _known(pair.after), **more}


def _change_row(change: Changed) -> dict[str, object]:
    return {
        "section": change.what, "name": change.name, "before": change.before or None, "after": change.after or None,
    }  # fmt: skip


def _section(title: str, pairs: Sequence[Pair], labels: tuple[str, str]) -> str:
    different = [pair for pair in pairs if not pair.is_same]
    same = len(pairs) - len(different)
    if not different:
        return f"{title}: {'the same' if pairs else 'not on record'}"
    shown = Table((title, *labels, "", " "), [_shown(pair, (title, *labels)) for pair in different])
    kept = [column for column in shown.columns if column.strip() or any(row.get(column) for row in shown.rows)]
    text = as_table(Table(kept, shown.rows))
    return f"{text}\n{INDENT}({same} the same)" if same else text


def _shown(pair: Pair, columns: tuple[str, str, str]) -> dict[str, object]:
    """A row of texts; numbers that look alike are written out."""
    before, after = _text(pair.before), _text(pair.after)
    if before == after:
        before, after = (repr(value) for value in (pair.before, pair.after))
    row: dict[str, object] = dict(zip(columns, (pair.name, before, after), strict=True))
    if isinstance(pair, MetricPair) and pair.difference is not None:
        row |= {"": f"{'+' if pair.difference > 0 else ''}{number(pair.difference)}", " ": pair.verdict}
    return row


def _text(value: object) -> str:
    return "" if value is ABSENT else cell(value, longest=LONGEST)


def _known(value: object) -> object:
    return None if value is ABSENT else value


def _part(title: str, part: Part) -> str:
    said = "the same" if part.same else "differs" if part.same is False else "cannot be told"
    head = f"{title}: {said}" + (f" ({one_line(part.note)})" if part.note else "")
    return "\n".join([head, *_changes(part.changes), *(f"{INDENT}{one_line(limit)}" for limit in part.limits)])


def _changes(changes: Sequence[Changed]) -> Iterator[str]:
    for change in changes:
        if change.what == "code" and change.detail:  # the lines themselves follow
            yield f"{INDENT}{one_line(change.name)}  {counted(change)}".rstrip()
            continue
        yield f"{INDENT}{one_line(str(change))}"
        yield from (f"{INDENT}{INDENT}{line}" for line in lines(change.detail).splitlines())


def _diff_text(part: Part) -> str:
    """The unified diff of all files."""
    return "\n".join(change.detail.rstrip("\n") for change in part.changes if change.detail)


def _state(side: Side) -> str:
    took = duration(seconds_of(side.run))
    return f"{state_of(side.run)}{f', {took}' if took else ''}"


def _coloured(line: str, *, color: bool) -> str:
    code = _COLOURS.get(line[:1])
    return f"\x1b[{code}m{line}\x1b[0m" if color and code else line
