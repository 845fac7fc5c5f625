"""Tests on real OpenStack clouds, which `make lab-up` starts."""
