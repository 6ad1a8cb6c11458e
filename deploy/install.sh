#!/bin/sh
# Installs what lies beside it (a gateway's agent or a hub), or a newer version over an older one.
# Made by `make bundle`; needs Python 3.11 or newer and nothing else, no internet either.
#
#   sudo ./install.sh                       in /opt/citytwin-edge, as a service of systemd
#   ./install.sh --prefix FOLDER            in FOLDER, without a service
#
# Each version has a folder of its own and `current` points at the one in use: a version that does
# not install changes nothing, and one that does not work is undone by pointing `current` back.
set -eu
cd "$(dirname "$0")"

part=hub
[ ! -e citytwin-edge.service ] || part=edge
name=citytwin-$part
prefix=/opt/$name
service=yes
case "${1:-}" in
"") ;;
--prefix)
    prefix=${2:?"--prefix needs a folder"}
    service=no
    ;;
*)
    echo "usage: ./install.sh [--prefix FOLDER]" >&2
    exit 2
    ;;
esac

if [ "$service" = yes ] && [ "$(id -u)" != 0 ]; then
    echo "A service is installed by root: sudo ./install.sh (or --prefix FOLDER without one)." >&2
    exit 1
fi
if ! sha256sum --check --quiet SHA256SUMS >&2; then
    echo "This folder is not as it was made; copy it again." >&2
    exit 1
fi
python=$(./python.sh)
version=$(sha256sum SHA256SUMS | cut -c 1-12)
folder=$prefix/$version

if [ ! -e "$folder/complete" ]; then
    echo "Installing $name in $folder with $("$python" --version)"
    rm -rf "$folder"
    mkdir -p "$prefix"
    "$python" -m venv --without-pip "$folder"
    # Exactly what was bundled: nothing is looked up, nothing else is taken.
    pip=$(echo wheels/pip-*.whl)/pip
    "$folder/bin/python" "$pip" --quiet --disable-pip-version-check --no-input \
        install --no-index --no-deps --no-warn-script-location wheels/*.whl || {
        echo "Was the bundle made on a machine with the same processor and Python version?" >&2
        exit 1
    }
    "$folder/bin/$name" --help >/dev/null
    touch "$folder/complete"
fi
ln -sfn "$version" "$prefix/current"

if [ "$service" = no ]; then
    echo "$prefix/current/bin/$name is ready."
    exit 0
fi

id -u citytwin >/dev/null 2>&1 ||
    useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin citytwin
# Serial ports belong to this group.
! getent group dialout >/dev/null || usermod --append --groups dialout citytwin
! getent group bluetooth >/dev/null || usermod --append --groups bluetooth citytwin
install -d -m 0750 -o citytwin -g citytwin "/var/lib/$name"
install -d /etc/citytwin
# The agent puts a configuration that the hub pushes into this folder.
[ "$part" != edge ] || chown citytwin:citytwin /etc/citytwin
[ -e "/etc/citytwin/$part.toml" ] ||
    install -m 0644 -o citytwin -g citytwin "$part.toml" "/etc/citytwin/$part.toml"
install -m 0644 "$name.service" "/etc/systemd/system/$name.service"
ln -sfn "$prefix/current/bin/$name" "/usr/local/bin/$name"
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # One that runs goes on with the new version; a new one is started by a person.
    systemctl try-restart "$name"
fi
echo "$name is installed. Its configuration is /etc/citytwin/$part.toml; when that is right:"
if [ "$part" = edge ]; then
    echo "  citytwin-edge check && citytwin-edge probe"
    echo "  sudo citytwin-edge enrol HUB TOKEN"
fi
echo "  sudo systemctl enable --now $name"
