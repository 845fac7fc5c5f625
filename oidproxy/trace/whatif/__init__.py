"""What is changed against the trace: scopes, round-trip times, outages. Pure values, parsed from texts."""
