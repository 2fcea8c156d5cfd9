"""Sends sweeps to other MLflow servers: beside a running sweep, and afterwards."""
