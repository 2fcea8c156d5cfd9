"""Samplers: random, grid, and the engines behind one protocol."""
