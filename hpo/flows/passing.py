"""Which errors pass by themselves, so that a step is worth running again; the others are for a person."""

from hpo.cli.main import exit_code
from hpo.repeating import HOPELESS

PASSING_EXITS = (5, 75)
"""As `hpo run` ends: another driver has the sweep; store, disk or cluster is out of reach."""

_OF_A_PERSON = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)


def is_passing(error: BaseException) -> bool:
    """Whether the same step may end well later: a store or a network that is away, a sweep that somebody drives.

    A step that is run again goes on where it was, so it costs nothing to try.
    """
    if isinstance(error, (*HOPELESS, *_OF_A_PERSON)):
        return False
    return isinstance(error, OSError) or (isinstance(error, Exception) and exit_code(error) in PASSING_EXITS)
