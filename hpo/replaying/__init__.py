"""Runs recorded trials again, and says whether they give the same numbers."""
