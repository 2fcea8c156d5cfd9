"""A sweep keeps the models of its best trials and lets go of the others."""

import math

from hpo.kept_models import KeptModels
from hpo.trial import Goal, Trial
from trackers.records import LoggedModel


def keeper(keep: int | None, goal: Goal = Goal.MINIMIZE) -> tuple[KeptModels, list[str]]:
    deleted: list[str] = []
    return KeptModels(keep, goal, lambda trial, path: deleted.append(f"{trial.artifact_uri}/{path}")), deleted


def add(models: KeptModels, number: int, value: float | None) -> list[str]:
    trial = Trial(number, {}, seed=0, run_id=f"run{number}", artifact_uri=f"uri{number}")
    changes = models.add(trial, value, [LoggedModel(f"m-{number}", "model", "model")])
    return [change.run_id for change in changes]


def test_the_worst_of_the_best_goes_when_a_better_one_comes() -> None:
    models, deleted = keeper(2)
    assert [add(models, 0, 3.0), add(models, 1, 1.0), add(models, 2, 2.0)] == [[], [], ["run0"]]
    assert deleted == []  # not before it is on record
    models.delete_dropped()
    assert deleted == ["uri0/model"]


def test_of_equals_the_lower_number_stays_whichever_ended_first() -> None:
    models, _ = keeper(1)
    assert [add(models, 5, 1.0), add(models, 2, 1.0)] == [[], ["run5"]]


def test_the_bar_is_the_value_of_the_worst_that_is_kept() -> None:
    models, _ = keeper(2, Goal.MAXIMIZE)
    add(models, 0, 3.0)
    assert models.bar() is None
    add(models, 1, 1.0)
    assert models.bar() == 1.0
    add(models, 2, 2.0)
    assert models.bar() == 2.0


def test_keep_none_keeps_all_and_zero_keeps_none() -> None:
    everything, _ = keeper(None)
    assert (everything.bar(), add(everything, 0, 1.0)) == (None, [])
    nothing, _ = keeper(0)
    assert math.isnan(nothing.bar() or 0.0)
    assert add(nothing, 0, 1.0) == ["run0"]


def test_a_failed_trial_keeps_no_model() -> None:
    models, _ = keeper(2)
    assert add(models, 0, None) == ["run0"]


def test_a_registered_model_stays_on_disk_and_on_record() -> None:
    deleted: list[str] = []
    registered = {"run0"}
    models = KeptModels(
        1, Goal.MINIMIZE, lambda trial, path: deleted.append(trial.artifact_uri), registered.__contains__
    )
    assert [add(models, 0, 3.0), add(models, 1, 2.0), add(models, 2, 1.0)] == [[], [], ["run1"]]
    registered.add("run1")  # between record and delete
    models.delete_dropped()
    assert deleted == []
