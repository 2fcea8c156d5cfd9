"""Pruners: optuna's rules behind one protocol, for every engine."""
