"""Files, code and spaces that cannot serve: known before anything is run, or the end of the sweep in good order."""

import re
import sqlite3
import time
from contextlib import closing

import pytest

BROKEN = {
    "syntax": ("name: [1\n", r"sweep.yaml:\d+:\d+: error"),
    "unknown key": ("naem: x\n", "naem"),
    "duplicate key": ("name: a\nname: b\n", "name"),
    "tag": ("name: !!python/object/apply:os.system [touch marker]\n", "tag"),
    "alias bomb": (
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
        "alias",
    ),
    "depth": ("a: " + "[" * 5000 + "]" * 5000 + "\n", "deep"),
    "size": ("# " + "x" * 2_000_000 + "\n", "large|bytes|MB"),
}


@pytest.mark.everyday(count=3)
@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_sweep_file_ends_with_exit_2_and_leaves_no_store(kind: str, sweep_folder, fork_driver) -> None:
    """F19: syntax, keys, tags, bombs; nothing of the file is run."""
    text, message = BROKEN[kind]
    (sweep_folder.path / "sweep.yaml").write_text(text)
    driver = fork_driver()
    assert driver.wait() == 2, driver.stderr
    assert re.search(message, driver.stderr), driver.stderr[-500:]
    assert "Traceback" not in driver.stderr
    assert not sweep_folder.database.exists()
    assert not (sweep_folder.path / "marker").exists()


def test_a_space_with_fewer_points_than_the_budget_ends_in_good_order(sweep_folder, fork_driver) -> None:
    """F27: a grid of 4 points, asked 6 times."""
    parameters = {"x": {"choices": [0.1, 0.9]}, "y": {"choices": [1, 2]}}
    sweep_folder.write(parameters=parameters, engine={"name": "optuna", "sampler": "grid"})
    driver = fork_driver()
    assert driver.wait() == 0, driver.stderr
    assert sweep_folder.states() == ["COMPLETE"] * 4
    assert "no more points" in driver.stdout
    assert fork_driver().wait() == 0
    assert sweep_folder.executions() == {0: 1, 1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize("entry", ["no_such_module:objective", "fault_objective:no_such_function"])
def test_code_that_is_not_there_ends_with_exit_2_before_trial_1(entry: str, sweep_folder, fork_driver) -> None:
    """F28: nothing is on record."""
    sweep_folder.write(objective={"python": entry})
    driver = fork_driver()
    assert driver.wait() == 2, driver.stderr
    assert not sweep_folder.database.exists()
    assert sweep_folder.executions("start") == {}


@pytest.mark.slow
def test_readers_that_hold_on_to_a_moment_delay_no_writer(sweep_folder, fork_driver) -> None:
    """F23, without the page: 20 open read transactions over a whole sweep."""
    assert fork_driver().wait() == 0
    held = [sqlite3.connect(f"file:{sweep_folder.database}?mode=ro", uri=True) for _ in range(20)]
    try:
        for reader in held:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM runs").fetchone() == (7,)
        began = time.monotonic()
        again = sweep_folder.hpo("run", "sweep.yaml", "-n", "12")
        assert again.wait() == 0, again.stderr
        assert "busy" not in again.stderr
        assert time.monotonic() - began < 60
        assert all(reader.execute("SELECT count(*) FROM runs").fetchone() == (7,) for reader in held)
    finally:
        for reader in held:
            reader.close()
    assert len(sweep_folder.states()) == 12
    assert sweep_folder.integrity() == "ok"
    with closing(sqlite3.connect(sweep_folder.database)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (13,)
