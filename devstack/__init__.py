"""Real OpenStack clouds to run oidproxy against: the lab on one machine."""
