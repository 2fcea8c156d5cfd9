"""Tracking stores and model registries; never imports `hpo`."""
