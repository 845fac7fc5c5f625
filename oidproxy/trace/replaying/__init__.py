"""Replay in real time: sends a trace's requests to any OpenStack, or to a proxy in front of it."""
