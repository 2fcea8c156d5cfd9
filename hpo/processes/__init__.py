"""Processes that trials start, and what they print."""
