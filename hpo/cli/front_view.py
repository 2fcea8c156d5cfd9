"""The front of a sweep by several metrics, in a line for people and as an object for programs."""

from hpo.cli.formats import finite
from hpo.front import Goals
from hpo.front_on_record import FrontOnRecord


def goals_text(goals: Goals) -> str:
    """Such as `accuracy (maximize), seconds (minimize)`."""
    return ", ".join(f"{name} ({goal})" for name, goal in goals.items())


def front_text(front: FrontOnRecord, limit: int | None = None) -> str:
    """Such as `front of 12 trials by accuracy (maximize), seconds (minimize), hypervolume 3.1, the first 10`."""
    count = len(front.members)
    text = f"front of {count} trial{'' if count == 1 else 's'} by {goals_text(front.goals)}"
    if front.hypervolume is not None:
        text += f", hypervolume {front.hypervolume:.6g}"
    return text if limit is None or limit >= count else f"{text}, the first {limit}"


def front_object(front: FrontOnRecord) -> dict[str, object]:
    """The same for programs, with the numbers of its trials."""
    return {
        "size": len(front.members),
        "trials": [run.trial.number if run.trial else None for run in front.members],
        "hypervolume": finite(front.hypervolume),
        "reference": dict(front.reference) if front.reference else None,
    }
