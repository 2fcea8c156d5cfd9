"""The sweep file's keys for what each trial has of a machine: GPUs and processors."""

from typing import Annotated

from pydantic import Field, model_validator

from hpo.config.fields import WHOLE, Section, broken


def _whole_or_part(gpus: float) -> bool:
    return 0 <= gpus <= 1 or gpus == round(gpus)


class DeviceKeys(Section):
    """The keys of `parallel` that deal devices to trials."""

    gpus_per_trial: Annotated[float, Field(ge=0, le=1024)] | None = None
    """GPUs that each trial sees: whole ones, or a part of one, such as 0.5 for two trials on each; 0: none. Where left
    out trials see what the driver sees."""
    cpus_per_trial: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None
    """Processors that each trial is bound to, as whole cores side by side as far as there are enough; inner_threads is
    the same number where it is left out."""

    @model_validator(mode="before")
    @classmethod
    def _as_many_threads_as_processors(cls, given: object) -> object:
        cpus = given.get("cpus_per_trial") if isinstance(given, dict) else None
        if not isinstance(given, dict) or not isinstance(cpus, int | float) or not 1 <= cpus <= 10_000:
            return given
        return {"inner_threads": cpus, **given}

    @model_validator(mode="after")
    def _can_be_dealt(self) -> "DeviceKeys":
        gpus = self.gpus_per_trial
        if gpus is not None and not _whole_or_part(gpus):
            raise broken(f"must be whole, or a part of one GPU, got {gpus:g}", "gpus_per_trial")
        if gpus is not None and 0 < gpus < 0.001:
            raise broken(f"must be at least 0.001, got {gpus:g}", "gpus_per_trial")
        return self

    @property
    def asks_for_device(self) -> str:
        """The first key that is given, an empty text where none is."""
        given = {"gpus_per_trial": self.gpus_per_trial, "cpus_per_trial": self.cpus_per_trial}
        return next((name for name, value in given.items() if value is not None), "")
