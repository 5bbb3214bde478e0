"""Command line of the simulated warehouse: `python -m helpers.fulfillment generate|describe|drift`."""

import sys

from helpers.fulfillment.command_line import main

sys.exit(main())
