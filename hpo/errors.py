"""The errors this package raises; each message says the rule, the value, the place and the way out."""


class HpoError(Exception):
    """Base of every error that `hpo` raises on purpose."""


class ConfigError(HpoError):
    """A sweep file (or an option that overrides it) cannot be used; nothing was run."""


class SpaceError(ConfigError):
    """A parameter or a space breaks a rule, such as low above high."""


class EngineError(ConfigError):
    """A sampler cannot serve this space, or what it needs is not installed."""


class ObjectiveError(ConfigError):
    """The objective cannot be imported, or what it names (data, estimator, scorer) is not there."""


class NothingFound(HpoError):
    """No sweep, trial or finite result answers the question."""


class BrokenOff(KeyboardInterrupt):
    """The time that open trials had to end is over; raised where the driver waits, or into the trial that it runs."""


class TooManyFailures(HpoError):
    """A sweep was stopped because `budget.max_failures` trials failed; the best so far is kept."""


class TrialPruned(HpoError):
    """Raised by `trial.report` into a trial that the pruner stops; an objective may raise it by its own rule too."""


class TrialFailed(HpoError):
    """Raised by an objective that knows why its trial failed; `reason` as of an Outcome."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["TrialFailed"], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class ClusterUnavailable(HpoError):
    """The cluster that runs the trials is out of reach, or offers no slot; what was open can be run again later."""


class SweepOwned(HpoError):
    """Another live driver is at work on this sweep."""


class ProvenanceError(HpoError):
    """Code, data or an environment on record cannot be had again here; the message says which and the way out."""
