"""The wheel holds the two packages and what they need, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_wheel_ships_hpo_and_trackers_only(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"hpo", "trackers"}
    assert "hpo/schema/sweep-v1.json" in names
    assert "hpo/py.typed" in names
    assert any(name.startswith("hpo/cli/templates/") for name in names)
    pages = [path.name for path in (ROOT / "hpo" / "web" / "static").iterdir()]
    assert {f"hpo/web/static/{name}" for name in pages} <= set(names)
