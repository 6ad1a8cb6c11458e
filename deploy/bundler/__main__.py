"""``python -m bundler edge|hub FOLDER``; deploy/bundle.sh runs it."""

import sys

from bundler.cli import main

sys.exit(main())
