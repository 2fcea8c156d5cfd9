"""The lock file of an environment, and the same environment made of it again."""

import base64
import hashlib
import json
import os
import platform
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.errors import ProvenanceError
from hpo.provenance.environment import Environment, captured_environment
from hpo.provenance.environment_changes import environment_changes
from hpo.provenance.environment_elsewhere import environment_of
from hpo.provenance.installers import Supply, find_uv
from hpo.provenance.lock import local_builds, local_projects, pins, requirements_text
from hpo.provenance.locked_environment import folder_name, make_locked_environment

UV = find_uv()
NEEDS_UV = pytest.mark.skipif(UV is None, reason="there is no uv")
TOOLS = [pytest.param(UV, id="uv", marks=NEEDS_UV), pytest.param(None, id="pip", marks=pytest.mark.slow)]

EVERYWHERE = Environment(
    python="3.11.9",
    implementation="CPython",
    platform="Linux, glibc 2.36",
    machine="x86_64",
    packages={
        "archive": "1.0",
        "editable": "0.1",
        "fork": "2.0.dev1",
        "from-a-folder": "0.2",
        "numpy": "2.1.0",
        "torch": "2.4.0+cu121",
        "tracked-hpo": "0.1.0",
        "wheel-house": "3.0",
    },
    sources={
        "archive": "https://host/archive-1.0.zip#sha256=12",
        "editable": "-e file:///code/edit%20able",
        "fork": "git+https://host/fork.git@abc",
        "from-a-folder": "file:///code/repository#subdirectory=python",
        "tracked-hpo": "-e file:///code/hpo",
        "wheel-house": "file:///wheels/wheel_house-3.0-py3-none-any.whl",
    },
)


def test_every_distribution_has_a_line_and_what_lies_in_a_folder_a_comment() -> None:
    assert requirements_text(EVERYWHERE).splitlines() == [
        "# CPython 3.11.9, Linux, glibc 2.36, x86_64",
        "archive @ https://host/archive-1.0.zip#sha256=12",
        "# editable==0.1 from -e file:///code/edit%20able",
        "fork @ git+https://host/fork.git@abc",
        "# from-a-folder==0.2 from file:///code/repository#subdirectory=python",
        "numpy==2.1.0",
        "torch==2.4.0+cu121",
        "# tracked-hpo==0.1.0 from -e file:///code/hpo",
        "wheel-house==3.0  # from file:///wheels/wheel_house-3.0-py3-none-any.whl",
    ]


def test_what_was_behind_a_token_is_pinned_by_its_version() -> None:
    hidden = replace(EVERYWHERE, packages={"p": "1.0"}, sources={"p": "https://host/p.whl?token=***"})

    assert requirements_text(hidden).splitlines()[1] == "p==1.0  # from https://host/p.whl?token=***"


def test_the_pins_of_a_lock_file_are_its_lines_by_name() -> None:
    assert pins("# p==1\nQ_q==2.0\n\n  r @ git+https://h/r@1\n--index-url x\n") == {
        "q-q": "Q_q==2.0",
        "r": "r @ git+https://h/r@1",
    }
    assert local_builds(list(pins(requirements_text(EVERYWHERE)).values())) == ["torch==2.4.0+cu121"]


def test_projects_in_folders_are_known_by_name_but_for_this_package() -> None:
    assert local_projects(EVERYWHERE) == {
        "editable": Path("/code/edit able"),
        "from-a-folder": Path("/code/repository/python"),
    }


