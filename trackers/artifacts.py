"""Keeps the files of runs: a local folder today, any fsspec file system by the same code."""

import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast
from urllib.parse import unquote, urlsplit

from trackers import models
from trackers.errors import InvalidRecord, ModelError, NotFound, StoreUnavailable
from trackers.failpoints import reach
from trackers.records import Artifact, LoggedModel

CHUNK = 1 << 20
REMOTE = ("s3", "gs", "gcs", "az", "abfs", "abfss", "memory")
"""The schemes of artifact URIs that are opened, besides local folders."""
PART = ".part"
"""How the name of a file ends that is not wholly written; never listed, never in a manifest."""


class _FileSystem(Protocol):
    """What is used of an fsspec file system."""

    def open(self, path: str, mode: str = "rb") -> BinaryIO: ...
    def find(self, path: str) -> list[str]: ...
    def isfile(self, path: str) -> bool: ...
    def rm_file(self, path: str) -> None: ...


@dataclass(frozen=True)
class ArtifactFolder:
    """The files of runs, each addressed by the run's artifact URI and a name below it.

    A URI is an absolute path or `file://..`, as MLflow writes them. With a `root`, URIs outside of it are refused.
    Holds no connection, so it can be pickled to workers. Errors: `InvalidRecord` for a bad name or place, `NotFound`
    for what is not there, `ModelError` for a model, `StoreUnavailable` for the disk (full, read-only, gone).
    """

    root: str = ""

    def save_file(self, artifact_uri: str, source: Path, name: str) -> list[Artifact]:
        """Copies a file, or a folder with all it holds, to `name`; each file is there whole or not at all.

        On return the files are durable. Links that lead out of the saved folder are refused.
        """
        place = self._place(artifact_uri)
        names = [(path, _joined(check_name(name), below)) for path, below in _sources(Path(source))]
        saved = [place.write(path, target) for path, target in names]
        place.sync([target for _, target in names])
        return sorted(saved, key=lambda artifact: artifact.path)

    def save_model(
        self,
        artifact_uri: str,
        model: object,
        *,
        name: str,
        run_id: str,
        input_example: object = None,
        allow_pickle: bool = False,
    ) -> tuple[LoggedModel, list[Artifact]]:
        """Writes an MLflow model folder to `name`; the same run and name give the same model id."""
        place = self._place(artifact_uri)
        check_name(name)
        model_id = "m-" + hashlib.sha256(f"{run_id}/{name}".encode()).hexdigest()[:32]
        with tempfile.TemporaryDirectory(prefix="hpo-model-") as scratch:
            folder = Path(scratch)
            models.write_model(
                folder,
                model,
                facts=models.ModelFacts(model_id, run_id, place.uri(name)),
                input_example=input_example,
                allow_pickle=allow_pickle,
            )
            files = self.save_file(artifact_uri, folder, name)
        return LoggedModel(model_id=model_id, name=name.rsplit("/", 1)[-1], path=name), files

    def load_model(
        self, artifact_uri: str, name: str, manifest: Sequence[Artifact], *, trust_pickle: bool = False
    ) -> object:
        """The model in folder `name`, after every file the manifest lists below it was found unaltered.

        What is loaded is the very bytes that were verified, and nothing that the manifest does not list.
        """
        wanted = [artifact for artifact in manifest if artifact.path.startswith(f"{check_name(name)}/")]
        if not wanted:
            raise ModelError(f"no files of a model {name!r} are on record, so nothing vouches for {artifact_uri}")
        if wrong := self.verify(artifact_uri, wanted):
            raise ModelError(f"model {name!r} in {artifact_uri} is not what was saved; missing or altered: {wrong}")
        return models.read_model(
            lambda path: self._verified(artifact_uri, f"{name}/{path}", wanted), trust_pickle=trust_pickle
        )

    def open(self, artifact_uri: str, name: str) -> BinaryIO:
        """A kept file, open for reading; `NotFound` where there is none."""
        return self._place(artifact_uri).open(check_name(name))

    def names(self, artifact_uri: str) -> Sequence[str]:
        """The names of all files below the URI, sorted; none if nothing was kept."""
        return self._place(artifact_uri).names()

    def verify(self, artifact_uri: str, artifacts: Sequence[Artifact]) -> Sequence[str]:
        """The names of those files that are missing or not what the manifest says, in its order."""
        place = self._place(artifact_uri)
        return [artifact.path for artifact in artifacts if not place.holds(artifact)]

    def delete(self, artifact_uri: str, names: Sequence[str]) -> None:
        """Removes files, then folders this left empty; what is gone already is no error."""
        place = self._place(artifact_uri)
        for name in [check_name(name) for name in names]:
            place.remove(name)

    def _place(self, artifact_uri: str) -> "_Place":
        place = _Place.at(artifact_uri)
        if self.root:
            root = _Place.at(self.root)
            if not _is_below(place.folder, root.folder) or place.protocol != root.protocol:
                raise InvalidRecord(f"artifacts must lie below {self.root}, got {artifact_uri}")
        return place

    def _verified(self, artifact_uri: str, path: str, manifest: Sequence[Artifact]) -> bytes:
        listed = {artifact.path: artifact for artifact in manifest}
        if path not in listed:
            raise ModelError(f"{path} in {artifact_uri} is not in the manifest of the model")
        with self.open(artifact_uri, path) as file:
            content = file.read(listed[path].size + 1)
        if hashlib.sha256(content).hexdigest() != listed[path].sha256:
            raise ModelError(f"{path} in {artifact_uri} was altered after it was saved")
        return content


