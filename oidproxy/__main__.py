"""`python -m oidproxy`: the same as the `oidproxy` command."""

import sys

from oidproxy.cli.main import main

sys.exit(main())
