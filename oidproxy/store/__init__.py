"""The small shared state of all workers: entries and leases, each with its end."""
