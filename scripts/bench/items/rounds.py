"""What sides gave, round by round."""

from collections.abc import Iterable, Mapping, Sequence

from ratios import present


class Rounds:
    """A value for each side and round, None where there is none, so that the values of one round stay a pair."""

    def __init__(self, sides: Iterable[str]) -> None:
        self._values: dict[str, list[float | None]] = {side: [] for side in sides}
        self._why: dict[str, str] = {}

    @property
    def sides(self) -> list[str]:
        return list(self._values)

    def add(self, side: str, value: object, why: str = "") -> None:
        """A value, or None and the reason."""
        self._values[side].append(None if value is None else float(str(value)))
        if value is None:
            self._why[side] = why or "no answer"

    @property
    def values(self) -> Mapping[str, Sequence[float | None]]:
        """Of all sides, in their order; copies."""
        return {side: list(found) for side, found in self._values.items()}

    @property
    def missing(self) -> Mapping[str, str]:
        """Why sides gave none."""
        return {side: self._why.get(side, "not measured") for side, found in self._values.items() if not present(found)}
