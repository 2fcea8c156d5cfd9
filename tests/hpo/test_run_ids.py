"""Ids of the runs of trials."""

from itertools import pairwise

from hpo.run_ids import counted_ids


def test_ids_stand_beside_each_other_and_8_digits_tell_them_apart() -> None:
    new_id = counted_ids()
    ids = [new_id() for _ in range(1000)]

    assert {len(id) for id in ids} == {32}
    assert len({id[:8] for id in ids}) == 1000
    steps = {(int(after[:8], 16) - int(before[:8], 16)) % 2**32 for before, after in pairwise(ids)}
    assert steps == {1}


def test_two_drivers_make_different_ids() -> None:
    one, other = counted_ids(), counted_ids()

    assert not {one()[8:] for _ in range(100)} & {other()[8:] for _ in range(100)}
