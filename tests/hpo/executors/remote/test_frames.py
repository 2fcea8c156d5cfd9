"""The line's frames and messages: what is not signed, repeated, too long or no message is refused."""

import math
from dataclasses import asdict, replace

import pytest

from hpo.executors.remote.frames import LENGTH, SIGNATURE, BadFrame, Seal, length_of
from hpo.executors.remote.handshake import NONCE, Identity, answer_to, frame_keys, nonce_of, proof_to
from hpo.executors.remote.messages import (
    Message,
    decoded,
    encoded,
    outcome_of,
    question_from,
    trial_facts,
    trial_from,
)
from hpo.trial import InputFile, Outcome, Report, SavedFile, SavedModel, State, Trial

KEY = b"k" * 32


def test_a_signed_frame_is_opened_by_who_knows_the_key_alone() -> None:
    frame = Seal(KEY).packed(b"body", 1000)

    assert Seal(KEY).opened(frame[LENGTH.size :]) == b"body"
    with pytest.raises(BadFrame, match="not signed"):
        Seal(b"x" * 32).opened(frame[LENGTH.size :])
    with pytest.raises(BadFrame, match="not signed"):
        Seal(KEY).opened(b"short")


def test_a_frame_can_be_neither_altered_nor_repeated_nor_left_out() -> None:
    mine = Seal(KEY)
    first, second = (mine.packed(body, 1000)[LENGTH.size :] for body in (b"one", b"two"))

    its = Seal(KEY)
    assert its.opened(first) == b"one"
    with pytest.raises(BadFrame):
        its.opened(first)
    for wrong in (second, first[:-1] + b"x"):
        with pytest.raises(BadFrame):
            Seal(KEY).opened(wrong)


def test_what_proves_one_side_of_one_connection_proves_nothing_else() -> None:
    one, other = bytes(NONCE), b"1" * NONCE
    proofs = [
        proof
        for given in ((KEY, one, other), (KEY, other, one), (KEY, one, one), (b"x" * 32, one, other))
        for proof in (answer_to(*given), proof_to(*given), *(key.hex() for key in frame_keys(*given)))
    ]

    assert len(set(proofs)) == len(proofs)


@pytest.mark.parametrize("nonce", ["", "00", "00" * (NONCE - 1), "00" * (NONCE + 1), "zz", 7])
def test_a_random_number_has_its_length(nonce: object) -> None:
    with pytest.raises(ValueError, match=r"random|hexadecimal"):
        nonce_of({"nonce": nonce})


def test_a_frame_that_is_too_long_is_neither_sent_nor_read() -> None:
    with pytest.raises(BadFrame, match="101 bytes are more than the 132"):
        Seal(KEY).packed(b"x" * 101, 100 + SIGNATURE)
    with pytest.raises(BadFrame, match="4,294,967,295 bytes"):
        length_of(b"\xff" * 4, 8192)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"say"', b'{"say":1}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrame):
        decoded(body)


def test_a_message_of_another_kind_is_refused() -> None:
    with pytest.raises(BadFrame, match="'end' where hello was expected"):
        decoded(encoded("end"), "hello")


def test_a_trial_travels_as_it_is() -> None:
    trial = Trial(
        3, {"i": 1, "f": 1.0, "b": True, "s": "ü\ud800", "n": None}, 7, "run", 2, "", "uri", math.inf, ((1.0, -0.0),)
    )

    assert trial_from(decoded(encoded("trial", trial=trial_facts(trial)))["trial"]) == trial


def test_an_outcome_of_another_trial_is_refused() -> None:
    message = {"outcome": {"number": 1, "attempt": 1, "state": "COMPLETE"}}

    assert outcome_of(message, Trial(1, {}, 0)) == Outcome(1, 1, State.COMPLETE)
    with pytest.raises(BadFrame, match="another trial"):
        outcome_of(message, Trial(1, {}, 0, attempt=2))
    wrongs: list[Message] = [{}, {"outcome": []}, {"outcome": {"number": 1}}, {"outcome": {"state": "X"}}]
    for wrong in wrongs:
        with pytest.raises(BadFrame, match="no outcome"):
            outcome_of(wrong, Trial(1, {}, 0))


FULL = Outcome(
    1, 1, State.COMPLETE, {"loss": 1, "other": math.nan}, [Report("loss", 1.0, 0, 5)], {"a": "b"},
    [SavedFile("plots/a.png", 1, "00")], [SavedModel("m-1", "m", "models/m", "f")], started=1, seconds=0.5,
    replicates=(Outcome(0, 1, State.FAILED, reason="exception", error="e"),), inputs=[InputFile("a", "b", "/c")],
)  # fmt: skip


