"""What a sweep says while it runs, line by line into the logger of a flow."""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from hpo.cli.options import LOGGERS
from hpo.cli.text import lines
from hpo.cli.trial_line import trial_line
from hpo.masking import hide_remembered
from hpo.progress import Progress
from hpo.trial import Outcome, State, Trial
from hpo.watcher import Watcher

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


class RunLog:
    """A line a trial; a failed one as a warning."""

    def __init__(self, log: Log, name: str, metric: str, others: Collection[str] = ()) -> None:
        self._log = log
        self._name = name
        self._metric = metric
        self._others = others

    def started(self, progress: Progress) -> None:
        """Says whether it begins or goes on."""
        how = f"goes on: {progress.ended} of {progress.n_trials} trials ended" if progress.ended else "begins"
        say(self._log, logging.INFO, f"sweep {self._name} {how}")

    def trial_ended(self, trial: Trial, outcome: Outcome, progress: Progress) -> None:
        """The trial's line, as `hpo run` prints it."""
        level = logging.WARNING if outcome.state is State.FAILED else logging.INFO
        say(self._log, level, trial_line(trial, outcome, progress, self._metric, self._others))

    def waiting(self, progress: Progress) -> None:
        """Nothing: a log should not fill while nothing happens."""


def say(log: Log, level: int, text: str) -> None:
    """Logs a text made safe, without passwords: it leaves this machine."""
    log.log(level, "%s", lines(hide_remembered(text)))


@contextmanager
def forwarded(log: Log) -> Iterator[None]:
    """Sends what `hpo` and `trackers` log, from INFO up, to this logger and to nobody else."""
    handler, loggers = _Forward(log), [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False  # Prefect's root handler prints warnings once more
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


class _Forward(logging.Handler):
    """Also for threads of the driver that know nothing of a flow: the logger brings its run along."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.INFO)
        self._to = log

    def emit(self, record: logging.LogRecord) -> None:
        say(self._to, record.levelno, self.format(record))


_: type[Watcher] = RunLog
