"""Starts an unmodified nova-compute that finds the lab's driver too: Nova looks below nova.virt only."""

from __future__ import annotations

import sys
from pathlib import Path

import nova.virt

# Like the shipped script: importing nova.cmd patches the standard library for eventlet.
from nova.cmd import compute

if __name__ == "__main__":
    nova.virt.__path__.append(str(Path(__file__).with_name("nova_virt")))
    sys.exit(compute.main())
