"""A fitted model together with how it is described, once it is known that it is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

AUTOLOG = "autolog"
"""The folder of descriptions, of a run's files and in a model's folder; we alone write there."""


@dataclass(frozen=True)
class Description:
    """What is worth knowing of a fit: small text files by name, and metrics whose names begin with `training_`."""

    files: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DescribedModel:
    """What a function given to `log_model` may return instead of a model; `describe` is called once that is saved.

    Its files go into the folder `autolog` of the model's own, so they leave with it; its metrics go onto the run.
    """

    model: object
    describe: Callable[[], Description]
