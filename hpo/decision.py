"""What came of a promotion: who won, what each gate said, and what was registered; as it stands on record."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hpo.gates import Verdict

DECISION_TAG = "hpo.promotion"
"""On a sweep's run: the decision, as JSON."""
GATES_TAG = "hpo.gates"
"""On a registered version: the verdicts on it, as JSON."""
ROOM = 8000
"""Characters of a tag."""
MOST_FALLEN = 5
"""How many verdicts on finalists that fell are kept on record."""
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Decision:
    """The verdicts on the winner, in the order they were given; where nobody is left, those on the best candidate.

    `fallen` are the verdicts by which other candidates fell, the first few of them. `candidates` says how many there
    were, `picked_by` what chose among those that were left.
    `settings` is a digest of the `register` section that was applied. `registered` is `NAME version N`, '' for none.
    """

    verdicts: Sequence[Verdict]
    fallen: Sequence[Verdict] = ()
    winner: int | None = None
    picked_by: str = ""
    settings: str = ""
    registered: str = ""
    candidates: int = 0

    @property
    def refused(self) -> Verdict | None:
        """The verdict because of which nothing was registered."""
        if self.registered:
            return None
        return next((verdict for verdict in self.verdicts if not verdict.passed), None)

    @property
    def why_not(self) -> str:
        """The refusal in one line: which gate, and by how much."""
        verdict = self.refused
        if verdict is None:
            return ""
        trial = f"trial {verdict.trial}: " if verdict.trial is not None else ""
        others = self.candidates - 1
        more = f"; nor is one of the other {others} candidates left" if others > 0 and self.winner is None else ""
        return f"gate {verdict.gate}: {trial}{verdict.text}{more}"

    def as_json(self) -> str:
        """For a tag, texts shortened until it has room."""
        texts = (self._as_json(longest) for longest in (LONGEST_TEXT, LONGEST_TEXT // 2, LONGEST_TEXT // 4, 10))
        return next((text for text in texts if len(text) <= ROOM), "")

    def _as_json(self, longest: int) -> str:
        document = {
            "verdicts": [as_fields(verdict, longest) for verdict in self.verdicts],
            "fallen": [as_fields(verdict, longest) for verdict in self.fallen[:MOST_FALLEN]],
            "winner": self.winner,
            "picked_by": self.picked_by,
            "settings": self.settings,
            "registered": self.registered,
            "candidates": self.candidates,
        }
        return json.dumps(document, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Decision | None":
        """As it was recorded; None for a text that is none of ours."""
        try:
            data = json.loads(text)
            verdicts, fallen = ([Verdict(**fields) for fields in data[key]] for key in ("verdicts", "fallen"))
            rest = {key: data[key] for key in ("winner", "picked_by", "settings", "registered", "candidates")}
            return cls(verdicts, fallen, **rest)
        except (ValueError, TypeError, KeyError):
            return None


def as_fields(verdict: Verdict, longest: int = LONGEST_TEXT) -> dict[str, object]:
    """A verdict for JSON, its texts no longer than a record can hold."""
    return {
        name: f"{value[:longest]} .." if isinstance(value, str) and len(value) > longest + 3 else value
        for name, value in asdict(verdict).items()
    }


def verdicts_on(tags: str) -> Sequence[Verdict]:
    """The verdicts that a version's tag holds; none where it holds none."""
    try:
        return tuple(Verdict(**fields) for fields in json.loads(tags))
    except (ValueError, TypeError):
        return ()
