"""`python -m conformance`: the command, where its script is not on the path."""

import sys

from conformance.cli import main

sys.exit(main())
