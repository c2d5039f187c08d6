#!/usr/bin/env bash
# The database layer against a real server: every type, deadlines, lost answers, restarts, migrations. In a scratch database of the system's cluster.
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
# shellcheck source=../tap.sh
source ../tap.sh
use_system
host=$CHANCERY_DIR/run/postgres
scratch=scratch_$$
as_owner() { psql -X -q -A -t "host=$host user=chancery_owner dbname=$1" -c "$2"; }
tap_cleanup() {
    as_owner postgres "DROP DATABASE IF EXISTS $scratch WITH (FORCE)" > /dev/null 2>&1
    rm -rf "$tap_work"
}

for program in db_live migrate_live db_faults; do
    as_owner postgres "DROP DATABASE IF EXISTS $scratch WITH (FORCE)" > /dev/null 2>&1
    as_owner postgres "CREATE DATABASE $scratch" > /dev/null
    "$CHANCERY_BUILD/tests/flow/$program" "host=$host user=chancery_owner dbname=$scratch" > "$tap_work/$program" 2> "$tap_work/$program.err"
    status=$?
    while IFS= read -r line; do
        case $line in
        'ok '*) pass "$program: ${line#ok * - }" ;;
        'not ok '*) fail "$program: ${line#not ok * - }" ;;
        esac
    done < "$tap_work/$program"
    if ((status != 0)); then fail "$program ended with status $status" "$(tail -n 5 "$tap_work/$program.err")"; fi
done
finish
