"""Where the files of a store that was copied are looked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.captures import CAPTURE_TAG
from hpo.errors import ProvenanceError
from hpo.replaying.kept_files import found_here
from trackers.memory_tracker import MemoryTracker
from trackers.records import Run, RunStarted, SweepFacts

ID = "5" * 32


@pytest.fixture
def parent() -> Run:
    """A sweep whose files lay in a folder that is not here."""
    tracker = MemoryTracker("/gone/mlruns")
    tracker.experiment("e")
    sweep = SweepFacts("{}", "hash", "loss", "minimize", 0, 1)
    tracker.record([RunStarted(ID, "iris", "e", 1, tags={CAPTURE_TAG: "0123456789ab"}, sweep=sweep)])
    run = tracker.get(ID)
    assert run.artifact_uri.endswith(f"{ID}/artifacts")
    return run


@pytest.mark.parametrize("place", ["", "mlruns", "mlruns/1"])
def test_files_are_found_by_the_end_of_their_path(parent: Run, tmp_path: Path, place: str) -> None:
    end = Path(*Path(parent.artifact_uri).parts[-4:])
    names = end.parts
    (tmp_path / "mlruns" / Path(*names[1:])).mkdir(parents=True)
    (tmp_path / "other").mkdir()
    found = found_here(parent, [tmp_path / "other", tmp_path / place])
    assert Path(found.artifact_uri) == tmp_path / "mlruns" / Path(*names[1:])


def test_files_that_are_nowhere_are_refused_with_the_way_out(parent: Run, tmp_path: Path) -> None:
    with pytest.raises(ProvenanceError, match=r"the files of 'iris' lay in /gone/.*--artifacts DIR"):
        found_here(parent, [tmp_path])


def test_files_in_an_object_store_or_of_a_sweep_that_kept_none_stay_where_they_are(parent: Run) -> None:
    for run in (replace(parent, artifact_uri="s3://bucket/1"), replace(parent, tags={})):
        assert found_here(run, []) == run
