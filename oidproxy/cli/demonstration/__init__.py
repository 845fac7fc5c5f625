"""What `oidproxy demo` starts, runs and shows: clouds, proxy, client, and the table of every call."""
