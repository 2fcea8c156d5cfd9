"""A driver in what a pod of the manifests is: a user id without a name, a file system to read only, no capabilities."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
ONE_POD = ROOT / "docs/manifests/kubernetes/one-pod.yaml"
POD = """
mount --make-rprivate /
mount -o remount,bind,ro /
mount -t tmpfs tmpfs /mnt -o mode=0755
mkdir -m 777 /mnt/state
cp "$1" /mnt/sweep.yaml
mount -t tmpfs tmpfs /mnt/state -o mode=1777
mount -o remount,ro /mnt
mount -t tmpfs tmpfs /tmp -o mode=1777
cd /
if touch /written 2>/dev/null; then echo "the root is writable" >&2; exit 99; fi
shift
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set -all,+dac_read_search \
    --inh-caps -all,+dac_read_search --ambient-caps +dac_read_search \
    env -i PATH=/usr/bin:/bin HOME=/tmp XDG_STATE_HOME=/mnt/state PYTHONDONTWRITEBYTECODE=1 "$@"
"""
"""It may read what only root can here, for that is where an interpreter may lie; in an image it needs no such right."""


@pytest.mark.slow
def test_the_sweep_of_a_manifest_runs_as_nobody_on_a_file_system_to_read_only(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"):
        pytest.skip("a pod is made by root, with unshare and setpriv")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system makes no namespaces")
    [config] = [found for found in YAML(typ="safe").load_all(ONE_POD) if found["kind"] == "ConfigMap"]
    (tmp_path / "sweep.yaml").write_text(config["data"]["sweep.yaml"])
    hpo = [sys.executable, "-c", "from hpo.cli.main import main; main()", "run", "/mnt/sweep.yaml"]
    here = ["-Stracker.artifacts=/mnt/state/mlruns", "-Sbudget.n_trials=4", "-Sparallel.n_jobs=2"]
    variables = [f"PYTHONPATH={ROOT}", "HPO_TRACKER=sqlite:////mnt/state/mlflow.db"]
    command = ["sh", "-ec", POD, "sh", str(tmp_path / "sweep.yaml"), *variables, *hpo, *here]
    done = subprocess.run(["unshare", "--mount", "--fork", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sweep iris: 4 trials (4 COMPLETE)" in done.stdout
    assert "registered iris version 1" in done.stdout
