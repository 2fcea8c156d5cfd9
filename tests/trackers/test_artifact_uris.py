"""Artifact URIs and what the environment adds to them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from trackers.artifacts import local_path, location_of, recorded_uri
from trackers.artifacts.azure_settings import settings_in
from trackers.artifacts.client_limits import ClientLimits
from trackers.artifacts.content import MOST_PIECES, PIECE, piece_for
from trackers.errors import InvalidRecord, StoreUnavailable
from trackers.opening import absolute_artifacts, open_store

CONNECTION = "DefaultEndpointsProtocol=https;AccountName=ours;AccountKey=a2V5==;EndpointSuffix=core.windows.net"


@pytest.mark.parametrize(
    ("uri", "environment", "recorded"),
    [
        ("s3://bucket/a/b/", {}, "s3://bucket/a/b"),
        ("gcs://bucket/a", {}, "gs://bucket/a"),
        ("az://box/a", {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION}, "wasbs://box@ours.blob.core.windows.net/a"),
        ("abfs://box/a", {"AZURE_STORAGE_ACCOUNT_NAME": "mine"}, "wasbs://box@mine.blob.core.windows.net/a"),
        ("abfss://box@ours.dfs.core.windows.net/a", {}, "abfss://box@ours.dfs.core.windows.net/a"),
        ("s3://bucket", {}, "s3://bucket"),
    ],
)
def test_a_place_is_recorded_as_mlflow_writes_it(uri: str, environment: Mapping[str, str], recorded: str) -> None:
    assert recorded_uri(uri, environment) == recorded


def test_a_store_says_at_once_what_is_wrong_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidRecord, match="does not say in which storage account"):
        open_store("memory://", artifacts="az://box/a")
    with pytest.raises(StoreUnavailable, match=r"got ftp://\.\.$"):
        open_store("memory://", artifacts="ftp://user:password@host/a")
    assert absolute_artifacts("s3://bucket/a/") == "s3://bucket/a"


def test_a_place_is_below_another_only_in_the_same_bucket_and_account() -> None:
    one = location_of("wasbs://box@ours.blob.core.windows.net/a/b")

    assert one.is_below(location_of("wasbs://box@ours.blob.core.windows.net/a"))
    assert one.is_below(location_of("abfss://box@ours.dfs.core.windows.net"))
    for other in ("wasbs://box@theirs.blob.core.windows.net/a", "wasbs://c@ours.blob.core.windows.net/a", "s3://box/a"):
        assert not one.is_below(location_of(other))
    assert not location_of("s3://bucket/ab").is_below(location_of("s3://bucket/a"))


def test_only_folders_have_a_local_path() -> None:
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path("/a/../b") == Path("/b")
    assert [local_path(uri) for uri in ("s3://b/a", "relative", "file://host/a", "http://x")] == [None] * 4


def test_a_connection_string_gives_key_and_endpoint_of_its_own_account_alone() -> None:
    environment = {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION}

    assert settings_in(environment, "ours") == {
        "account_name": "ours",
        "account_key": "a2V5==",
        "endpoint": "https://ours.blob.core.windows.net",
    }
    assert settings_in(environment, "theirs") == {"account_name": "theirs"}
    shared = {
        "AZURE_STORAGE_CONNECTION_STRING": "BlobEndpoint=http://h/ours/;AccountName=ours;SharedAccessSignature=sv=1&sig=x"
    }
    assert settings_in(shared, "ours") == {"account_name": "ours", "sas_key": "sv=1&sig=x", "endpoint": "http://h/ours"}


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE * MOST_PIECES, PIECE * MOST_PIECES + 1, 5 * 2**40])
def test_a_file_has_no_more_pieces_than_a_store_takes(size: int) -> None:
    assert -(-size // piece_for(size)) <= MOST_PIECES
    assert piece_for(size) % PIECE == 0
    assert piece_for(PIECE * MOST_PIECES) == PIECE


def test_nonsense_for_the_limits_of_a_client_is_refused() -> None:
    assert ClientLimits.of({"HPO_ARTIFACTS_TIMEOUT": "2.5"}) == ClientLimits(2.5, 6)
    for wrong in ({"HPO_ARTIFACTS_TIMEOUT": "soon"}, {"HPO_ARTIFACTS_RETRIES": "-1"}, {"HPO_ARTIFACTS_TIMEOUT": "0"}):
        with pytest.raises(InvalidRecord, match="HPO_ARTIFACTS_TIMEOUT must be seconds above 0"):
            ClientLimits.of(wrong)
