"""The program of a sweep: one run of it is one trial."""

import argparse
import json


def main() -> None:
    """Put your training here; print the metrics as JSON lines, those on the way with a step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=float, required=True)
    parser.add_argument("--width", type=float, required=True)
    parser.add_argument("--shape", choices=["round", "square"], default="round")
    parser.add_argument("--corner", type=int, default=0)
    parser.add_argument("--steps", type=int, default=5)
    args = parser.parse_args()
    loss = (args.x - 1) ** 2 + (args.width - 0.5) ** 2 + args.corner / 10
    for step in range(args.steps):
        print(json.dumps({"step": step, "loss": loss + 1 / (step + 1)}), flush=True)  # a pruner may end it here
    print(json.dumps({"loss": loss, "distance": abs(args.x - 1)}))


if __name__ == "__main__":
    main()
