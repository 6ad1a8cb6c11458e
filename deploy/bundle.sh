#!/bin/sh
# Puts all that machines need to install a part of CityTwin into one folder: they may have no
# internet. One bundle serves Debian, Ubuntu and Raspberry Pi OS on amd64 and arm64.
#
#   deploy/bundle.sh VENV edge|hub FOLDER
#   deploy/bundle.sh VENV edge FOLDER --for arm64 --python 3.13     smaller, for these only
#   deploy/bundle.sh VENV edge FOLDER --for here                    for machines like this one
#   deploy/bundle.sh VENV edge FOLDER --compiled                    with numba: fast, and large
set -eu
python="$1/bin/python"
shift
PYTHONPATH="$(dirname "$0")" exec "$python" -m bundler "$@"
