"""What is captured of Python, packages, machine and settings, and how two captures are compared."""

import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.provenance import machine
from hpo.provenance.distributions import Distribution, installed, normalised
from hpo.provenance.environment import Environment, captured_environment
from hpo.provenance.environment_changes import environment_changes

HERE = Environment(
    python="3.11.7",
    implementation="CPython",
    platform="Linux, glibc 2.36",
    machine="x86_64",
    cpu="AMD EPYC (avx2)",
    cores=2,
    memory=25 * 2**30,
    packages={"numpy": "2.1.0", "scipy": "1.14.0"},
    variables={"TZ": "UTC"},
    threads={"inner_threads": "1"},
    libraries={"numpy.libs/openblas": "0.3.30 Haswell"},
    paths=("/home/one/project",),
)


def test_every_installed_distribution_is_recorded_with_its_exact_version() -> None:
    expected: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        expected.setdefault(normalised(distribution.name), distribution.version)

    assert {each.name: each.version for each in installed()} == expected


def make_info(folder: Path, name: str, metadata: str = "", direct_url: Mapping[str, object] | None = None) -> None:
    info = folder / name
    info.mkdir(parents=True)
    (info / ("PKG-INFO" if "egg" in name else "METADATA")).write_text(metadata)
    if direct_url is not None:
        (info / "direct_url.json").write_text(json.dumps(direct_url))


def test_the_first_of_two_with_one_name_is_the_one_that_is_imported(tmp_path: Path) -> None:
    make_info(tmp_path / "one", "Some_Thing-2.0.dist-info")
    make_info(tmp_path / "two", "some.thing-1.0.dist-info")

    found = installed([str(tmp_path / "absent"), str(tmp_path / "one"), str(tmp_path / "two")])

    assert found == [Distribution("some-thing", "2.0")]


def test_old_ways_of_installing_are_read_too_and_leftovers_are_not(tmp_path: Path) -> None:
    make_info(tmp_path, "developed.egg-info", "Metadata-Version: 2.1\nName: developed\nVersion: 0.3.dev1\n")
    make_info(tmp_path, "installed_by_setup-1.2-py3.11.egg-info", "Version: 1.2\n")
    (tmp_path / "one_file-4.0-py3.11.egg-info").write_text("Version: 4.0\n")
    make_info(tmp_path / "zipped-5.0-py3.11.egg", "EGG-INFO", "Version: 5.0\n")
    make_info(tmp_path, "torch-2.4.0+cu121.dist-info")
    make_info(tmp_path, "odd-1.0_1.dist-info", "Name: odd\nVersion: 1.0-1\n")
    make_info(tmp_path, "~umpy-1.0.dist-info")
    make_info(tmp_path, "unfinished.egg-info")

    assert {each.name: each.version for each in installed([str(tmp_path)])} == {
        "developed": "0.3.dev1",
        "installed-by-setup": "1.2",
        "one-file": "4.0",
        "zipped": "5.0",
        "torch": "2.4.0+cu121",
        "odd": "1.0-1",
    }


def test_a_project_found_by_what_a_build_left_in_its_folder_is_run_from_there(tmp_path: Path) -> None:
    make_info(tmp_path / "code/src", "mine.egg-info", "Version: 0.1\n")
    (tmp_path / "code/pyproject.toml").touch()
    editable = {"url": "file:///told", "dir_info": {"editable": True}}
    make_info(tmp_path / "site-packages", "mine-0.1.dist-info", direct_url=editable)
    make_info(tmp_path / "site-packages", "old.egg-info", "Version: 2.0\n")
    source, packages = str(tmp_path / "code/src"), str(tmp_path / "site-packages")

    assert installed([source]) == [Distribution("mine", "0.1", f"-e {(tmp_path / 'code').as_uri()}")]
    assert installed([source, packages]) == [Distribution("mine", "0.1", "-e file:///told"), Distribution("old", "2.0")]


