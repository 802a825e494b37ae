# What the scripts of this folder share: a scratch folder that goes away, and checks that count failures.
# Sourced as: . "$SLUICE_SOURCE/tests/cli/lib.sh"
set -u
: "${SLUICE:?the program under test}" "${SLUICE_SOURCE:?the source folder}"
scratch=$(mktemp -d) || exit 1
failed=0
up=
unset SERVING_URL LAKE_URL RANDOMUSER_URL
clean() {
    [ -n "$up" ] && kill -9 "$up" 2>/dev/null
    rm -rf "$scratch"
}
trap clean EXIT
cd "$scratch" || exit 1

fail() {
    echo "FAILED: $*"
    failed=1
}

# runs STATUS ARGUMENT…: stdout in $scratch/.out, stderr in $scratch/.err
runs() {
    wanted=$1
    shift
    "$SLUICE" "$@" >"$scratch/.out" 2>"$scratch/.err" </dev/null
    status=$?
    if [ "$status" != "$wanted" ]; then
        fail "sluice $*: exit $status, not $wanted"
        cat "$scratch/.out" "$scratch/.err"
    fi
}
# out TEXT, err TEXT: the last stdout or stderr holds it; is TEXT: stdout is exactly that
out() { grep -qF -- "$1" "$scratch/.out" || { fail "no \"$1\" in stdout:"; cat "$scratch/.out"; }; }
err() { grep -qF -- "$1" "$scratch/.err" || { fail "no \"$1\" in stderr:"; cat "$scratch/.err"; }; }
is() {
    [ "$(cat "$scratch/.out")" = "$1" ] && return
    fail "stdout is not: $1"
    cat "$scratch/.out" "$scratch/.err"
}

# until_true COMMAND…: within 20 s
until_true() {
    tries=0
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -gt 200 ] && { fail "never true: $*"; return 1; }
        sleep 0.1
    done
}

# start_up DIR [ARGUMENT…]: `up` in the background, without an HTTP port; $up is its process
start_up() {
    "$SLUICE" up "$@" --set settings.listen.http=off --set settings.listen.kafka=off --set "settings.listen.registry=${REGISTRY:-off}" >"$scratch/up.out" 2>"$scratch/up.err" </dev/null &
    up=$!
    until_true test -S "$1/.sluice/control.sock"
}
# stop_up STATUS: SIGTERM ends it in order
stop_up() {
    kill -TERM "$up"
    wait "$up"
    status=$?
    up=
    [ "$status" = "$1" ] || { fail "up ended with $status, not $1"; cat "$scratch/up.err"; }
}