def wheel(folder: Path, name: str, version: str, value: float) -> None:
    """A wheel of one module with one number in it (packaging.python.org, "Binary distribution format")."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VALUE = {value}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={digest(text)},{len(text)}" for path, text in files.items()]
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"}.items():
            archive.writestr(path, text)


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def recorded(**packages: str) -> Environment:
    return Environment(
        python=platform.python_version(), implementation=platform.python_implementation(), packages=packages
    )


def answer(python: Path, code: str) -> object:
    done = subprocess.run(
        [python, "-c", f"import json; {code}"], env={}, cwd=python.parent, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture
def wheels(tmp_path: Path) -> Supply:
    """Two versions of one package, and another; no index is asked."""
    wheel(tmp_path / "wheels", "tiny", "1.0", 1.5)
    wheel(tmp_path / "wheels", "tiny", "2.0", 2.5)
    wheel(tmp_path / "wheels", "other", "1.0+local.1", 7.0)
    return Supply(find_links=[str(tmp_path / "wheels")], offline=True)


@pytest.mark.parametrize("uv", TOOLS)
def test_an_environment_has_the_recorded_versions_this_package_and_nothing_else(
    uv: str | None, tmp_path: Path, wheels: Supply
) -> None:
    environment = recorded(tiny="1.0", other="1.0+local.1")

    python = make_locked_environment(
        environment, requirements_text(environment), tmp_path / "made", uv=uv, supply=wheels
    )

    assert answer(python, "import tiny, platform; print(json.dumps([tiny.VALUE, platform.python_version()]))") == [
        1.5, platform.python_version(),
    ]  # fmt: skip
    found = environment_of(python, [], {})
    assert {name: version for name, version in found.packages.items() if name != "tracked-hpo"} == environment.packages
    assert found.python == environment.python


def test_two_environments_that_are_not_the_same_have_two_folders(tmp_path: Path) -> None:
    local = replace(recorded(mine="0.1"), sources={"mine": tmp_path.as_uri()})
    names = [
        folder_name(recorded(tiny="1.0"), "tiny==1.0\n"),
        folder_name(recorded(tiny="1.0"), "tiny==2.0\n"),
        folder_name(replace(recorded(tiny="1.0"), python="3.11.0"), "tiny==1.0\n"),
        folder_name(local, requirements_text(local)),
        folder_name(local, requirements_text(local), {"mine": tmp_path.parent}),
    ]

    assert len(set(names)) == len(names)
    assert folder_name(recorded(tiny="1.0"), "# said otherwise\ntiny==1.0\n") == names[0]


def test_the_environment_of_another_python_is_as_it_would_be_captured_there() -> None:
    variables = {**os.environ, "TZ": "CET", "MORE": "yes"}

    there = environment_of(Path(sys.executable), ["MORE"], variables, backend="serial")

    here = captured_environment(["MORE"], variables, backend="serial")
    assert environment_changes(replace(here, libraries={}), there) == []
    assert (there.variables["MORE"], there.variables["TZ"]) == ("yes", "CET")


def test_a_package_of_uv_without_its_program_is_no_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "__init__.py").write_text("def find_uv_bin():\n    raise FileNotFoundError('no uv')\n")
    monkeypatch.delitem(sys.modules, "uv", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_uv() is None
    sys.modules.pop("uv", None)


def test_a_python_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProvenanceError, match="python cannot be run"):
        environment_of(tmp_path / "python", [], {})
    (tmp_path / "bare").write_text("#!/bin/sh\necho No module named hpo >&2\nexit 1\n")
    (tmp_path / "bare").chmod(0o755)
    with pytest.raises(ProvenanceError, match=r"this version of hpo cannot run in .*bare.*\nNo module named hpo"):
        environment_of(tmp_path / "bare", [], {})


@NEEDS_UV
def test_a_complete_environment_is_used_again_and_another_lock_makes_another(tmp_path: Path, wheels: Supply) -> None:
    def made(version: str) -> tuple[object, bool]:
        environment = recorded(tiny=version)
        python = make_locked_environment(
            environment, requirements_text(environment), tmp_path / "made", uv=UV, supply=wheels
        )
        was_there = (tmp_path / "made/mark").exists()
        (tmp_path / "made/mark").touch()
        return answer(python, "import tiny; print(json.dumps(tiny.VALUE))"), was_there

    assert [made("1.0"), made("1.0"), made("2.0")] == [(1.5, False), (1.5, True), (2.5, False)]


@pytest.mark.parametrize("uv", TOOLS)
def test_a_package_that_cannot_be_had_is_named_and_leaves_nothing(
    uv: str | None, tmp_path: Path, wheels: Supply
) -> None:
    environment = recorded(tiny="1.0", other="9.0+cu121")

    with pytest.raises(ProvenanceError, match=r"other==9\.0\+cu121 cannot be had \(it is a build.*--index URL"):
        make_locked_environment(environment, requirements_text(environment), tmp_path / "made", uv=uv, supply=wheels)

    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("uv", ["uv", None])
def test_a_python_that_cannot_be_had_is_named_with_the_way_out(uv: str | None, tmp_path: Path) -> None:
    environment = replace(recorded(tiny="1.0"), implementation="CPython", python="3.2.6")
    uv = str(tmp_path / "uv") if uv else None  # one that fetches nothing
    (tmp_path / "uv").write_text("#!/bin/sh\necho no interpreter found >&2\nexit 2\n")
    (tmp_path / "uv").chmod(0o755)

    with pytest.raises(ProvenanceError, match=r"CPython 3\.2\.6 was recorded.*(uv python install|install uv)"):
        make_locked_environment(environment, "tiny==1.0\n", tmp_path / "made", uv=uv)

    assert not (tmp_path / "made").exists()


@NEEDS_UV
def test_another_python_of_the_same_minor_version_stands_in(
    tmp_path: Path, wheels: Supply, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    major, minor, _ = platform.python_version_tuple()
    environment = replace(recorded(tiny="1.0"), python=f"{major}.{minor}.987")

    python = make_locked_environment(environment, "tiny==1.0\n", tmp_path / "made", uv=UV, supply=wheels)

    assert answer(python, "import sys; print(json.dumps(sys.version_info[:2]))") == list(sys.version_info[:2])
    assert f"Python {major}.{minor}.987 was recorded" in caplog.text


def test_a_project_whose_folder_is_gone_is_named(tmp_path: Path) -> None:
    environment = replace(recorded(mine="0.1"), sources={"mine": (tmp_path / "gone").as_uri()})

    with pytest.raises(ProvenanceError, match=r"mine 0\.1 was installed from the folder .*gone, which is not here"):
        make_locked_environment(environment, requirements_text(environment), tmp_path / "made", uv=None)


@NEEDS_UV
def test_a_project_is_installed_from_where_it_lies_now(tmp_path: Path, wheels: Supply) -> None:
    project = tmp_path / "moved"
    (project / "src").mkdir(parents=True)
    (project / "src/mine.py").write_text("VALUE = 3\n")
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "mine"\nversion = "0.1"\n'
    )
    environment = replace(recorded(mine="0.1"), sources={"mine": f"-e {(tmp_path / 'old').as_uri()}"})

    python = make_locked_environment(
        environment, requirements_text(environment), tmp_path / "made", uv=UV, supply=wheels, projects={"mine": project}
    )

    assert answer(python, "import mine; print(json.dumps(mine.__file__))") == str(project / "src/mine.py")


BACKEND = """
import pathlib, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "mine-0.1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        archive.writestr("mine.pth", str(pathlib.Path("src").absolute()))
        archive.writestr("mine-0.1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 0.1\\n")
        archive.writestr("mine-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        archive.writestr("mine-0.1.dist-info/RECORD", "")
    return name
"""
