#!/usr/bin/env bash
# The database's owner cannot widen a CA: a CA version whose row was changed behind the signer's back signs nothing, and says so in the log.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
ca=seal-$tag
profile=seal-$tag
flow_authority "$ca" || printf 'Bail out! no CA\n'
ok 'a profile' flow_profile "$profile" --ca "$ca" --subject 'CN={{DeviceName}},O=Flow'
url=$CHANCERY_HTTP_URL/scep/$(shown "$ca" id)
scep_ca "$url" ca
version=$(owner_sql -c "SELECT v.ca_version_id FROM chancery.ca_version v JOIN chancery.ca c USING (ca_id) WHERE c.name = '$ca'")
# change COLUMN EXPRESSION: as a superuser who has put the triggers aside, and back again. A worker that already holds the CA would not look again, so
# this comes before its first enrolment.
change() { owner_sql -c 'SET session_replication_role = replica' -c "UPDATE chancery.ca_version SET $1 = $2 WHERE ca_version_id = $version"; }
change_ca() { owner_sql -c 'SET session_replication_role = replica' -c "UPDATE chancery.ca SET $1 = $2 WHERE name = '$ca'"; }
sealed() { grep -c 'event=ca-seal-refused' "$CHANCERY_DIR/log/signer.log"; }
attempt() {
    local device=$1
    flow_device "$device"
    new_key "$device"
    say "$url" key="$device" cn="$device" challenge="$(challenge "$profile" "$device")"
}
n=0
while IFS='|' read -r table column expression why; do
    n=$((n + 1))
    before=$(sealed)
    if [[ $table == ca ]]; then
        old=$(owner_sql -c "SELECT quote_nullable($column) FROM chancery.ca WHERE name = '$ca'")
        change_ca "$column" "$expression"
    else
        old=$(owner_sql -c "SELECT quote_nullable($column) FROM chancery.ca_version WHERE ca_version_id = $version")
        change "$column" "$expression"
    fi
    attempt "seal-$n-$tag"
    is "$why: no certificate" "${answer%% *}" 2
    ok "$why: the log says why" test "$(sealed)" -gt "$before"
    if [[ $table == ca ]]; then change_ca "$column" "$old"; else change "$column" "$old"; fi
done <<'CASES'
version|chain|ARRAY[(SELECT certificate FROM chancery.ca_version WHERE ca_version_id = 1)]|another chain
version|crl_url|concat(crl_url, 'x')|another CRL address
version|aia_url|concat(aia_url, 'x')|another AIA address
version|crl_shards|4|shards
version|seal|sha224(seal)|another seal
ca|names_from_requests|true|a CA that takes names from requests
CASES
attempt "seal-good-$tag"
is 'as it was, it issues' "$answer" '0 - -'
finish
