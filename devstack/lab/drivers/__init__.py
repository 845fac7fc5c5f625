"""Drivers that OpenStack's services load in the lab, in place of hypervisor, switch and disks."""
