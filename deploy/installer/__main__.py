"""``python -m installer``; install.sh runs it."""

import sys

from installer.cli import main

sys.exit(main())
