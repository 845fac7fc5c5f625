"""What the proxy tells of its work: access lines, counters, logs; and what none of them may tell."""
