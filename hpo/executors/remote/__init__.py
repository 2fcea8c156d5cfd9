"""Slots on other machines: one line protocol, and several ways to place what speaks it."""
