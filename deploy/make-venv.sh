#!/bin/sh
# Makes an empty virtual environment with the first fitting Python (python.sh says which).
#
#   deploy/make-venv.sh FOLDER
set -eu
folder=$1
here=$(dirname "$0")

python=$("$here/python.sh")
"$here/debian-packages.sh" venv "$python"
echo "Making $folder with $("$python" --version)"
rm -rf "$folder"
"$python" -m venv "$folder"
