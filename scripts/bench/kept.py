"""recorded.json: the last results of every item, and the ratios that bench-check holds new ones against."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from ratios import Item, item_from, merged

ORDER = (
    "overhead", "postgresql", "busy", "growth-random", "growth-tpe", "questions-first", "questions-later", "start",
)  # fmt: skip


class Record:
    """The file, read anew for each change and put in place whole, so that a run may be cut off at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, object]:
        return dict(json.loads(self.path.read_text())) if self.path.exists() else {}

    def items(self) -> list[Item]:
        """In the order of the page."""
        found = [item_from(each) for each in dict(self.read().get("items", {})).values()]
        return sorted(found, key=lambda item: ORDER.index(item.key) if item.key in ORDER else len(ORDER))

    def keep(self, item: Item) -> None:
        """Puts what is known of an item by now in the place of what was there; tables not made again stay."""
        found = self.read()
        items = dict(found.get("items", {}))
        before = items.get(item.key)
        items[item.key] = merged(item_from(before) if before else None, item).as_json()
        self._write({**found, "items": items})

    def keep_about(self, machine: str, versions: Mapping[str, Mapping[str, str]]) -> None:
        self._write({**self.read(), "machine": machine, "versions": dict(versions)})

    def ratios(self) -> dict[str, float]:
        return dict(self.read().get("check", {}))

    def keep_ratios(self, measured: Mapping[str, Sequence[float]]) -> None:
        """The medians; one that was not measured is left as it was."""
        medians = {name: round(statistics.median(values), 3) for name, values in measured.items() if values}
        self._write({**self.read(), "check": {**self.ratios(), **medians}})

    def _write(self, found: Mapping[str, object]) -> None:
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(found, indent=1) + "\n")
        beside.replace(self.path)
