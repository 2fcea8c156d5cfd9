"""A folder of an object store as a place for files: nothing appears half, and what arrived is compared."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trackers.artifacts.bucket import Bucket, Stat
from trackers.artifacts.content import Content
from trackers.artifacts.names import PART, is_tidy
from trackers.artifacts.place import Place
from trackers.artifacts.sources import digest_of
from trackers.artifacts.uris import Location
from trackers.errors import NotFound, StoreUnavailable
from trackers.records import Artifact

PAGE = 1000
"""Objects that are deleted with one request, S3's limit."""
PROBE = b"tracked-hpo was here; this may be deleted"


@dataclass(frozen=True)
class ObjectPlace:
    """The objects below one path of a bucket."""

    location: Location
    bucket: Bucket

    def uri(self, name: str) -> str:
        """As MLflow writes it."""
        return self.location.uri(name)

    def save(self, sources: Sequence[tuple[Path, str]]) -> list[Artifact]:
        """Uploads the files that are missing or different; a second call after a kill sends what the first did not."""
        # what a folder would meet there is asked for at once
        listed = self.sizes() if len(sources) > 1 else None
        return [self._save(Content.of(path), name, listed) for path, name in sources]

    def open(self, name: str) -> BinaryIO:
        """An object, read piece by piece."""
        return self.bucket.open(self.location.key(name))

    def sizes(self) -> Mapping[str, int]:
        """By one listing of the folder."""
        start = len(self.location.key(""))
        listed = ((key[start:], size) for key, size in self.bucket.list(self.location.path))
        return {name: size for name, size in listed if is_tidy(name) and not name.endswith(PART)}

    def remove(self, names: Sequence[str]) -> None:
        """By the listed keys, a page at a time."""
        keys = [self.location.key(name) for name in names]
        for start in range(0, len(keys), PAGE):
            self.bucket.delete(keys[start : start + PAGE])

    def check_writable(self) -> None:
        """Writes a small object and deletes it."""
        import tempfile

        key = self.location.key(f".hpo-probe-{secrets.token_hex(8)}")
        with tempfile.NamedTemporaryFile(prefix="hpo-probe-") as file:
            file.write(PROBE)
            file.flush()
            self.bucket.put(key, Content.of(Path(file.name)))
        self.bucket.delete([key])

    def _save(self, content: Content, name: str, listed: Mapping[str, int] | None) -> Artifact:
        key = self.location.key(name)
        may_be_there = listed is None or listed.get(name) == content.size
        there = self.bucket.stat(key) if may_be_there else None
        if there is None or (there.size, there.sha256) != (content.size, content.sha256):
            self.bucket.put(key, content)
            self._check_arrived(name, content, self.bucket.stat(key))
        return Artifact(name, content.size, content.sha256)

    def _check_arrived(self, name: str, content: Content, there: Stat | None) -> None:
        if there is None or there.size != content.size:
            arrived = "nothing" if there is None else f"{there.size} bytes"
        elif not there.checksum or there.checksum in content.checksums or self._holds(name, content):
            return  # read back where the store's checksum is none of ours: encrypted objects have others
        else:
            arrived = "something else"
        raise StoreUnavailable(
            f"{self.uri(name)}: {content.size} bytes were sent and {arrived} arrived; somebody else writes there, "
            "or the store is at fault: keep the file again"
        )

    def _holds(self, name: str, content: Content) -> bool:
        try:
            with self.open(name) as file:
                return digest_of(file) == (content.size, content.sha256)
        except NotFound:
            return False


_: type[Place] = ObjectPlace
