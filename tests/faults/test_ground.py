"""The common ground of the fault tests works: a driver is killed at a barrier, the ledger and the store agree."""

from collections.abc import Callable


def test_a_driver_killed_at_a_barrier_leaves_a_sweep_that_can_be_read(
    sweep_folder, start_driver, wait_for: Callable[..., None], ledger
) -> None:
    sweep_folder.hold(2)
    driver = start_driver()
    wait_for(lambda: sweep_folder.held(2))
    driver.kill9()
    assert sweep_folder.states() == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert sweep_folder.executions() == {0: 1, 1: 1}
    assert ledger()[-1].word == "start"
    assert sweep_folder.integrity() == "ok"
