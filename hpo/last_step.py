"""The last step of a driver: what of the sweep is registered, unless that is settled already."""

from dataclasses import dataclass

from hpo.budget import Stop
from hpo.config.schema import Registration
from hpo.decision import DECISION_TAG, Decision
from hpo.errors import ClusterUnavailable, HpoError
from hpo.winner import REGISTERED_TAG, Finals, settings_of
from trackers.errors import StoreUnavailable, Superseded, TrackerError
from trackers.records import ModelVersion, Run


@dataclass(frozen=True)
class LastStep:
    """What was registered now, or why nothing was; `decision` is what the gates said, where they were asked.

    `stands` says that what the sweep has to give is registered, now or since an earlier call.
    """

    version: ModelVersion | None = None
    why_not: str = ""
    decision: Decision | None = None
    stands: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether a gate said no."""
        return self.decision is not None and self.decision.refused is not None


def settled(
    parent: Run, wanted: Registration | None, stop: Stop | None, before: Stop | None, *, retry_failed: bool
) -> LastStep | None:
    """What is known without asking anybody; None where there is something to decide.

    `stop` is why the search ended now, None where nothing was run; `before` why it had ended before. A decision on
    record stands as long as the `register` section is the same and no trial was added.
    """
    if wanted is None:
        return LastStep(why_not="the sweep file has no register:")
    cut_short = stop or before
    if cut_short in (Stop.FAILURES, Stop.INTERRUPTED):
        return LastStep(why_not=f"the sweep was stopped by {cut_short}")
    if stop is not None:
        return None
    decision = Decision.from_json(parent.tags.get(DECISION_TAG, ""))
    if decision is not None and decision.refused:
        stands = decision.settings == settings_of(wanted) and not retry_failed
        return LastStep(why_not=decision.why_not, decision=decision) if stands else None
    registered = parent.tags.get(REGISTERED_TAG)
    if registered:
        return LastStep(why_not=f"it was registered before as {registered}", decision=decision, stands=True)
    return None


def take(finals: Finals) -> LastStep:
    """Decides; a winner that cannot be registered does not undo the search."""
    try:
        version, decision = finals.decide()
    except (StoreUnavailable, ClusterUnavailable, Superseded):
        raise
    except (HpoError, TrackerError) as error:
        return LastStep(why_not=str(error))
    return LastStep(version, decision.why_not, decision, stands=version is not None)
