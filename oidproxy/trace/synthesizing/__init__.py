"""Traces of workloads that never were: users, what they do and how often, in a small YAML file."""
