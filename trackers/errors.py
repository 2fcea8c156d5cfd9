"""The errors this package raises; each message says the rule, the value, the place and the way out."""


class TrackerError(Exception):
    """Base of every error that `trackers` raises on purpose."""


class StoreUnavailable(TrackerError):
    """The store cannot be reached, opened or written right now; what was acknowledged before is safe."""


class NoStoreYet(StoreUnavailable):
    """The place is there, and no tracking database in it; the first sweep makes one."""


class NotAStore(StoreUnavailable):
    """The place holds something that is not a tracking database; it was left untouched."""


class ReadOnlyStore(StoreUnavailable):
    """The database can be read but not written, for example because a newer schema has a column we do not know."""


class NotPermitted(StoreUnavailable):
    """This user may not write there, or there is no such folder; waiting does not help."""


class StoreGone(StoreUnavailable):
    """The database was deleted or replaced while it was open; what is written now, nobody would ever see."""


class StoreBusy(StoreUnavailable):
    """Another process writes, and has done so for longer than we wait; `pid` is 0 where it cannot be known."""

    def __init__(self, message: str, pid: int = 0) -> None:
        super().__init__(message)
        self.pid = pid


class StoreFull(StoreUnavailable):
    """There is no space left at `path`; nothing was written."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


class NotFound(TrackerError):
    """No experiment, run, model or version of that name."""


class InvalidRecord(TrackerError):
    """A value cannot be stored as given, for example a key that is too long; nothing was written."""


class UnreadableRun(TrackerError):
    """A row on record holds what nobody writes who knows the tables; the message names run, column and value."""


class FilterError(TrackerError):
    """A filter or an order cannot be understood; the message shows where."""


class QueryTooSlow(TrackerError):
    """A query took longer than queries with a filter may; the message shows it and how to allow more."""


class Superseded(TrackerError):
    """The run was ended or taken over by somebody else; the late change was refused."""


class FencedOff(Superseded):
    """The sweep has another driver by now, or none; nothing of what came late was written."""


class AlreadyOwned(TrackerError):
    """Somebody else claimed the sweep first; look again at who holds it."""


class NameTaken(TrackerError):
    """A sweep of that name was put on record meanwhile; nothing was written."""


class AliasMoved(TrackerError):
    """An alias points to another version than the caller knew of; nothing was changed."""


class UpgradeFailed(TrackerError):
    """MLflow's upgrade of a database could not be done; the database is as it was."""


class ModelError(TrackerError):
    """A model cannot be saved, verified or loaded."""


class MirrorUnavailable(StoreUnavailable):
    """A mirror cannot be reached, is in trouble or lets us not in; what it was to be sent is still to be sent."""


class MirrorRefused(TrackerError):
    """A mirror does not take one thing as it is, or that thing cannot be sent; others may go.

    `code` is MLflow's word for the reason, where there is one.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
