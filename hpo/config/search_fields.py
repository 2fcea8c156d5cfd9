"""What a sweep file says of points known before, earlier sweeps, duplicates and replicates."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from hpo.config.fields import WHOLE, Name, Scalar, Section, Text, broken, listed

StartPoint = Annotated[dict[Name, Scalar], Field(min_length=1)]
"""A point that is run first; parameters it does not name are drawn at random."""


class WarmStart(Section):
    """Trials of earlier sweeps in the same store, told to the sampler before the first trial."""

    sources: Annotated[
        list[Text],
        Field(min_length=1, max_length=20, alias="from"),
        BeforeValidator(listed, json_schema_input_type=Text | Annotated[list[Text], Field(min_length=1)]),
    ]
    """The sweeps, by name, by a prefix of the run id, or @latest."""
    top: Annotated[int, Field(ge=1, le=1000), WHOLE] = 1000
    """How many trials of each are taken at most: the best of those that fit."""

    @model_validator(mode="after")
    def _names_each_once(self) -> "WarmStart":
        for position, source in enumerate(self.sources):
            if source in self.sources[:position]:
                raise broken(f"each sweep may be named once, got '{source}' twice", "from", position)
        return self


class Replicates(Section):
    """Each trial runs its point several times with seeds of their own; what is searched and ranked is the aggregate."""

    seeds: Annotated[int, Field(ge=2, le=100), WHOLE]
    """How many times a point is run, each time with another seed."""
    aggregate: Literal["mean", "median", "lcb"] = "mean"
    """What becomes the trial's value; lcb is the mean less what luck may have given it, see standard_errors."""
    standard_errors: Annotated[float, Field(ge=0, le=100)] | None = None
    """For lcb: how many standard errors the mean is made worse by; 1 where left out."""

    @model_validator(mode="after")
    def _has_errors_for_lcb_only(self) -> "Replicates":
        if self.standard_errors is not None and self.aggregate != "lcb":
            raise broken("is for aggregate: lcb", "standard_errors", on_key=True)
        return self

    @property
    def margin(self) -> float:
        """How many standard errors the value is worse than the mean."""
        if self.aggregate != "lcb":
            return 0.0
        return 1.0 if self.standard_errors is None else self.standard_errors


Duplicates = Literal["replicate", "reuse", "resample"]
"""What is done about a point that was asked for before."""
