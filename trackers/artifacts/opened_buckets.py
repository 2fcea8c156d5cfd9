"""The buckets this process has opened: made when first used, and again after the environment has changed."""

import os
import threading
from collections.abc import Mapping
from dataclasses import replace

from trackers.artifacts.bucket import Bucket
from trackers.artifacts.uris import Location

_READ = ("AWS_", "AZURE_", "MLFLOW_S3_", "GOOGLE_", "STORAGE_EMULATOR_HOST", "HPO_ARTIFACTS_")
"""The beginnings of the variables that decide how a bucket is opened."""
MOST = 16

_Opened = dict[tuple[object, ...], Bucket]
_opened: _Opened = {}
_lock = threading.Lock()


def bucket_of(place: Location) -> Bucket:
    """The bucket a place is in; connections are shared by all places in it and never by two processes."""
    environment = {name: value for name, value in os.environ.items() if name.startswith(_READ)}
    # not the account's name alone: a credential that was replaced counts from now on
    key = (os.getpid(), place.kind, place.bucket, place.account, *sorted(environment.items()))
    with _lock:
        bucket = _opened.get(key)
        if bucket is None:
            while len(_opened) >= MOST:
                _opened.pop(next(iter(_opened)))
            bucket = _opened[key] = _open(replace(place, path=""), environment)
        return bucket


def _open(place: Location, environment: Mapping[str, str]) -> Bucket:
    if place.kind in ("s3", "azure"):
        from trackers.artifacts.obstore_bucket import ObstoreBucket

        return ObstoreBucket(place, environment)
    from trackers.artifacts.fsspec_bucket import FsspecBucket

    return FsspecBucket(place, environment)
