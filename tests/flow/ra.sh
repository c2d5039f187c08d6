#!/usr/bin/env bash
# The RA certificates roll over before they end: the next generation is offered, and messages made for the one before are still opened and
# answered by it.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
url=$CHANCERY_SCEP_URL
flow_tool scep_client scep_open
flow_objects
profile=ra-$tag
version="(SELECT v.ca_version_id FROM chancery.ca_version v JOIN chancery.ca c USING (ca_id) WHERE c.uuid = '$CHANCERY_CA_ID' AND v.state = 'active')"
generations() { owner_sql -c "SELECT count(*) FROM chancery.ra WHERE ca_version_id = $version"; }
more_generations() { (($(generations) > $1)); }
offers_another() { scep_ca "$url" new && ! cmp -s "$w/new.0.pem" "$w/ca.0.pem"; }
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}},O=Flow'
ok 'two devices' flow_device "old-$tag"
flow_device "new-$tag"
ok 'GetCACert' scep_ca "$url" ca
before=$(generations)
# Ten days before the newest pair's end, as the database sees it: rows of ra are immutable, so the triggers are put aside for this one statement.
owner_sql -c 'SET session_replication_role = replica' -c "UPDATE chancery.ra SET not_after = now() + interval '10 days' WHERE ca_version_id = $version"
# It looks once a minute, and when it starts. One that is told to end while the signer works for it leaves its lease behind.
kill "$(pid_of publisher)"
owner_sql -c "UPDATE chancery.lease SET until = '-infinity' WHERE name = 'upkeep'"
ok 'the publisher has the next generation made' wait_for 90 more_generations "$before"
ok 'GetCACert offers it' wait_for 60 offers_another
is 'one generation more, not several' "$(generations)" "$((before + 1))"
is 'the new certificates are for the same CA' "$(openssl x509 -in "$w/new.0.pem" -noout -issuer)" "$(openssl x509 -in "$w/ca.0.pem" -noout -issuer)"
for half in new.0 new.1; do ok "$half.pem verifies" openssl verify -CAfile "$CHANCERY_ROOT_CERT" -untrusted "$w/new.2.pem" "$w/$half.pem"; done
new_key old
say "$url" key=old cn="old-$tag" challenge="$(challenge "$profile" "old-$tag")"
is 'a message for the earlier generation is opened, and answered by it' "$answer" '0 - -'
new_key new
say "$url" key=new cn="new-$tag" challenge="$(challenge "$profile" "new-$tag")" to="$w/new.0.pem" ra="$w/new.1.pem"
is 'a message for the new one is answered by the new one' "$answer" '0 - -'
finish
