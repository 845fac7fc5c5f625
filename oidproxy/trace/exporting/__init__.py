"""Traces into formats that other programs read."""
