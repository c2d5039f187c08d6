#!/usr/bin/env bash
# Acts as each role: tests/sql/statements says for each statement whether it works or how it is refused; tests/sql/catalog what the catalogue must not hold.
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
# shellcheck source=../tap.sh
source ../tap.sh
use_system

while IFS='|' read -r role verdict statement why; do
    if [[ -z $role || $role == \#* ]]; then continue; fi
    read -r role <<< "$role"
    read -r verdict <<< "$verdict"
    out=$(psql -X -q -A -t -v VERBOSITY=verbose "$CHANCERY_PGCONN" -c "SET SESSION AUTHORIZATION $role" -c BEGIN -c "$statement" -c ROLLBACK 2>&1)
    found=$(sed -n 's/^ERROR: *\([A-Z0-9]\{5\}\): *\(.*\)/\1 \2/p' <<< "$out" | head -n 1)
    case $found in
    '') found=ok ;;
    'CH000 '*) found=${found#CH000 } ;;
    *) found=${found%% *} ;;
    esac
    if [[ $found == "$verdict" ]]; then pass "$role: $verdict:${why}"; else fail "$role: $verdict:${why}" "statement:$statement" "found: $found" "$out"; fi
done < statements

while IFS='|' read -r wanted query why; do
    if [[ -z $wanted || $wanted == \#* ]]; then continue; fi
    # "||" in a query is read as fields of its own: the last field is the reason, the rest the query.
    rest="$query|$why"
    query=${rest%|*}
    why=${rest##*|}
    is "catalogue:$why" "$(owner_sql -c "$query" 2>&1)" "${wanted// /}"
done < catalog
finish
