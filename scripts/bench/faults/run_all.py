"""Makes the table of what others do when things go wrong, by doing it: one row a case and tool.

Usage: python scripts/bench/faults/run_all.py [optuna hyperopt mlflow]
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

TOOLS = ("optuna", "hyperopt", "mlflow")


def main() -> None:
    print("| case | tool | what happened |\n|---|---|---|")
    for tool in sys.argv[1:] or TOOLS:
        script = Path(__file__).with_name(f"{tool}_faults.py")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            case, _, seen = line.partition("\t")
            print(f"| {case} | {tool} {version(tool)} | {seen.replace('|', '/')} |", flush=True)
        if done.returncode:
            sys.exit(f"{script.name} ended with {done.returncode}:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