ORIGINS = {
    "git": (
        {"url": "https://user:pass@host/p.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
        "git+https://host/p.git@abc",
    ),
    "git by ssh, a folder in it": (
        {"url": "ssh://git@host/p.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}, "subdirectory": "python"},
        "git+ssh://git@host/p.git@abc#subdirectory=python",
    ),
    "archive": (
        {"url": "https://host/p.whl", "archive_info": {"hash": "sha256=12", "hashes": {"sha256": "12"}}},
        "https://host/p.whl#sha256=12",
    ),
    "archive without a hash": ({"url": "file:///wheels/p.whl", "archive_info": {}}, "file:///wheels/p.whl"),
    "archive behind a token": (
        {"url": "https://host/p.whl?token=abcdef", "archive_info": {}},
        "https://host/p.whl?token=***",
    ),
    "folder": ({"url": "file:///code/p", "dir_info": {}}, "file:///code/p"),
    "editable": ({"url": "file:///code/p", "dir_info": {"editable": True}}, "-e file:///code/p"),
    "broken": ({"dir_info": {}}, ""),
}  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
def test_where_a_distribution_came_from_is_recorded_without_credentials(origin: str, tmp_path: Path) -> None:
    direct_url, expected = ORIGINS[origin]
    make_info(tmp_path, "p-1.0.dist-info", direct_url=direct_url)

    assert [each.source for each in installed([str(tmp_path)])] == [expected]


def test_the_folder_in_which_conda_built_a_package_is_not_where_it_came_from(tmp_path: Path) -> None:
    make_info(tmp_path, "p-1.0.dist-info", direct_url={"url": "file:///feedstock_root/p/work", "dir_info": {}})
    (tmp_path / "p-1.0.dist-info/INSTALLER").write_text("conda\n")

    assert installed([str(tmp_path)]) == [Distribution("p", "1.0")]


def test_an_environment_is_the_same_after_json() -> None:
    captured = captured_environment([], os.environ, inner_threads=1)

    assert Environment.from_json(json.loads(json.dumps(captured.to_json()))) == captured
    assert captured.python == platform.python_version()
    assert captured.packages["tracked-hpo"] == importlib.metadata.version("tracked-hpo")
    assert captured.cores > 0


def test_facts_of_a_later_version_are_passed_over_and_missing_ones_are_empty() -> None:
    assert Environment.from_json({"python": "3.14.0", "moon": "full"}) == Environment(python="3.14.0")


@pytest.mark.slow
def test_capturing_takes_little_time() -> None:
    def seconds() -> float:
        began = time.process_time()
        captured_environment([], os.environ)
        return time.process_time() - began

    assert min(seconds() for _ in range(5)) < 0.04


def test_only_allowed_variables_are_recorded_and_secrets_in_them_are_not() -> None:
    environ = {
        "TZ": "UTC",
        "PRIVATE": "mine",
        "DATA_SIZE": "small",
        "HF_TOKEN": "abcd",
        "STORE": "postgresql://me:pass@host/db",
    }
    captured = captured_environment(["DATA_SIZE", "HF_TOKEN", "STORE", "ABSENT"], environ, backend="serial")

    assert captured.variables == {
        "DATA_SIZE": "small",
        "HF_TOKEN": "***",
        "STORE": "postgresql://me:***@host/db",
        "TZ": "UTC",
    }


def test_threads_are_recorded_as_they_are_in_a_trial() -> None:
    pinned = captured_environment([], {"OMP_NUM_THREADS": "8"}, inner_threads=2)
    free = captured_environment([], {"OMP_NUM_THREADS": "8"}, inner_threads=None)

    assert (pinned.threads["OMP_NUM_THREADS"], pinned.threads["inner_threads"]) == ("2", "2")
    assert free.threads == {"OMP_NUM_THREADS": "8", "inner_threads": "free", "backend": "loky"}


def test_the_seed_of_hashes_is_recorded_as_it_is_in_a_trial() -> None:
    def recorded(environ: Mapping[str, str], backend: str) -> str | None:
        return captured_environment([], environ, backend=backend).variables.get("PYTHONHASHSEED")

    assert recorded({}, "loky") == "0"
    assert recorded({"PYTHONHASHSEED": "7"}, "loky") == "7"
    assert recorded({}, "serial") is None
    assert captured_environment([], {}, backend="serial", command=True).variables == {"PYTHONHASHSEED": "0"}
    assert recorded({"PYTHONHASHSEED": "7"}, "threading") == "7"


def test_loaded_numeric_libraries_are_recorded() -> None:
    pytest.importorskip("numpy")

    assert all(captured_environment([], {}).libraries.values())


def test_hints_do_not_make_another_environment() -> None:
    later = replace(HERE, libraries={}, paths=(), memory=1, kernel="7.0")

    assert later.identity() == HERE.identity()
    assert replace(HERE, cpu="Intel").identity() != HERE.identity()


def test_equal_environments_do_not_differ() -> None:
    later = replace(HERE, memory=HERE.memory + 4096, paths=("/home/two",), libraries={"scipy.libs/openblas": "0.3.29"})

    assert environment_changes(HERE, later) == []


ONE_CHANGE: Mapping[str, tuple[Environment, str]] = {
    "python": (replace(HERE, python="3.12.1"), "python version: CPython 3.11.7 -> CPython 3.12.1"),
    "version": (replace(HERE, packages={**HERE.packages, "numpy": "2.2.0"}), "package numpy: 2.1.0 -> 2.2.0"),
    "removed": (replace(HERE, packages={"numpy": "2.1.0"}), "package scipy: 1.14.0 -> nothing"),
    "added": (replace(HERE, packages={**HERE.packages, "torch": "2.4.0"}), "package torch: nothing -> 2.4.0"),
    "source": (
        replace(HERE, sources={"numpy": "git+https://h/numpy@1"}),
        "package numpy: an index -> git+https://h/numpy@1",
    ),
    "variable": (replace(HERE, variables={"TZ": "CET"}), "thread/variable TZ: UTC -> CET"),
    "threads": (replace(HERE, threads={"inner_threads": "4"}), "thread/variable inner_threads: 1 -> 4"),
    "cpu": (replace(HERE, cpu="Xeon (avx512f)"), "hardware cpu: AMD EPYC (avx2) -> Xeon (avx512f)"),
    "gpus": (replace(HERE, gpus=("A100", "A100")), "hardware gpus: nothing -> A100; A100"),
    "memory": (replace(HERE, memory=50 * 2**30), "hardware memory: 25.0 GiB -> 50.0 GiB"),
    "library": (
        replace(HERE, libraries={"numpy.libs/openblas": "0.3.30 Zen"}),
        "hardware numpy.libs/openblas: 0.3.30 Haswell -> 0.3.30 Zen",
    ),
}


@pytest.mark.parametrize("change", ONE_CHANGE)
def test_one_change_is_named_alone(change: str) -> None:
    after, expected = ONE_CHANGE[change]

    assert [str(each) for each in environment_changes(HERE, after)] == [expected]


def test_the_likeliest_reason_is_named_first() -> None:
    after = replace(HERE, python="3.12.1", cpu="Intel", variables={}, packages={"numpy": "2.2.0", "scipy": "1.14.0"})

    assert [each.what for each in environment_changes(HERE, after)] == [
        "python", "package", "thread/variable", "hardware",
    ]  # fmt: skip


def test_a_container_limits_cores_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/pod/box\n")
    (tmp_path / "cgroup/pod/box").mkdir(parents=True)
    (tmp_path / "cgroup/pod/cpu.max").write_text("50000 100000\n")
    (tmp_path / "cgroup/pod/box/cpu.max").write_text("max 100000\n")
    (tmp_path / "cgroup/pod/box/memory.max").write_text("1048576\n")
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")

    assert machine.usable_cores() == 1
    assert machine.physical_memory() == 2**20


def test_cards_are_read_off_the_kernels_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = tmp_path / "driver/nvidia"
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        (driver / "gpus" / slot).mkdir(parents=True)
        (driver / "gpus" / slot / "information").write_text("Model: \t NVIDIA A100-SXM4-40GB\nIRQ:   \t 34\n")
    (driver / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 2024\n")
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(machine, "newest_cuda", lambda: "12.4")

    assert machine.graphics_cards() == ["NVIDIA A100-SXM4-40GB, driver 550.54.15, CUDA 12.4"] * 2


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
def test_the_processor_is_the_one_the_system_names() -> None:
    named = subprocess.run(["grep", "-m1", "model name", "/proc/cpuinfo"], capture_output=True, text=True, check=False)

    assert machine.processor().startswith(named.stdout.partition(":")[2].strip())
