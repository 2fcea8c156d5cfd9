"""What preprocess leaves in a folder: a matrix per part, the fitted preprocessor, a manifest that vouches for them."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction import DictVectorizer

from hpo.errors import HpoError, ObjectiveError

PARTS = ("train", "validation", "test")
MANIFEST = "manifest.json"
PREPROCESSOR = "preprocessor.skops"
VERSION = 1


@dataclass(frozen=True)
class Part:
    """One part, ready to fit on: a row a trip in `x`, its minutes in `y`."""

    x: sparse.csr_matrix
    y: npt.NDArray[np.float64]


def part_of(x: sparse.csr_matrix, minutes: Sequence[float]) -> Part:
    """A part from the preprocessor's matrix and the trips' minutes."""
    return Part(sparse.csr_matrix(x), np.asarray(minutes, dtype=float))


@dataclass(frozen=True)
class Prepared:
    """A prepared folder, opened. What is read is checked against the manifest, and only what is asked for is read."""

    folder: Path
    manifest: Mapping[str, object]

    def part(self, name: str) -> Part:
        """The matrix and the minutes of train, validation or test."""
        with np.load(io.BytesIO(self._verified(f"{name}.npz")), allow_pickle=False) as arrays:
            shape = tuple(arrays["shape"].tolist())
            x = sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
            return Part(x, arrays["minutes"])

    def preprocessor(self) -> DictVectorizer:
        """The DictVectorizer that was fitted on train, with train's columns only."""
        import skops.io

        # nothing is trusted beyond the few types that skops itself knows to be harmless; a DictVectorizer needs no more
        return skops.io.loads(self._verified(PREPROCESSOR), trusted=[])

    def digest(self, name: str) -> str:
        """32 hex digits that stand for the content of a part and the meaning of its columns."""
        return hashlib.sha256(f"{self._entry('columns_sha256')}{self._sha256(f'{name}.npz')}".encode()).hexdigest()[:32]

    def digests(self, *names: str) -> dict[str, str]:
        """The digests of these parts as tags of a run."""
        return {f"hpo.data.{name}": self.digest(name) for name in names}

    def described(self, name: str) -> Mapping[str, object]:
        """What the manifest says of a part: months, source files, rows read, kept and dropped."""
        parts = self._entry("parts")
        described: object = parts.get(name) if isinstance(parts, Mapping) else None
        if not isinstance(described, Mapping):
            raise self._broken(f"it does not describe {name!r}")
        return described

    @property
    def example(self) -> Sequence[Mapping[str, str | float]]:
        """A few trips of train, as a model takes them."""
        example = self._entry("example")
        if not isinstance(example, list):
            raise self._broken("its example is not a list")
        return example

    def _verified(self, name: str) -> bytes:
        path = self.folder / name
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise ObjectiveError(f"no prepared file {path}; make it with: python scripts/preprocess.py") from None
        if hashlib.sha256(content).hexdigest() != self._sha256(name):
            raise ObjectiveError(f"{path} is not what {MANIFEST} vouches for; run scripts/preprocess.py again")
        return content

    def _sha256(self, name: str) -> str:
        files = self._entry("files")
        if not isinstance(files, Mapping) or not isinstance(files.get(name), str):
            raise self._broken(f"it does not vouch for {name}")
        return str(files[name])

    def _entry(self, key: str) -> object:
        if key not in self.manifest:
            raise self._broken(f"it lacks {key!r}")
        return self.manifest[key]

    def _broken(self, problem: str) -> HpoError:
        return ObjectiveError(f"{self.folder / MANIFEST}: {problem}; run scripts/preprocess.py again")


def open_prepared(folder: str | Path) -> Prepared:
    """The folder that preprocess made; ObjectiveError where there is none."""
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ObjectiveError(f"no prepared data in {folder}; make it with: python scripts/preprocess.py") from None
    except (OSError, ValueError) as error:
        raise ObjectiveError(f"{path} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("version") != VERSION:
        raise ObjectiveError(f"{path} is not a manifest of version {VERSION}; run scripts/preprocess.py again")
    return Prepared(Path(folder), manifest)


def save_prepared(
    folder: Path, parts: Mapping[str, Part], preprocessor: DictVectorizer, described: Mapping[str, object]
) -> Prepared:
    """Writes the folder; the manifest comes last, so that a folder half written is never taken for a whole one."""
    import skops.io

    contents = {f"{name}.npz": _packed(part) for name, part in parts.items()}
    contents[PREPROCESSOR] = skops.io.dumps(preprocessor, compression=zipfile.ZIP_DEFLATED)
    columns = json.dumps(preprocessor.get_feature_names_out().tolist())
    manifest = {
        "version": VERSION,
        **described,
        "columns": len(preprocessor.feature_names_),
        "columns_sha256": hashlib.sha256(columns.encode()).hexdigest(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    contents[MANIFEST] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        unfinished = folder / f".{name}.part"
        unfinished.write_bytes(content)
        unfinished.replace(folder / name)
    return Prepared(folder, manifest)


def _packed(part: Part) -> bytes:
    file = io.BytesIO()
    x = part.x
    np.savez_compressed(file, data=x.data, indices=x.indices, indptr=x.indptr, shape=x.shape, minutes=part.y)
    return file.getvalue()
