"""oidproxy: a scope-aware reverse proxy in front of many OpenStack clouds."""
