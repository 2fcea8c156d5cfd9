"""Names made for a scheduled run."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hpo.errors import ConfigError
from hpo.flows.naming import artifact_key, literally, name_from

WHEN = datetime(2026, 5, 1, 23, 30, tzinfo=UTC)


def test_a_name_says_when_the_run_was_scheduled_in_utc() -> None:
    assert name_from("{name}-{date}", "taxi", WHEN) == "taxi-2026-05-01"
    assert name_from("{name} {date} {time}", "taxi", WHEN) == "taxi 2026-05-01 2330"
    assert name_from("{date}", "taxi", WHEN.astimezone(timezone(timedelta(hours=9)))) == "2026-05-01"


@pytest.mark.parametrize("template", ["{nmae}", "{}", "{name", "{0}", "{name.__class__}"])
def test_a_template_that_cannot_be_filled_is_named(template: str) -> None:
    with pytest.raises(ConfigError, match=r"^name: "):
        name_from(template, "taxi", WHEN)


def test_a_name_with_braces_can_be_given_literally() -> None:
    assert name_from(literally("{odd}"), "taxi", WHEN) == "{odd}"


@pytest.mark.parametrize(
    ("name", "key"), [("Green taxi_2", "hpo-green-taxi-2"), ("größe!", "hpo-gr-e"), ("§", "hpo-sweep")]
)
def test_an_artifact_has_a_key_that_prefect_takes(name: str, key: str) -> None:
    assert artifact_key(name) == key
