#!/bin/sh
# Installs the Debian or Ubuntu packages that a part of CityTwin needs, and only what is missing.
#
#   deploy/debian-packages.sh test          what `make test` needs
#   deploy/debian-packages.sh venv PYTHON   what PYTHON needs to make a virtual environment
#   deploy/debian-packages.sh --list SET    print what is missing, change nothing
#
# As root it installs; with password-less sudo it uses that; otherwise it stops with one sentence
# that names the command to type. When nothing is missing it does not touch apt at all.
set -eu

only_list=no
if [ "${1:-}" = --list ]; then
    only_list=yes
    shift
fi
set_name=${1:-}
python=${2:-python3}

# A person's PATH often lacks the sbin folders, where Debian keeps servers.
PATH="$PATH:/usr/sbin:/sbin"
missing=

want_command() { # command package: the package is wanted when the command is not there
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

want_file() { # file package
    [ -e "$1" ] || missing="$missing $2"
}

want_library() { # library package
    ldconfig -p | grep -q "$1" || missing="$missing $2"
}

want_browser() { # tests/ drive a real Chromium; any of these will do
    for browser in chromium chromium-browser google-chrome; do
        if command -v "$browser" >/dev/null 2>&1; then
            return
        fi
    done
    if grep -qi '^ID=ubuntu' /etc/os-release; then
        missing="$missing chromium-browser"
    else
        missing="$missing chromium"
    fi
}

case $set_name in
test)
    want_command mosquitto mosquitto               # the MQTT broker the adapter is tested against
    want_command mosquitto_pub mosquitto-clients   # an independent MQTT client
    want_library libmodbus.so.5 libmodbus5         # a Modbus unit that is not ours
    want_command dbus-daemon dbus-daemon           # a bus of their own for Bluetooth devices
    want_command socat socat                       # pairs of pseudo-terminals: serial lines
    want_command strace strace                     # what a power cut would leave on a disk
    want_command faketime faketime                 # clocks that are set while a program runs
    want_command ogrinfo gdal-bin                  # the client on which QGIS stands: features, tiles
    want_command systemd-analyze systemd           # how many rights the services have
    want_command systemd-nspawn systemd-container  # a machine with a systemd of its own
    want_browser                                   # the page is tested in a real browser
    want_file /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core # Kazakh letters
    ;;
venv)
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing=" python$version-venv"
    ;;
*)
    echo "usage: deploy/debian-packages.sh [--list] test | venv [PYTHON]" >&2
    exit 2
    ;;
esac

missing=${missing# }
if [ "$only_list" = yes ]; then
    [ -z "$missing" ] || printf '%s\n' $missing
    exit 0
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "These programs are missing and there is no apt-get to install them: $missing." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "Please install what is missing, then try again: sudo apt-get install $missing" >&2
    exit 1
fi

echo "Installing Debian packages: $missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
        "$@" >"$log" 2>&1 </dev/null
}
# shellcheck disable=SC2086  # a list of packages
if ! { apt update && apt install --no-install-recommends $missing; }; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install $missing; its last lines are above." >&2
    exit 1
fi
