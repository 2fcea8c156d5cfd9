"""The rules between sections of a sweep file; each looks only at what is right by itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hpo.config.command_rules import Texts, command_faults
from hpo.config.constraint_rules import constraint_faults
from hpo.config.nearest import did_you_mean, shown
from hpo.config.parameters import ChoiceParameter, Ranged, conditions_of, domain_of
from hpo.config.several_rules import MetricGiven, SeveralFacts, several_faults
from hpo.config.start_rules import start_faults
from hpo.masking import is_secret_choice
from hpo.space import Choice, Constant, Domain, Value

ERROR_METRICS = frozenset({"rmse", "mae", "mse", "mape", "log_loss", "brier"})
"""Scorers of ours that are better when lower."""

SCORERS = frozenset(
    """
    accuracy adjusted_mutual_info_score adjusted_rand_score average_precision balanced_accuracy completeness_score
    explained_variance f1 f1_macro f1_micro f1_samples f1_weighted fowlkes_mallows_score homogeneity_score jaccard
    jaccard_macro jaccard_micro jaccard_samples jaccard_weighted matthews_corrcoef mutual_info_score
    normalized_mutual_info_score positive_likelihood_ratio precision precision_macro precision_micro precision_samples
    precision_weighted r2 rand_score recall recall_macro recall_micro recall_samples recall_weighted roc_auc roc_auc_ovo
    roc_auc_ovo_weighted roc_auc_ovr roc_auc_ovr_weighted top_k_accuracy v_measure_score
    """.split()  # noqa: SIM905  # a list of forty quoted words reads worse
)
"""Scikit-learn's scorers, all of them better when higher, apart from those in neg_ and d2_."""


TIMES = ("fit_seconds", "score_seconds")
"""Among `scoring`: how long a fold takes; nothing that test data could tell."""

PIPELINE_SETTINGS = ("memory", "transform_input", "verbose")
"""What a scikit-learn pipeline has besides its steps."""


