#!/bin/sh
# Puts all that a machine needs to install a part of CityTwin into one folder: it may have no
# internet. Made on a machine of the same kind (processor, Python version) as the one it is for.
#
#   deploy/bundle.sh VENV edge|hub FOLDER
set -eu
cd "$(dirname "$0")/.."
python="$1/bin/python"
part=$2
folder=$3

case $part in
edge) ours="./common ./protos ./edge" ;;
hub) ours="./common ./protos ./hub" ;;
*)
    echo "usage: deploy/bundle.sh VENV edge|hub FOLDER" >&2
    exit 2
    ;;
esac

wheel() {
    "$python" -m pip wheel --quiet --disable-pip-version-check --no-input \
        --wheel-dir "$folder/wheels" "$@"
}

rm -rf "$folder"
mkdir -p "$folder/wheels"
# The installer runs pip from its wheel, so the machine needs none.
awk '/^pip==/ { on = 1 } on { print } on && !/\\$/ { exit }' deploy/requirements/edge.txt \
    >"$folder/pip.txt"
wheel --require-hashes -r "$folder/pip.txt"
rm "$folder/pip.txt"
wheel --require-hashes -r "deploy/requirements/$part.txt"
# shellcheck disable=SC2086  # a list of folders
wheel --no-deps --no-build-isolation $ours

cp deploy/install.sh deploy/python.sh "$folder"
cp "deploy/systemd/citytwin-$part.service" "$folder"
cp "deploy/examples/$part.toml" "$folder"
# Lets the installer notice a copy that was cut short or changed on the way.
(cd "$folder" && find . -type f ! -name SHA256SUMS | sort | xargs sha256sum >SHA256SUMS)
echo "$folder is ready; copy it to the machine and run there: sudo ./install.sh"