def check_name(name: str) -> str:
    """The name of a file below a run's artifacts, if it is relative, tidy and stays below; else `InvalidRecord`."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or not name.isprintable() or "\\" in name:
        raise InvalidRecord(
            f"an artifact's name must be a relative path such as 'plots/roc.png', without '..', '\\' "
            f"or control characters; got {name!r}"
        )
    if parts[-1].endswith(PART):
        raise InvalidRecord(f"an artifact's name must not end in '{PART}': files half written do; got {name!r}")
    return name


@dataclass(frozen=True)
class _Place:
    """One artifact URI, opened: a file system and a folder in it."""

    fs: _FileSystem
    folder: str
    protocol: str

    @classmethod
    def at(cls, uri: str) -> "_Place":
        parts = urlsplit(uri)
        if "\0" in uri:
            raise InvalidRecord(f"an artifact URI must not hold NUL, got {uri!r}")
        if parts.scheme in ("", "file"):
            # MLflow percent-encodes file URIs, never plain paths
            path = unquote(parts.path) if parts.scheme else uri
            if parts.netloc not in ("", "localhost") or not path.startswith("/"):
                raise InvalidRecord(f"an artifact URI must be an absolute path or file:///path, got {uri!r}")
            return cls(_local(), os.path.normpath(path), "file")
        return cls(*_remote(uri), parts.scheme)

    @property
    def is_local(self) -> bool:
        return self.protocol == "file"

    def uri(self, name: str) -> str:
        prefix = "" if self.is_local else f"{self.protocol}://"
        return f"{prefix}{self.folder}/{name}"

    def path(self, name: str) -> str:
        path = f"{self.folder}/{name}"
        if self.is_local and not _is_below(os.path.realpath(path), os.path.realpath(self.folder)):
            raise InvalidRecord(f"{name!r} leads out of {self.folder}")
        return path

    def write(self, source: Path, name: str) -> Artifact:
        digest, size = hashlib.sha256(), 0
        with _reported(self.uri(name)), source.open("rb") as read, self._new(name) as write:
            while chunk := read.read(CHUNK):
                digest.update(chunk)
                size += write.write(chunk)
                reach("artifact.half")
        return Artifact(name, size, digest.hexdigest())

    @contextmanager
    def _new(self, name: str) -> Iterator[BinaryIO]:
        """A file that appears under its name when it is whole. Object stores publish at close by themselves."""
        path = self.path(name)
        if not self.is_local:
            with self.fs.open(path, "wb") as file:
                yield file
            return
        _make_folder(Path(path).parent)
        part = Path(path).with_name(f".{secrets.token_hex(8)}{PART}")
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            reach("artifact.before_rename")
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def sync(self, names: Sequence[str]) -> None:
        """Makes the names durable too: a renamed file is safe only once its folder is synced (fsync(2))."""
        if not self.is_local:
            return
        with _reported(self.folder):
            for folder in {Path(self.path(name)).parent for name in names}:
                _sync_folder(folder)

    def open(self, name: str) -> BinaryIO:
        path = self.path(name)
        with _reported(path):
            if not self.fs.isfile(path):
                raise NotFound(f"no file {name!r} in {self.folder}")
            return self.fs.open(path, "rb")

    def names(self) -> list[str]:
        with _reported(self.folder):
            found = self.fs.find(self.folder)
        names = [path.removeprefix(self.folder).lstrip("/") for path in found]
        return sorted(name for name in names if name and not name.endswith(PART))

    def holds(self, artifact: Artifact) -> bool:
        try:
            with self.open(check_name(artifact.path)) as file:
                return _digest(file) == (artifact.size, artifact.sha256)
        except (NotFound, InvalidRecord):
            return False

    def remove(self, name: str) -> None:
        path = self.path(name)
        with _reported(path), suppress(FileNotFoundError):
            self.fs.rm_file(path)
        if self.is_local:
            self._remove_empty_folders(Path(path).parent)

    def _remove_empty_folders(self, folder: Path) -> None:
        while _is_below(str(folder), self.folder) and str(folder) != self.folder:
            try:
                folder.rmdir()
            except OSError:  # not empty, or gone
                if folder.exists():
                    return
            folder = folder.parent


def _local() -> _FileSystem:
    from fsspec.implementations.local import LocalFileSystem

    return cast(_FileSystem, LocalFileSystem())


def _remote(uri: str) -> tuple[_FileSystem, str]:
    if urlsplit(uri).scheme not in REMOTE or "::" in uri:
        # fsspec also speaks http, ssh and chains of these: a database must not be able to make us call anybody
        raise StoreUnavailable(f"artifacts are kept in folders and in {', '.join(REMOTE)}; got {uri!r:.200}")
    import fsspec

    try:
        fs, folder = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise StoreUnavailable(f"artifacts in {uri} cannot be opened: {error}") from error
    return cast(_FileSystem, fs), str(folder).rstrip("/")


def _sources(source: Path) -> list[tuple[Path, str]]:
    """The regular files to copy, each with its name below the source ('' for a file itself)."""
    if source.is_file():
        return [(source, "")]
    if not source.is_dir():
        raise NotFound(f"no file or folder {source} to keep")
    top = source.resolve()
    found = []
    for folder, folders, files in os.walk(source):
        links = [Path(folder, name) for name in folders if Path(folder, name).is_symlink()]
        for path in sorted(links + [Path(folder, name) for name in files]):
            if path in links or not _is_below(str(path.resolve()), str(top)):
                raise InvalidRecord(f"{path} is a link; only links to files within {source} are kept, so remove it")
            if stat.S_ISREG(path.stat().st_mode):
                found.append((path, path.relative_to(source).as_posix()))
    return found


def _joined(name: str, below: str) -> str:
    return check_name(f"{name}/{below}") if below else name


def _is_below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def _digest(file: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, for their owner alone, durably."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _reported(place: str) -> Iterator[None]:
    """The disk's errors as ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"no file {error.filename or place}") from error
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or place}: {error.strerror or error}") from error
