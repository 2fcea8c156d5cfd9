"""The errors this package raises; each message says the rule, the value, the place and the way out."""


class TrackerError(Exception):
    """Base of every error that `trackers` raises on purpose."""


class StoreUnavailable(TrackerError):
    """The store cannot be reached, opened or written right now; what was acknowledged before is safe."""


class NotAStore(StoreUnavailable):
    """The place holds something that is not a tracking database; it was left untouched."""


class ReadOnlyStore(StoreUnavailable):
    """The database can be read but not written, for example because a newer schema has a column we do not know."""


class NotFound(TrackerError):
    """No experiment, run, model or version of that name."""


class InvalidRecord(TrackerError):
    """A value cannot be stored as given, for example a key that is too long; nothing was written."""


class FilterError(TrackerError):
    """A filter or an order cannot be understood; the message shows where."""


class Superseded(TrackerError):
    """The run was ended or taken over by somebody else; the late change was refused."""


class ModelError(TrackerError):
    """A model cannot be saved, verified or loaded."""
