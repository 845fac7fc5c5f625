"""The command line: `oidproxy serve | demo | sim | config | scope`."""
