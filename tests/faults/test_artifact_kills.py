"""A kill while files are saved: what is half written is seen by nobody, and the sweep ends as if nothing had been."""

import pytest

from trackers.artifacts import PART, ArtifactFolder
from trackers.opening import open_store
from trackers.records import Query

WITH_FILE = """
import fault_objective

def objective(params, trial):
    path = trial.dir / "big.bin"
    path.write_bytes(bytes([trial.number]) * 3_000_000)
    trial.log_artifact(path)
    return fault_objective.objective(params, trial)
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["artifact.half:kill9:14", "artifact.before_rename:kill9:7"])
def test_no_half_file_is_listed_after_a_kill_and_the_trial_runs_again(place, sweep_folder, zygote) -> None:
    """F24, G9: `artifact.half` is reached at each of a file's three chunks, here in the third trial."""
    (sweep_folder.path / "with_file.py").write_text(WITH_FILE)
    sweep_folder.write(objective={"python": "with_file:objective"})
    killed = zygote.hpo(sweep_folder.path, "run", "sweep.yaml", environment={"HPO_FAILPOINT": place})
    assert killed.code == 137
    assert list(sweep_folder.path.rglob(f"*{PART}")), "the kill came too late to leave a half file"
    listed = files_listed(sweep_folder)
    assert all(not name.endswith(PART) for names, _ in listed for name in names)
    assert all(wrong == [] for _, wrong in listed)
    done = zygote.hpo(sweep_folder.path, "run", "sweep.yaml")
    assert done.code == 0, done.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 6
    listed = files_listed(sweep_folder)
    assert sum("big.bin" in names for names, _ in listed) == 6
    assert all(wrong == [] for _, wrong in listed)


def files_listed(folder) -> list[tuple[list[str], list[str]]]:
    """For each run the names that a listing shows, and those of its manifest that are not as they should be."""
    with open_store(folder.uri, read_only=True) as store:
        runs = store.tracker.find(Query())
        manifests = {run.artifact_uri: store.tracker.artifacts(run.id) for run in runs}
    artifacts = ArtifactFolder()
    return [(list(artifacts.names(uri)), list(artifacts.verify(uri, kept))) for uri, kept in manifests.items()]
