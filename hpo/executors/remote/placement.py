"""The Placement protocol: puts pilots onto the hosts of a cluster; and how it learns what became of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

LOST = "lost"
"""The pilot or its host went away; another one may be placed at once."""

UNREACHABLE = "unreachable"
"""Its host cannot reach the driver."""

REFUSED = "refused"
"""Its host cannot work for this driver, now or later: another version, no such package; no other one is placed."""

ENDED = "ended"
"""The driver told it to end."""


@dataclass(frozen=True)
class PilotReport:
    """How a pilot ended: one of the kinds above, and for people why, naming the host where that is known."""

    kind: str
    text: str = ""

    @property
    def json(self) -> str:
        """All of it, as `pilot.run` returns it."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: object) -> "PilotReport":
        """Of what `pilot.run` returned; a lost pilot for anything else."""
        try:
            facts = json.loads(str(text))
            return cls(str(facts["kind"]), str(facts["text"]))
        except (ValueError, TypeError, KeyError):
            return cls(LOST, f"a pilot returned {str(text)[:100]!r}")


class Placement(Protocol):
    """A cluster that can hold pilots: long tasks, each of which offers one slot. It carries no trial.

    Made when it has connected; ClusterUnavailable where it cannot. All methods are called in one thread at a time,
    but for `close`, which may come while `place` still connects: that then gives up, or is of no consequence.
    """

    @property
    def address(self) -> str:
        """The address of this machine under which the cluster's hosts reach it; 127.0.0.1 for a cluster on it alone."""
        ...

    def place(self, errand: str, count: int) -> None:
        """Asks for `count` more pilots, each of which calls `hpo.executors.remote.pilot.run(errand)` somewhere.

        Returns at once; pilots that find no room wait in the cluster's queue. Connects again where the cluster was
        lost, within seconds; ClusterUnavailable where it cannot.
        """
        ...

    def ended(self) -> Sequence[PilotReport]:
        """The pilots that ended since the last call, each once; returns at once.

        All that were placed before a cluster was lost have ended (LOST). ClusterUnavailable as long as the cluster is
        out of reach and it is not known what became of them.
        """
        ...

    def close(self) -> None:
        """Lets the cluster go, and ends it if it was made here; pilots have been told to end. Safe to call twice."""
        ...
