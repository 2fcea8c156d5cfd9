"""The taxi-duration pipeline as plain functions: preprocess, train, search, register."""

from hpo.pipeline.preprocessing import Preprocessed, preprocess

__all__ = ["Preprocessed", "preprocess"]
