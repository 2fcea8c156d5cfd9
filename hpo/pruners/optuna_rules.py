"""optuna's pruning rules by our names, with the options each has."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
    WilcoxonPruner,
)

from hpo.errors import EngineError
from hpo.option import Option, check_options
from hpo.quiet_optuna import quiet

_STEPS = {"n_warmup_steps": Option(int), "interval_steps": Option(int, low=1)}
_TRIALS = {"n_startup_trials": Option(int), **_STEPS, "n_min_trials": Option(int, low=1)}
_OPTIONS: Mapping[str, Mapping[str, Option]] = {
    "median": _TRIALS,
    "percentile": {"percentile": Option(float, high=100), **_TRIALS},
    "asha": {
        "min_resource": Option(int, low=1, words=("auto",)),
        "reduction_factor": Option(int, low=2),
        "min_early_stopping_rate": Option(int),
        "bootstrap_count": Option(int),
    },
    "hyperband": {
        "min_resource": Option(int, low=1),
        "max_resource": Option(int, low=1, words=("auto",)),
        "reduction_factor": Option(int, low=2),
        "bootstrap_count": Option(int),
    },
    "patient": {"patience": Option(int), "min_delta": Option(float)},
    "threshold": {"lower": Option(float, low=-math.inf), "upper": Option(float, low=-math.inf), **_STEPS},
    "wilcoxon": {"p_threshold": Option(float, high=1), "n_startup_steps": Option(int)},
}
_REQUIRED = {"percentile": "percentile: 25 keeps the best quarter", "patient": "patience: 3 waits for three steps"}
_MAKE: Mapping[str, Callable[..., BasePruner]] = {
    "median": MedianPruner,
    "percentile": PercentilePruner,
    "asha": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
    "threshold": ThresholdPruner,
    "wilcoxon": WilcoxonPruner,
}
_AUTO = {"asha": "min_resource", "hyperband": "max_resource"}
OF = "of"
"""The option of `patient` that names the rule it wraps: a name, or a mapping of name and options."""


@dataclass(frozen=True)
class Rule:
    """One rule with checked options, and for `patient` the rule inside it, if any."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    inner: "Rule | None" = None

    @classmethod
    def of(cls, name: str, options: Mapping[str, object]) -> "Rule":
        """The rule; EngineError where the options are none of its."""
        known = _OPTIONS.get(name)
        if known is None:
            raise EngineError(f"pruner patient: of must name one of {', '.join(_OPTIONS)}, got {name!r}")
        own = {key: value for key, value in options.items() if (key, name) != (OF, "patient")}
        _check(name, own, known)
        inner = _inner(options[OF]) if OF in options and name == "patient" else None
        rule = cls(name, own, inner)
        rule.make()
        return rule

    @property
    def keeps_notes(self) -> bool:
        """Whether its decisions depend on those before: halving writes down which rungs a trial has reached."""
        return self.name in _AUTO or (self.inner is not None and self.inner.keeps_notes)

    def make(self, last_step: int | None = None) -> BasePruner:
        """optuna's pruner; `auto` resources are measured by the last step of the first complete trial once known."""
        options = {**self.options, **self._measured(last_step)}
        try:
            with quiet():
                if self.name == "patient":
                    return PatientPruner(self.inner.make(last_step) if self.inner else None, **options)  # type: ignore[arg-type]  # were checked
                return _MAKE[self.name](**options)
        except (ValueError, TypeError) as error:
            raise EngineError(f"pruner {self.name}: {error}") from error

    def _measured(self, last_step: int | None) -> dict[str, int]:
        """What optuna settles once, by the trials of that moment, and keeps in the pruner."""
        name = _AUTO.get(self.name, "")
        if last_step is None or not name or self.options.get(name, "auto") != "auto":
            return {}
        return {name: max(last_step // 100, 1) if self.name == "asha" else last_step + 1}


def _inner(of: object) -> Rule:
    name, options = (of.get("name"), of.get("options", {})) if isinstance(of, dict) else (of, {})
    if not isinstance(name, str) or not isinstance(options, dict) or name == "patient":
        raise EngineError(f"pruner patient: of must be a pruner's name, or {{name: .., options: {{..}}}}, got {of!r}")
    return Rule.of(name, options)


def _check(name: str, options: Mapping[str, object], known: Mapping[str, Option]) -> None:
    check_options(f"pruner {name}", options, known)
    if name in _REQUIRED and name not in options and _REQUIRED[name].partition(":")[0] not in options:
        raise EngineError(f"pruner {name} needs an option: {_REQUIRED[name]}")
    if name == "threshold" and not {"lower", "upper"} & set(options):
        raise EngineError("pruner threshold needs the option lower or upper, or both")
    low, high = options.get("min_resource", 1), options.get("max_resource", math.inf)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        raise EngineError(f"pruner {name}: max_resource must be at least min_resource = {low}, got {high}")