@dataclass(frozen=True)
class GateFacts:
    """What is known of the gates of `register`."""

    test: bool | str | None = None
    better_than: int | str | None = None
    seeds: int | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a file; None or absent where a section is missing or wrong."""

    metrics: Sequence[MetricGiven] = ()
    is_sklearn: bool | None = None
    scoring: Sequence[str] | None = None
    steps: Sequence[str] = ()
    parameters: Mapping[str, Ranged | Value] = field(default_factory=dict)
    names: Sequence[str] = ()
    keeps_models: bool = True
    registers: bool = False
    gates: GateFacts | None = None
    has_test: bool = False
    estimator: str | None = None
    limits: Sequence[str] = ()
    backend: str | None = None
    prunes: bool | None = None
    reports: bool = True
    command: Texts = ()
    keeps_folder: bool = False
    grows: str | None = None
    constraints: Sequence[str] = ()
    start: Sequence[Mapping[str, Value]] = ()
    replicates: bool = False
    several: SeveralFacts = SeveralFacts()  # noqa: RUF009  # frozen


@dataclass(frozen=True)
class Finding:
    """A broken rule: the keys that lead to it, and whether the last key itself is what is wrong."""

    at: tuple[str | int, ...]
    message: str
    on_key: bool = False


def findings(facts: Facts) -> Iterator[Finding]:
    """Every broken rule."""
    better_than = facts.gates.better_than if facts.gates else None
    for at, message, on_key in several_faults(facts.several, facts.metrics, facts.registers, better_than):
        yield Finding(at, message, on_key)
    for metric in facts.metrics if facts.is_sklearn else ():
        yield from _metric(metric, facts.scoring)
    yield from _names_of_steps(facts)
    yield from _conditions(facts)
    yield from _choices_of_estimators(facts)
    yield from _secret_choices(facts)
    yield from _pruning(facts)
    yield from _placeholders(facts)
    yield from _replicates(facts)
    for at, message in constraint_faults(facts.constraints, facts.parameters, facts.names, _measured(facts)):
        yield Finding(at, message)
    for at, message, on_key in start_faults(facts.start, facts.parameters, facts.names):
        yield Finding(at, message, on_key)
    if facts.registers and not facts.keeps_models:
        yield Finding(("register",), "needs the models of trials, but tracker.log_models is none", on_key=True)
    if facts.registers and facts.command and not facts.keeps_folder:
        message = "needs a model: name the MLflow model folder that the program writes, objective.model"
        yield Finding(("register",), message, on_key=True)
    yield from _gates(facts)
    for limit in facts.limits if facts.backend in ("threading", "serial") else ():
        message = f"only a process can be ended, and parallel.backend is {facts.backend}: write backend: loky"
        yield Finding(("objective", limit), message, on_key=True)


def _measured(facts: Facts) -> Sequence[str] | None:
    """The metrics of a trial, where they are known: a Python objective or a program gives what it likes."""
    if not facts.is_sklearn or not facts.metrics:
        return None
    scorers = facts.scoring or [metric.name for metric in facts.metrics]
    return [*scorers, *(f"{name}_std" for name in scorers)]


def _placeholders(facts: Facts) -> Iterator[Finding]:
    conditional = [name for name, spec in facts.parameters.items() if conditions_of(spec)]
    for at, message in command_faults(facts.command, facts.names, conditional):
        yield Finding(("objective", *at), message)


def _gates(facts: Facts) -> Iterator[Finding]:
    gates = facts.gates
    if gates is None or facts.is_sklearn is None:
        return
    if gates.test is True and not facts.is_sklearn:
        yield Finding(("register", "test"), f"{_kind(facts)} has no test part: name a function, module:function")
    elif gates.test is True and not facts.has_test:
        yield Finding(("register", "test"), "there is no test data: give objective.sklearn.data.test a share or a file")
    if gates.better_than is not None and not facts.is_sklearn and not isinstance(gates.test, str):
        yield Finding(
            ("register", "better_than"),
            f"nobody knows what data {_kind(facts)} saw: name a function that judges models, test: module:function",
            on_key=True,
        )
    is_judged = isinstance(gates.test, str) or (facts.has_test and gates.test is not False)
    decisive = facts.several.pick.decisive if facts.several.pick else None
    if is_judged and facts.is_sklearn and decisive in TIMES:
        message = f"{decisive} is nothing that test data could tell: put a score first, or write test: false"
        yield Finding(("register", "pick"), message, on_key=True)
    if gates.seeds and facts.estimator and "random_state" in facts.names:
        message = "parameters.random_state decides every draw, so other seeds would change nothing: remove one of them"
        yield Finding(("register", "seeds"), message, on_key=True)


def _pruning(facts: Facts) -> Iterator[Finding]:
    if facts.prunes and not facts.reports:
        message = (
            "a trial with one held-out part has nothing to report on its way: "
            "write cv: {folds: 5}, or add a resource to objective.sklearn"
            if facts.is_sklearn
            else "a program reports on its way in lines: write metrics: {stdout: json}, or a regex with a group step"
        )
        yield Finding(("pruner",), message, on_key=True)
    if facts.grows is None:
        return
    at = ("objective", "sklearn", "resource")
    if facts.prunes is False:
        message = "is for trials that can be stopped early, and there is no pruner: add pruner: asha"
        yield Finding(at, message, on_key=True)
    if facts.grows in facts.names:
        message = "grows within each trial (objective.sklearn.resource.param), so it cannot be searched: remove it here"
        yield Finding(("parameters", facts.grows), message, on_key=True)


def _replicates(facts: Facts) -> Iterator[Finding]:
    if not facts.replicates:
        return
    if facts.grows is not None:
        message = "trials report after each replicate, and a resource has steps of its own: remove one of them"
        yield Finding(("objective", "sklearn", "resource"), message, on_key=True)
    if facts.estimator and "random_state" in facts.names:
        message = "parameters.random_state decides every draw, so other seeds would change nothing: remove one of them"
        yield Finding(("replicates",), message, on_key=True)


def _metric(metric: MetricGiven, scoring: Sequence[str] | None) -> Iterator[Finding]:
    name = metric.name
    if scoring is not None and name not in scoring:
        hint = did_you_mean(name, scoring)
        yield Finding(
            (*metric.at, "name"), f"'{name}' is not among objective.sklearn.scoring: {', '.join(scoring)}{hint}"
        )
    elif metric.goal == "minimize" and (name in SCORERS or name.startswith(("neg_", "d2_"))):
        yield Finding((*metric.at, "goal"), f"scikit-learn's '{name}' is better when higher: write goal: maximize")
    elif metric.goal == "maximize" and name in ERROR_METRICS:
        yield Finding((*metric.at, "goal"), f"'{name}' is better when lower: write goal: minimize")


def _names_of_steps(facts: Facts) -> Iterator[Finding]:
    for name in facts.names if facts.steps else ():
        step = name.partition("__")[0]
        if step not in (*facts.steps, *PIPELINE_SETTINGS):
            hint = did_you_mean(step, facts.steps)
            message = f"the pipeline has no step '{step}'; it has {', '.join(facts.steps)}{hint}"
            yield Finding(("parameters", name), message, on_key=True)


def _choices_of_estimators(facts: Facts) -> Iterator[Finding]:
    if facts.is_sklearn is not False:
        return
    for name, spec in facts.parameters.items():
        if isinstance(spec, ChoiceParameter) and isinstance(spec.choices, Mapping):
            yield Finding(
                ("parameters", name, "choices"),
                f"names with dotted paths are for objective.sklearn; {_kind(facts)} is given the name: write a list",
            )


def _conditions(facts: Facts) -> Iterator[Finding]:
    for name, spec in facts.parameters.items():
        for other, values in conditions_of(spec).items():
            at = ("parameters", name, "when", other)
            if other not in facts.names:
                hint = did_you_mean(other, facts.names)
                yield Finding(at, f"no parameter '{other}'{hint}", on_key=True)
            elif other in facts.parameters:
                domain = domain_of(facts.parameters[other])
                for position, value in enumerate(values):
                    if not domain.contains(value):
                        yield Finding((*at, position), f"{other} is never {shown(value)}{_possible(value, domain)}")
    yield from _circles(facts)


def _possible(value: Value, domain: Domain) -> str:
    """What the value could be instead."""
    if isinstance(domain, Constant):
        return f"; it is always {shown(domain.value)}"
    if not isinstance(domain, Choice):
        return f"; it goes from {domain.low} to {domain.high}"
    for choice in domain.choices:
        if str(choice).lower() == str(value).lower():
            return f" - did you mean {shown(choice)}?"
    words = [choice for choice in domain.choices if isinstance(choice, str)]
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    return hint or f"; it is one of {', '.join(map(shown, domain.choices[:20]))}"


def _secret_choices(facts: Facts) -> Iterator[Finding]:
    for name, spec in facts.parameters.items():
        if isinstance(spec, ChoiceParameter) and not isinstance(spec.choices, Mapping):
            for position, value in enumerate(spec.choices):
                if is_secret_choice(name, value):
                    yield Finding(
                        ("parameters", name, "choices", position),
                        "looks like a secret, and what is searched is recorded: name an environment variable in "
                        "objective.secret_env, or call the parameter something else",
                    )


def _kind(facts: Facts) -> str:
    return "a program" if facts.command else "a Python objective"


def _circles(facts: Facts) -> Iterator[Finding]:
    waiting = {name: set(conditions_of(spec)) & set(facts.parameters) for name, spec in facts.parameters.items()}
    while ready := [name for name, others in waiting.items() if not others & set(waiting)]:
        for name in ready:
            del waiting[name]
    if waiting:
        names = list(waiting)
        message = "depends on itself" if len(names) == 1 else f"{' and '.join(names)} wait for each other"
        yield Finding(("parameters", names[0], "when"), message, on_key=True)
