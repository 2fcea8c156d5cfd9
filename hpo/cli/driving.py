"""What `hpo run` and `hpo resume` share: shows a sweep while it runs, its end, and the exit code."""

import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hpo.budget import Stop
from hpo.cli import output
from hpo.cli.options import Shared, tracker_uri
from hpo.cli.signals import Signals, watched
from hpo.cli.watchers import display
from hpo.interruption import Interruption
from hpo.watcher import Watcher

if TYPE_CHECKING:  # for the type only: it opens stores, and SQLAlchemy takes a while to import
    from hpo.result import SweepResult

EXIT_NO_RESULT = 1
EXIT_FAILURES = 3
EXIT_REFUSED = 4
Run = Callable[[Watcher, Interruption, Callable[[str], None]], "SweepResult"]
"""Runs a sweep for a watcher, until an interruption; says its name once that is known."""


class Driving:
    """One sweep that this command drives in the store at `uri`; `name` is how it is called as long as nobody says.

    `require_register`: it is a failure where nothing is registered. `metrics` are the sweep's, the first one first.
    `imported` is called when all is imported that a sweep needs, which is when its name is known.
    """

    def __init__(
        self, shared: Shared, uri: str, *, name: str, metrics: Sequence[str], require_register: bool = False,
        imported: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._shared = shared
        self._store = "" if uri == tracker_uri()[0] else f" --tracker {shlex.quote(uri)}"
        self._name = name
        self._metrics = metrics
        self._require_register = require_register
        self._imported = imported

    def drive(self, run: Run) -> None:
        """Runs the sweep, prints what came of it, and ends the process where that is not exit 0."""
        interruption = Interruption()
        shared = self._shared
        metric, others = self._metrics[0], self._metrics[1:]
        shown = display(self._name, metric, quiet=shared.quiet, color=shared.color, others=others)
        with watched(interruption) as signals:
            try:
                with shown:
                    result = run(shown, interruption, self._named)
            except KeyboardInterrupt:  # nothing was running yet, or it was broken off
                self._interrupted(signals)
        from hpo.cli.run_summary import summary_data, summary_text  # not before the first trial

        try:
            if shared.format == "table":
                output.write(summary_text(result), shared)
            else:
                output.show_data(summary_data(result), shared)
        except OSError:  # nobody is there to read it; a terminal that is gone was the reason to stop
            if result.stop is not Stop.INTERRUPTED:
                raise
            output.discard_stdout()
        if result.stop is Stop.INTERRUPTED:
            self._interrupted(signals)
        if Stop.FAILURES in (result.stop, result.stopped_before):
            failed = result.counts().get("FAILED", 0)
            output.message(
                f"stopped: {failed} trials failed; see: hpo trials {self._word} --state FAILED; "
                f"run them again with: hpo resume {self._word} --retry-failed{self._store}"
            )
            sys.exit(EXIT_FAILURES)
        if not result.best_runs(1):
            sys.exit(EXIT_NO_RESULT)
        if self._require_register and not result.stands:
            is_refused = result.decision is not None and result.decision.refused is not None
            sys.exit(EXIT_REFUSED if is_refused else EXIT_NO_RESULT)

    def _named(self, name: str) -> None:
        self._name = name
        self._imported()

    def _interrupted(self, signals: Signals) -> None:
        output.message(f"interrupted; nothing on record is lost, go on with: hpo resume {self._word}{self._store}")
        signals.leave()

    @property
    def _word(self) -> str:
        return shlex.quote(self._name)
