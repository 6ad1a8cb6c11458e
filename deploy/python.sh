#!/bin/sh
# Prints the first Python that fits, or says in one sentence that there is none.
#
# PYTHON=/path/to/python names one. 3.11 to 3.13 are tried before newer ones, for which the
# pinned libraries may have no ready-made files yet.
set -eu

fits() { # python newest-minor
    "$1" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $2))" \
        >/dev/null 2>&1
}

for newest in 13 99; do
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
        if fits "$candidate" "$newest"; then
            echo "$candidate"
            exit 0
        fi
    done
done
found=$(python3 --version 2>/dev/null || echo "no python3 at all")
echo "CityTwin needs Python 3.11 or newer; this machine has $found." \
    "Install one (Debian: python3, Ubuntu 22.04: python3.11), or name one" \
    "before the command: PYTHON=/path/to/python3.11" >&2
exit 1
