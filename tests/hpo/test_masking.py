"""What counts as a secret, and what does not: a mask over the wrong value costs a result, a missing one a secret."""

import time

import pytest

from hpo.masking import MASK, Secrets, hidden, hide_patterns, is_secret, is_secret_choice, is_secret_name

SECRET = [
    "api_key",
    "apiKey",
    "API_KEY",
    "OPENAI_API_KEY",
    "hf_token",
    "token",
    "key",
    "password",
    "db_password",
    "dbPassword",
    "passwd",
    "passphrase",
    "secret",
    "client_secret",
    "aws_secret_access_key",
    "credential",
    "credentials",
    "openai.api_key",
    "private_key",
    "auth-token",
    "accessToken",
    "secret_name",
    "clf__password",
    "key2",
    "GITHUB_TOKEN",
]
HARMLESS = [
    "max_tokens",
    "keypoints",
    "monkey",
    "tokenizer",
    "keyboard",
    "token_pattern",
    "key_dim",
    "sort_key",
    "pad_token",
    "turkey",
    "passthrough",
    "passes",
    "compass",
    "num_tokens",
    "bypass",
    "secretary",
    "tokenization",
    "clf__kernel",
    "hockey",
    "primary_key",
    "credits",
    "keys_per_row",
    "whiskey",
]


@pytest.mark.parametrize("name", SECRET)
def test_a_name_of_a_secret_is_known_by_its_words(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_that_only_sounds_like_one_is_left_alone(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("value", [100, 0.5, True, False, None, ""])
def test_numbers_truths_and_nothing_are_never_secrets(value: object) -> None:
    assert not is_secret("api_key", value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        ("use sk-abcdefghijklmnop1234 now", "use *** now"),
        ("ghp_abcdefghijklmnopqrst", "***"),
        ("postgresql://u:p@ss/w@h/db?x=1", "postgresql://u:***@h/db?x=1"),
        ("https://ghp_abcdefghijklmnopqrst@github.com/x", "https://***@github.com/x"),
        ("https://h/x?api_key=S3&b=1", "https://h/x?api_key=***&b=1"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b", "a *** b"),
        ("task-abcdefghijklmnopqrstuvw risk-averse-model-of-some-length", None),
        ("s3://bucket/key https://host:8080/path user@host sk-learn sha256:0123456789abcdef", None),
        ("2026-01-01T00:00:00 mlflow.source.git.commit=0123456789012345678901234567890123456789", None),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_nothing_else(text: str, shown: str | None) -> None:
    assert hide_patterns(text) == (text if shown is None else shown)


def test_a_known_secret_is_masked_as_it_is_escaped_and_quoted() -> None:
    secrets = Secrets(values=frozenset(['pa"ss wörd', "abc"]))

    assert secrets.hide('pa"ss wörd, {"p": "pa\\"ss w\\u00f6rd"}') == '***, {"p": "***"}'
    assert secrets.hide("?p=pa%22ss%20w%C3%B6rd") == "?p=***"
    assert secrets.hide("abc of the alphabet") == "abc of the alphabet"  # too short to be looked for
    assert secrets.hide_in({"token": "x", "note": 'pa"ss wörd!', "max_tokens": "5"}) == {
        "token": MASK,
        "note": f"{MASK}!",
        "max_tokens": "5",
    }


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        "npm_" + "aB3" * 12,
        "pypi-AgEIcHlwaS5vcmc" + "aB3" * 12,
        "SG." + "a1B2" * 5 + "ab." + "c3D4" * 10 + "abc",
        "dapi" + "01ab" * 8,
        "dop_v1_" + "a1b2c3d4" * 8,
        "hvs.CAESIJ" + "aB3" * 8,
        "xapp-1-A1234-567-abcdef0123456789",
        "GOCSPX-" + "aB3-" * 7,
        "ya29.a0Af" + "aB3_" * 7,
        "r8_" + "aB3" * 12,
        "gsk_" + "aB3" * 12,
        "whsec_" + "aB3" * 10,
        "glrt-" + "aB3" * 8,
        "shpat_" + "0a" * 16,
        "AGE-SECRET-KEY-1" + "ABC9" * 10,
        "110201543:AA" + "aB3" * 11,
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc",
    ],
)
def test_tokens_of_many_services_are_known_by_their_look(secret: str) -> None:
    assert hide_patterns(f"told {secret} so") in ("told *** so", "told ***")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("AccountName=x;AccountKey=" + "aB3/" * 21 + "==;E=y", "AccountName=x;AccountKey=***;E=y"),
        ("https://x.net/c?sv=2020&sig=ab%2Bcd%3D", "https://x.net/c?sv=2020&sig=***"),
        ("https://b/k?X-Amz-Signature=0123&X-Amz-Date=1", "https://b/k?X-Amz-Signature=***&X-Amz-Date=1"),
        ("Authorization: Bearer " + "aB3." * 8, "Authorization: Bearer ***"),
        ("npm_config hvs. SG.a.b dapi ya29.x the bearer of news 12:AA r8_x", None),
        ("https://h/x?sigma=3&design=a", None),
    ],
)
def test_what_stands_beside_a_secret_stays(text: str, shown: str | None) -> None:
    assert hide_patterns(text) == (text if shown is None else shown)


def test_a_longer_secret_is_masked_before_one_that_stands_in_it() -> None:
    assert (
        Secrets(params={"a": "hunter2"}, values=frozenset(["hunter2-prod"])).hide("hunter2-prod hunter2") == "*** ***"
    )


def test_plain_data_is_masked_at_any_depth() -> None:
    data = {"a": [{"password": ["x", 3]}, "AKIAIOSFODNN7EXAMPLE"], "b": {"key": True, "keys": "k"}}

    assert hidden("", data) == {"a": [{"password": [MASK, 3]}, MASK], "b": {"key": True, "keys": MASK}}


def test_a_choice_is_a_secret_by_a_clear_name_or_by_its_look_only() -> None:
    assert is_secret_choice("api_key", "abc")
    assert is_secret_choice("x", "AKIAIOSFODNN7EXAMPLE")
    assert not is_secret_choice("key", "major")
    assert not is_secret_choice("vect__token_pattern", r"\w+")


@pytest.mark.everyday(count=5)
@pytest.mark.parametrize(
    "text",
    ["://" + "a" * 2_000_000, "://a:" * 200_000 + "@ ", "-----BEGIN PRIVATE KEY-----" * 50_000, "?a" * 500_000 + "=",
     "eyJ" * 500_000, "eyJ0123456789." * 100_000, "SG." * 500_000, "12345678:AA" * 100_000, "?sig" * 300_000 + "=",
     "AccountKey=" * 100_000, "pypi-Ag" * 200_000, "Bearer " * 200_000,
     "sk-" * 500_000, "AKIA" * 300_000, "gh" * 500_000 + "_"],
)  # fmt: skip
def test_no_text_makes_the_search_for_secrets_slow(text: str) -> None:
    began = time.thread_time()
    hide_patterns(text)
    assert time.thread_time() - began < 10  # seconds of CPU; looking again from each place would take hours
