"""Registering is all or nothing, once per winner, of verified files: killed, in parallel, with files gone."""

import json
from pathlib import Path

import pytest

from hpo.promotion import Promotion, promote
from trackers.artifacts import ArtifactFolder
from trackers.errors import NotFound
from trackers.opening import open_store
from trackers.records import Query, RunUpdated

KILLED = 137
PLACES = ("register.before_insert", "register.before_alias", "register.before_commit", "register.after_commit")


@pytest.fixture(params=["sqlite", "postgres"])
def searched(request, new_folder, zygote):
    """A folder whose sweep is done and registered nothing yet."""
    folder = new_folder("sweep", request.getfixturevalue("postgres_uri") if request.param == "postgres" else "")
    folder.write(objective={"python": "fault_objective:with_model"}, tracker={"log_models": "best"})
    done = zygote.hpo(folder.path, "run", "sweep.yaml", environment=folder.tracker)
    assert done.code == 0, done.stderr
    return folder


def register(zygote, folder, **environment: str):
    arguments = ("register", "faults", "--name", "model", "--alias", "champion")
    return zygote.hpo(folder.path, *arguments, environment={**folder.tracker, **environment})


def versions(folder) -> list[tuple[int, list[str]]]:
    with open_store(folder.uri, read_only=True) as store:
        return [(version.version, list(version.aliases)) for version in store.registry.versions()]


def model_file(folder, name: str = "MLmodel") -> Path:
    [path] = (folder.path / "mlruns").rglob(name)
    return path


@pytest.mark.everyday(count=4)
@pytest.mark.parametrize("place", PLACES)
def test_a_registration_killed_at_any_step_is_there_whole_or_not_at_all(place, searched, zygote) -> None:
    """F25, G9."""
    killed = register(zygote, searched, HPO_FAILPOINT=f"{place}:kill9:1")
    assert killed.code == KILLED
    assert versions(searched) == ([(1, ["champion"])] if place == "register.after_commit" else [])
    again = register(zygote, searched)
    assert again.code == 0, again.stderr
    assert versions(searched) == [(1, ["champion"])]
    assert searched.integrity() == "ok"


@pytest.mark.everyday(count=1)
def test_eight_that_register_the_same_winner_at_once_make_one_version(searched, zygote, wait_for) -> None:
    """F25, G9: all wait behind one barrier file, just before they ask for the version."""
    barrier = searched.path / "go"
    drivers = [
        zygote.start(
            searched.path, "register", "faults", "--name", "model", "--alias", "champion", "-f", "json",
            environment={**searched.tracker, "HPO_FAILPOINT": f"register.asked:wait:{barrier}:1"},
        )
        for _ in range(8)
    ]  # fmt: skip
    wait_for(lambda: (searched.path / "go.reached").exists())
    barrier.touch()
    assert [driver.wait() for driver in drivers] == [0] * 8, [driver.stderr for driver in drivers]
    assert [json.loads(driver.stdout)["version"] for driver in drivers] == [1] * 8
    assert versions(searched) == [(1, ["champion"])]
    with open_store(searched.uri, read_only=True) as store:
        assert [event.action for event in store.registry.history("model")] == ["register", "alias"]


@pytest.mark.everyday(count=2)
@pytest.mark.parametrize("fault", ["missing", "altered", "truncated"])
def test_a_model_whose_files_are_not_what_was_saved_is_refused(fault, searched, zygote) -> None:
    """F25, G9: a clear refusal, exit 1, no version."""
    path = model_file(searched)
    if fault == "missing":
        path.unlink()
    elif fault == "altered":
        content = bytearray(path.read_bytes())
        content[0] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(path.read_bytes()[:-1])
    refused = register(zygote, searched)
    assert refused.code == 1
    assert "model/MLmodel is missing or altered" in refused.stderr
    assert versions(searched) == []


def test_a_sweep_whose_winner_cannot_be_registered_says_so_and_keeps_its_trials(sweep_folder, zygote) -> None:
    """F25: killed before it registers, then a file is gone."""
    sweep_folder.write(
        objective={"python": "fault_objective:with_model"}, tracker={"log_models": "best"}, register={"name": "model"}
    )
    environment = {"HPO_FAILPOINT": "register.asked:kill9:1"}
    assert zygote.hpo(sweep_folder.path, "run", "sweep.yaml", environment=environment).code == KILLED
    model_file(sweep_folder).unlink()
    again = zygote.hpo(sweep_folder.path, "run", "sweep.yaml")
    assert "nothing registered: " in again.stdout
    assert "missing or altered" in again.stdout
    assert versions(sweep_folder) == []
    assert sweep_folder.states() == ["COMPLETE"] * 6


def test_a_model_let_go_between_check_and_registration_is_not_registered(searched) -> None:
    """F25, G9: the manifest is looked at once more in the very transaction that makes the version."""
    with open_store(searched.uri) as store:
        [sweep] = store.tracker.find(Query(sweeps=True))
        [run] = [run for run in store.tracker.find(Query(parent=sweep.id)) if run.models]
        run = store.tracker.get(run.id)

        def verify_and_lose(artifact_uri, files):
            wrong = ArtifactFolder().verify(artifact_uri, files)
            store.tracker.record([RunUpdated(run.id, removed_artifacts=["model/"])])
            return wrong

        with pytest.raises(NotFound, match="manifest"):
            promote(
                Promotion(run, "model", "somebody"),
                tracker=store.tracker,
                registry=store.registry,
                verify=verify_and_lose,
            )
        assert list(store.registry.versions()) == []
