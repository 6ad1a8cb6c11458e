#!/bin/sh
# Installs what lies beside it (a gateway's agent or a hub), or a newer version over an older one.
# Made by `make bundle`; needs Python 3.11 or newer and nothing else, no internet either.
#
#   sudo ./install.sh                       in /opt/citytwin-edge, as a service of systemd
#   sudo ./install.sh --rollback            back to the version before
#   sudo ./install.sh --uninstall           all but the configuration and what was kept
#   sudo ./install.sh --uninstall --purge   everything
#   ./install.sh --prefix FOLDER            in FOLDER, without a service
#
# Each version has a folder of its own and `current` points at the one in use: a version that does
# not install changes nothing, and one that does not run is undone by pointing `current` back.
set -eu
here=$(dirname "$(readlink -f "$0")")

# A bundle is looked at as a whole before anything of it is used.
if [ -d "$here/wheels" ] && ! (cd "$here" && sha256sum --check --quiet SHA256SUMS >&2); then
    echo "This folder is not as it was made; copy it again." >&2
    exit 1
fi
python=$(sh "$here/python.sh")
# -B: nothing is written to the stick. -P: what lies where the technician stands is not imported.
PYTHONPATH="$here" exec "$python" -B -P -m installer "$@"
