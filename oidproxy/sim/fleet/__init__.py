"""Many simulated clouds in one process: their addresses, their content, their latencies and faults."""
