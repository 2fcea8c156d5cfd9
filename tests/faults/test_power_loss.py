"""What is printed is on the disk before it is printed: the order of system calls, as strace sees it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

OPENED = re.compile(r"open(?:at)?\(.*\"([^\"]*)\".*\) = (\d+)$")
SYNCED = re.compile(r"(?:fdatasync|fsync)\((\d+)\) += 0")
PRINTED = re.compile(r"write\(2, \"trial (\d+) COMPLETE")
WRITTEN = re.compile(r"pwrite64\((\d+), ")


def traced(folder, trace: Path) -> list[str]:
    calls = "trace=openat,open,fdatasync,fsync,write,pwrite64"
    strace = ["strace", "-o", str(trace), "-e", calls, "-s", "40", *folder.command("run", "sweep.yaml")]
    done = subprocess.run(strace, cwd=folder.path, env=folder.environment, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip(f"this machine lets nobody trace: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return trace.read_text(errors="replace").splitlines()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_log_is_synced_between_the_last_write_to_it_and_the_line_that_says_complete(
    sweep_folder, tmp_path: Path
) -> None:
    """F32, G1: every trial's own commit reached the disk first."""
    logs: set[str] = set()  # several connections have the log open; a number may be used again for another file
    unsynced, synced, printed = 0, 0, []
    for line in traced(sweep_folder, tmp_path / "trace.txt"):
        if found := OPENED.search(line):
            (logs.add if found[1].endswith("-wal") else logs.discard)(found[2])
        elif (found := WRITTEN.match(line)) and found[1] in logs:
            unsynced += 1
        elif (found := SYNCED.match(line)) and found[1] in logs:
            synced, unsynced = synced + 1, 0
        elif found := PRINTED.match(line):
            printed.append(int(found[1]))
            assert unsynced == 0, f"trial {found[1]} was printed with {unsynced} writes to the log not synced"
            assert synced > int(found[1]), f"trial {found[1]} was printed after {synced} syncs of the log"
    assert printed == list(range(6))
