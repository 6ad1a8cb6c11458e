#!/bin/sh
# Resolves deploy/requirements/*.in into hash-pinned *.txt: one set of versions for every machine.
#
#   lock.sh UV            keep what is pinned, add and remove what the .in files ask for
#   lock.sh UV --upgrade  take the newest versions
#
# dev.txt is resolved first; the smaller sets are resolved under it, so that a version is the same
# in all of them. The answers hold no address of a registry: each machine uses its own index, and
# the hashes prove that what it serves is the same file. Machine-local indexes and folders are left
# out on purpose (--no-config, UV_* and PIP_* unset), so the hashes are those of the public index.
set -eu
uv=$1
shift
cd "$(dirname "$0")"
unset UV_INDEX UV_INDEX_URL UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_CONSTRAINT
unset PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_CONSTRAINT
for bundle in "${SSL_CERT_FILE:-}" "${PIP_CERT:-}" /etc/ssl/certs/ca-certificates.crt; do
    if [ -n "$bundle" ] && [ -f "$bundle" ]; then
        export SSL_CERT_FILE="$bundle"
        break
    fi
done

compile() {
    name=$1
    shift
    "$uv" pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        --output-file "$name.txt" "$name.in" "$@" >/dev/null
    echo "deploy/requirements/$name.txt: $(grep -c '==' "$name.txt") distributions"
}

compile dev "$@"
# What another project's suite is run with is never in one environment with the others.
compile conformance "$@"
for name in build edge compiled hub import demo; do
    compile "$name" --constraint dev.txt "$@"
done
