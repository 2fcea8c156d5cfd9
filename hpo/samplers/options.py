"""What may be written under `engine.options`, and the check of it."""

from collections.abc import Mapping

from hpo import option
from hpo.option import Option as Option


def check_options(sampler: str, options: Mapping[str, object], known: Mapping[str, Option]) -> None:
    """EngineError that names every option the sampler does not have, or that has a value it cannot use."""
    option.check_options(f"sampler {sampler}", options, known)
