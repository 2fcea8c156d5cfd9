"""A Ray cluster of several nodes, as a process that does what its stdin says; started by ray_processes.py.

add CPUS: one more node.   drop: kills the node that was added last.   head: kills the head.
Each is answered by a line.
"""

import socket
import sys

from ray.cluster_utils import Cluster

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
head = {"num_cpus": 0, "include_dashboard": False, "ray_client_server_port": port}
cluster = Cluster(initialize_head=True, head_node_args=head)
nodes = []
print(cluster.address, f"ray://127.0.0.1:{port}", flush=True)
for line in sys.stdin:
    word, *more = line.split()
    match word:
        case "add":
            nodes.append(cluster.add_node(num_cpus=int(more[0])))
            cluster.wait_for_nodes()
        case "drop":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        case "head":
            cluster.head_node.kill_gcs_server(check_alive=False)
    print("done", flush=True)
cluster.shutdown()
