"""Keeps the files of runs: in a local folder, S3, Google Cloud Storage or Azure, addressed by artifact URIs."""

from trackers.artifacts.folder import ArtifactFolder
from trackers.artifacts.names import PART, check_name
from trackers.artifacts.uris import local_path, location_of, recorded_uri

__all__ = ["PART", "ArtifactFolder", "check_name", "local_path", "location_of", "recorded_uri"]
