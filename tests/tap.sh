# tap: what the shell tests share: TAP lines, conditions to wait for, the running system's environment. To be sourced.
#
#   ok DESCRIPTION COMMAND...      passes when the command succeeds
#   refused DESCRIPTION COMMAND... passes when the command fails
#   is DESCRIPTION FOUND WANTED    passes when both are the same text
#   like DESCRIPTION TEXT REGEX    passes when the text matches
#   wait_for SECONDS COMMAND...    until the command succeeds; false when it does not in time
#   finish                         the plan; exit status 1 when something failed
set -uo pipefail
tap_count=0
tap_failed=0
tap_work=$(mktemp -d "${TMPDIR:-/tmp}/chancery-test.XXXXXX")
tap_cleanup() { rm -rf "$tap_work"; }
trap tap_cleanup EXIT

pass() {
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s\n' "$tap_count" "$1"
}
fail() {
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_count" "$1"
    shift
    if (($# > 0)); then printf '%s\n' "$@" | head -n 20 | sed 's/^/#   /'; fi
}
ok() {
    local what=$1 out
    shift
    if out=$("$@" 2>&1); then pass "$what"; else fail "$what" "command: $*" "$out"; fi
}
refused() {
    local what=$1 out
    shift
    if out=$("$@" 2>&1); then fail "$what" "command succeeded: $*" "$out"; else pass "$what"; fi
}
is() { if [[ $2 == "$3" ]]; then pass "$1"; else fail "$1" "found:  $2" "wanted: $3"; fi; }
like() { if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "found:  $2" "wanted: /$3/"; fi; }
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        if ((SECONDS >= end)); then return 1; fi
        sleep 0.1
    done
}
finish() {
    printf '1..%d\n' "$tap_count"
    exit $((tap_failed > 0))
}

# The running system: DIR/run/env of quickstart, named by CHANCERY_DIR; CHANCERY_FRONT is a file that names the URLs of another web server in front of it.
use_system() {
    # shellcheck disable=SC1090
    source "${CHANCERY_DIR:?the directory of a running quickstart}/run/env"
    # shellcheck disable=SC1090
    if [[ -n ${CHANCERY_FRONT:-} ]]; then source "$CHANCERY_FRONT"; fi
    # Debian's own psql is a script in Perl around this one, and takes five times as long.
    PATH=/usr/lib/postgresql/15/bin:$PATH
}
# As the owner of the database; prints bare values.
owner_sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$CHANCERY_PGCONN" "$@"; }
# The pid of a program by its name in DIR/run/pids.
pid_of() { tr ' ' '\n' < "$CHANCERY_DIR/run/pids" | sed -n "s/^$1=//p"; }
