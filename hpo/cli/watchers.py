"""How a running sweep is shown: one line a trial, or a live panel in a terminal."""

import sys
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from hpo.cli import output
from hpo.cli.text import duration
from hpo.cli.trial_line import trial_line
from hpo.progress import Progress
from hpo.trial import Outcome, State, Trial
from hpo.watcher import Watcher

if TYPE_CHECKING:  # for the type only, see Panel
    from rich.text import Text

RECENT = 7
"""Trials shown in the panel; with its head it stays below 12 lines."""


class Display(Watcher, Protocol):
    """A watcher that is opened before a sweep and closed after it."""

    def __enter__(self) -> Self:
        """Begins to show."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Ends showing and leaves the terminal as it was."""
        ...


class Lines:
    """One line a trial on stderr; `quiet` shows failures only."""

    def __init__(self, name: str, metric: str, *, quiet: bool, others: Collection[str] = ()) -> None:
        self._name = name
        self._metric = metric
        self._others = others
        self._quiet = quiet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None

    def started(self, progress: Progress) -> None:
        """Says so where trials are on record already."""
        if progress.ended and not self._quiet:
            again = progress.counts[State.WAITING]
            rerun = f", {again} of the others run again" if again else ""
            output.message(f"sweep {self._name} goes on: {progress.ended} of {progress.n_trials} trials ended{rerun}")

    def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
        """Prints the trial's line."""
        if not self._quiet or outcome.state is State.FAILED:
            output.message(trial_line(trial, outcome, progress, self._metric, self._others))

    def waiting(self, progress: Progress) -> None:
        """Nothing: a log should not fill while nothing happens."""


class Panel:
    """A live panel for terminals, at most 12 lines, drawn four times a second."""

    def __init__(self, name: str, metric: str, *, color: bool, others: Collection[str] = ()) -> None:
        from rich.console import Console  # rich takes 0.1 s to import: only a terminal pays
        from rich.live import Live
        from rich.text import Text

        self._text = Text
        self._name = name
        self._metric = metric
        self._others = others
        self._progress: Progress | None = None
        self._recent: deque[str] = deque(maxlen=RECENT)
        console = Console(stderr=True, no_color=not color, highlight=False)
        self._live = Live(
            get_renderable=self._lines, console=console, refresh_per_second=4, redirect_stdout=False, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with suppress(OSError):  # the terminal may be gone
            self._live.stop()

    def started(self, progress: Progress) -> None:
        """Shows where the sweep stands."""
        self._progress = progress

    def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
        """Shows the trial among the recent ones."""
        self._progress = progress
        self._recent.append(trial_line(trial, outcome, progress, self._metric, self._others))

    def waiting(self, progress: Progress) -> None:
        """Shows what runs and the time."""
        self._progress = progress

    def _lines(self) -> "Text":
        return self._text("\n".join([*self._head(), *self._recent]), no_wrap=True, overflow="ellipsis")

    def _head(self) -> list[str]:
        progress = self._progress
        if progress is None:
            return [f"sweep {self._name}: starting"]
        width = 30
        done = round(width * min(progress.ended / max(progress.n_trials, 1), 1))
        counts = ", ".join(f"{count} {state}" for state, count in progress.counts.items() if count)
        best = f"{progress.best:.6g} (#{progress.best_number})" if progress.best is not None else "none yet"
        reached = f"best {self._metric} {best}" if progress.front is None else f"front {progress.front}"
        return [
            f"sweep {self._name}  [{'#' * done}{'.' * (width - done)}] {progress.ended}/{progress.n_trials}",
            f"{reached}   {counts or 'nothing yet'}   {duration(progress.seconds)}",
        ]


def display(name: str, metric: str, *, quiet: bool, color: bool, others: Collection[str] = ()) -> Display:
    """A panel where stderr is a terminal, lines elsewhere."""
    if sys.stderr.isatty() and not quiet:
        return Panel(name, metric, color=color, others=others)
    return Lines(name, metric, quiet=quiet, others=others)
