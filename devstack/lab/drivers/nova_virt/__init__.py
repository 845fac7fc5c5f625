"""Modules that nova-compute of the lab finds below `nova.virt`."""