def sent(outcome: Outcome, **facts: object) -> Message:
    return decoded(encoded("outcome", outcome={**asdict(outcome), **facts}))


def test_an_outcome_travels_as_it_is() -> None:
    assert asdict(outcome_of(sent(replace(FULL, metrics={"loss": 1.0})), Trial(1, {}, 0), ["loss"])) == {
        **asdict(replace(FULL, metrics={"loss": 1.0})),
        **{name: tuple(asdict(FULL)[name]) for name in ("reports", "files", "models", "inputs")},
    }


FILE = {"path": "a", "size": 1, "sha256": ""}


@pytest.mark.parametrize(
    "facts",
    [
        {"metrics": [1.0]}, {"metrics": {"loss": "1"}}, {"metrics": {"loss": None}}, {"metrics": {"loss": True}},
        {"metrics": {"loss": math.nan}}, {"metrics": {}}, {"metrics": {"loss": 10**400}},
        {"tags": {"a": 1}}, {"tags": None}, {"error": 5}, {"traceback": ["x"]}, {"reason": {}}, {"unknown": 1},
        {"seconds": math.nan}, {"seconds": math.inf}, {"seconds": -1.0}, {"seconds": "1"}, {"seconds": 10**400},
        {"started": -1}, {"started": 10**20}, {"started": 1.5},
        {"state": "RUNNING"}, {"state": "WAITING"}, {"state": []},
        {"reports": [{"metric": 1, "value": 1.0, "step": 0, "timestamp": 0}]},
        {"reports": [{"metric": "a", "value": [1.0], "step": 0, "timestamp": 0}]}, {"reports": [1]},
        {"files": [{**FILE, "path": "../a"}]}, {"files": [{**FILE, "path": "/etc/passwd"}]},
        {"files": [{**FILE, "path": "a//b"}]}, {"files": [{**FILE, "size": "1"}]}, {"files": [{**FILE, "path": 1}]},
        {"models": [{"model_id": "m", "name": "m", "path": "a/../..", "flavor": "f"}]},
        {"inputs": [{"name": "a", "digest": 1, "path": "c"}]},
        {"replicates": [asdict(FULL)]}, {"replicates": [{**asdict(Outcome(0, 1, State.FAILED)), "error": 5}]},
    ],
    ids=str,
)  # fmt: skip
def test_an_outcome_with_something_in_it_that_cannot_be_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(BadFrame, match=r"^no outcome"):
        outcome_of(sent(FULL, **facts), Trial(1, {}, 0), ["loss"])


def test_an_outcome_within_an_outcome_within_an_outcome_is_refused() -> None:
    deep: dict[str, object] = asdict(Outcome(1, 1, State.FAILED))
    for _ in range(400):
        deep = {**asdict(Outcome(1, 1, State.FAILED)), "replicates": [deep]}

    with pytest.raises(BadFrame):
        outcome_of({"outcome": deep}, Trial(1, {}, 0))


def test_texts_that_no_store_takes_are_written_out() -> None:
    outcome = outcome_of(sent(FULL, error="\ud800\0", traceback="x" * 200_000), Trial(1, {}, 0))

    assert (outcome.error, len(outcome.traceback)) == ("\\ud800\\x00", 100_000)


@pytest.mark.parametrize(
    "reports",
    [
        None, [1], [[1, 2]], [["1", 2.0, 3]], [[1, "2", 3]], [[True, 2.0, 3]], [[1, 10**400, 3]], [[10**30, 1.0, 3]],
    ],
)  # fmt: skip
def test_a_question_holds_numbers_or_is_refused(reports: object) -> None:
    with pytest.raises(BadFrame):
        question_from(Trial(1, {}, 0), "loss", reports)


def test_another_version_is_told_which_one_it_would_have_to_be() -> None:
    host, driver = Identity(1, "0.2", "3.12", "h", "m", 1), Identity(1, "0.1", "3.12", "d", "n", 2)

    assert host.misfit(host) == ""
    assert host.misfit(driver) == (
        "host h has tracked-hpo 0.2, this driver 0.1; both must be the same: install 0.1 there, or start the driver "
        "with 0.2"
    )
    assert "Python 3.12, this driver 3.11" in host.misfit(Identity(1, "0.2", "3.11", "d", "n", 2))
    assert "line protocol" in host.misfit(Identity(2, "0.2", "3.12", "d", "n", 2))


@pytest.mark.parametrize(
    "facts",
    [
        {},
        *({**Identity.here().facts, **wrong} for wrong in ({"pid": "1"}, {"host": None}, {"hpo": "\x1b[2J"})),
        {**Identity.here().facts, "host": "h" * 501},
    ],
)
def test_who_does_not_say_who_it_is_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="who speaks"):
        Identity.of(facts)
