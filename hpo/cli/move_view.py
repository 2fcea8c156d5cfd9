"""Says what an alias or a stage was moved from and to."""

import logging
from collections.abc import Sequence

from hpo.alias_moves import Moved
from hpo.cli import output
from hpo.cli.formats import Table
from hpo.cli.options import Shared
from hpo.cli.text import one_line

log = logging.getLogger(__name__)
COLUMNS = ("name", "version", "alias", "stage", "from", "to")


def show_moves(name: str, done: Sequence[tuple[str, str, Moved]], shared: Shared) -> None:
    """Each move (`alias` or `stage`, its name, what came of it) as a line, or as data in the format asked for."""
    for kind, what, moved in done:
        for number in moved.passed_over:
            log.warning("passed over version %d, which was deleted", number)
        if not moved.checked:
            log.warning("no file of version %d was verified", moved.version)
        if shared.format == "table":
            output.write(one_line(_line(name, kind, what, moved)), shared)
    if shared.format != "table":
        rows = [_object(name, kind, what, moved) for kind, what, moved in done]
        output.show(rows if len(rows) > 1 else rows[0], Table(COLUMNS, rows), shared)


def _line(name: str, kind: str, what: str, moved: Moved) -> str:
    if moved.before == moved.after:
        held = f"points to version {moved.after}" if kind == "alias" else f"is held by version {moved.version}"
        return f"{kind} {what} of {name} {held} already"
    if kind == "stage":
        return f"version {moved.version} of {name}: stage {moved.before} -> {moved.after}"
    return f"alias {what} of {name}: version {moved.before or 'none'} -> {moved.after}"


def _object(name: str, kind: str, what: str, moved: Moved) -> dict[str, object]:
    is_alias = kind == "alias"
    return {
        "name": name,
        "version": moved.version,
        "alias": what if is_alias else None,
        "stage": None if is_alias else what,
        "from": (int(moved.before) if moved.before else None) if is_alias else moved.before,
        "to": int(moved.after) if is_alias else moved.after,
    }
