"""`python -m anymask`: the command line."""

import sys

from anymask.cli.main import main

sys.exit(main())
