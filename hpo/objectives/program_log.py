"""Where the output of a trial's program is kept: in its worker's log, else in a file of the trial."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hpo.failure_text import failure_line
from hpo.gathered import SaveFailed
from hpo.objective import TrialContext
from hpo.processes.output_log import OutputLog, redirected
from hpo.secret_keeping import OUTPUT_NAME


@contextmanager
def program_log(trial: TrialContext) -> Iterator[Callable[[bytes], None]]:
    """What takes all output; its size is bounded, and it is kept as `logs/output.log` of the trial's run."""
    shared = redirected()
    if shared is not None:
        yield shared.write
        return
    path = Path(f"{trial.dir}.log")
    log = OutputLog(path)
    try:
        yield log.write
    finally:
        _save(log, trial)
        log.close()
        path.unlink(missing_ok=True)


def _save(log: OutputLog, trial: TrialContext) -> None:
    written = log.flush()
    if written is None:
        return
    try:
        trial.log_artifact(written, OUTPUT_NAME)
    except SaveFailed as error:  # a finished result is worth more than what was printed on the way
        trial.set_tag("hpo.output_lost", failure_line(error))
