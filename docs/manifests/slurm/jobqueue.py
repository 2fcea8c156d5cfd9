"""A sweep on workers that dask-jobqueue asks Slurm for, as many as the queue gives.

. ./dask-tls.sh; python jobqueue.py sweep.yaml --jobs 8          # on a login node, or in a small job of its own
"""

import argparse
import subprocess
import sys

from dask_jobqueue import SLURMCluster
from distributed import Security

PROCESSES = 16
"""Workers in one job; each carries one trial at a time."""


def cluster_of(walltime: str, interface: str | None) -> SLURMCluster:
    """A scheduler in this process; its workers are jobs of `PROCESSES` processors."""
    return SLURMCluster(
        cores=PROCESSES,
        processes=PROCESSES,
        memory="64GB",
        walltime=walltime,
        interface=interface,  # of the fast network, such as ib0
        security=Security(require_encryption=True),  # certificates: those of dask-tls.sh
        worker_extra_args=["--memory-limit", "0"],  # trials are no part of dask's own processes
        scheduler_options={"dashboard": False},
    )


def main() -> int:
    """The exit code of the sweep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--walltime", default="04:00:00")
    parser.add_argument("--interface")
    parser.add_argument("--show", action="store_true", help="print the job that would be submitted")
    options = parser.parse_args()
    with cluster_of(options.walltime, options.interface) as cluster:
        if options.show:
            print(cluster.job_script())
            return 0
        cluster.adapt(minimum_jobs=options.jobs, maximum_jobs=options.jobs)  # one whose time is over is followed
        settings = {
            "backend": "dask",
            "address": cluster.scheduler_address,
            "n_jobs": str(options.jobs * PROCESSES),
        }
        words = [word for name, value in settings.items() for word in ("-S", f"parallel.{name}={value}")]
        return subprocess.run(["hpo", "run", options.sweep, *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
