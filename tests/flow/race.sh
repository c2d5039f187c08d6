#!/usr/bin/env bash
# What commits between the signer's read and its write wins. The write of an enrolment is made to wait on a lock that another session holds; what
# that session then changes and commits must refuse the enrolment and leave no certificate. Also: two at once with one challenge, or with one key.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
ca="Race CA $tag" profile=race-$tag user=raceuser-$tag
flow_authority "$ca"
is 'a CA' $? 0
url=$CHANCERY_HTTP_URL/scep/$(shown "$ca" id)
version=$(owner_sql -c "select v.ca_version_id from chancery.ca_version v join chancery.ca c using (ca_id) where c.name = '$ca'")
ok 'its certificates' scep_ca "$url" ca
ok 'a profile' flow_profile "$profile" --ca "$ca" --subject 'CN={{DeviceName}}'
ok 'a profile of users' flow_profile "$user" --ca "$ca" --type user --subject 'CN={{UserName}}'
ok 'a user' chancery user add --upn "race-$tag@example.org"

# ---- another session, whose transaction is begun, filled and ended step by step ----

coproc session { psql -X -q -A -t -v ON_ERROR_STOP=0 "$CHANCERY_PGCONN" 2>&1; }
session_pid=$!
in_session() {
    local line
    printf '%s\n\\echo ---\n' "$1" >&"${session[1]}"
    while IFS= read -r -t 20 line <&"${session[0]}" && [[ $line != --- ]]; do printf '%s\n' "$line" >> "$w/session"; done
}
begin() { in_session "begin; select set_config('chancery.tenant', '1', true); $1"; }
waiters() { owner_sql -c "select count(*) from pg_stat_activity where usename = 'chancery_signer' and wait_event_type = 'Lock'"; }
waiting() { [[ $(waiters) == "${1:-1}" ]]; }
backends() { owner_sql -c "select count(*) from pg_stat_activity where usename = 'chancery_operator' and wait_event_type = 'Lock'"; }
operator_waits() { [[ $(backends) == 1 ]]; }

# prepare NAME PROFILE DEVICE CN KEY: a message in $w/NAME.message
prepare() { message "$w/$1.message" key="$5" cn="$4" o=- challenge="$(challenge "$2" "$3")"; }
send() { post "$url" "$w/$1.message" "$w/$1.reply" > "$w/$1.code" & }
# The answer to what send sent.
take() {
    wait "$2"
    open_answer "$(cat "$w/$1.code")" "$w/$1.reply" "$w/$3.key" "$w/ca.1.pem"
}
issued() { owner_sql -c "select count(*) from chancery.certificate x join chancery.device d using (device_id) where d.name = '$1'"; }
spent() { owner_sql -c "select count(*) from chancery.authorization a join chancery.delivery y on y.challenge_id = a.id join chancery.device d using (device_id)
    where d.name = '$1'"; }

# Stops the signer's workers, or lets them go on. The parent goes on: it must not take a stopped worker for a dead one.
workers() {
    local signer
    signer=$(pid_of signer)
    # shellcheck disable=SC2046
    kill "-$1" $(cat "/proc/$signer/task/$signer/children")
}

# What | lock that the write waits for | what is then changed (@D device's name) | answer | how it is undone
cat > "$w/races" <<TABLE
the CA is paused | select pg_advisory_xact_lock(20001, $version) | update chancery.ca_version set state = 'paused' where ca_version_id = $version | CertificationAuthorityPaused | update chancery.ca_version set state = 'active' where ca_version_id = $version
the CA is revoked | select pg_advisory_xact_lock(20001, $version) | update chancery.ca_version set state = 'revoked' where ca_version_id = $version | CertificationAuthorityRevoked | update chancery.ca_version set state = 'active' where ca_version_id = $version
the device is retired | select 1 from chancery.device where name = '@D' for update | update chancery.device set state = 'retired' where name = '@D' | BadDeviceIdInChallenge | update chancery.device set state = 'enrolled' where name = '@D'
the user is disabled | select 1 from chancery.person where upn = 'race-$tag@example.org' for update | update chancery.person set state = 'disabled' where upn = 'race-$tag@example.org' | BadUserIdInChallenge | update chancery.person set state = 'active' where upn = 'race-$tag@example.org'
the assignment is removed | select 1 from chancery.delivery y join chancery.device d using (device_id) where d.name = '@D' for update of y | update chancery.delivery y set state = 'withdrawn' from chancery.device d where d.device_id = y.device_id and d.name = '@D' | ScepProfileNoLongerTargetedToTheClient | update chancery.delivery y set state = 'current' from chancery.device d where d.device_id = y.device_id and d.name = '@D'
a newer challenge is made | select 1 from chancery.delivery y join chancery.device d using (device_id) where d.name = '@D' for update of y | update chancery.delivery y set challenge_id = -challenge_id from chancery.device d where d.device_id = y.device_id and d.name = '@D' | BadCertificateRequestIdInChallenge | update chancery.delivery y set challenge_id = -challenge_id from chancery.device d where d.device_id = y.device_id and d.name = '@D'
TABLE
n=0
for stopped in no yes; do
    while IFS='|' read -r what lock change wanted undo; do
        n=$((n + 1))
        d=race$n-$tag what=$(sed 's/ *$//' <<< "$what") wanted=$(tr -d ' ' <<< "$wanted")
        if [[ $stopped == yes ]]; then what="$what while the signer is stopped"; fi
        new_key "$d"
        flow_device "$d" --owner "race-$tag@example.org"
        if [[ $what == *user* ]]; then prepare race "$user" "$d" "race-$tag" "$d"; else prepare race "$profile" "$d" "$d" "$d"; fi
        begin "${lock//@D/$d};"
        send race
        sent=$!
        ok "$what: the enrolment has read and waits in its write" wait_for 20 waiting
        if [[ $stopped == yes ]]; then workers STOP; fi
        in_session "${change//@D/$d}; commit;"
        if [[ $stopped == yes ]]; then workers CONT; fi
        take race $sent "$d"
        is '  it is refused' "$answer" "2 2 $wanted"
        is '  no certificate, and nothing spent' "$(issued "$d") $(spent "$d")" '0 0'
        in_session "begin; select set_config('chancery.tenant', '1', true); ${undo//@D/$d}; commit;"
        send race
        take race $! "$d"
        is '  when that is undone the same message enrols' "$answer" '0 - -'
        is '  with one certificate' "$(issued "$d")" 1
    done < "$w/races"
done

# ---- the other way round: a change of state waits for what is being written ----

d=wait-$tag
new_key "$d"
flow_device "$d"
prepare race "$profile" "$d" "$d" "$d"
begin "select 1 from chancery.device where name = '$d' for update;"
send race
sent=$!
ok 'an enrolment is in its write' wait_for 20 waiting
chancery ca pause "$ca" &
pause=$!
ok 'a pause waits for it' wait_for 20 operator_waits
in_session 'rollback;'
take race $sent "$d"
is 'the enrolment is done' "$answer" '0 - -'
wait $pause
is 'then the pause' "$? $(shown "$ca" status)" '0 Paused'
is 'the certificate is recorded' "$(issued "$d")" 1
ok 'resumed' chancery ca resume "$ca"

# ---- two at once ----

# both NAME DEVICE1 DEVICE2: sends $w/one.message and $w/two.message so that both have read before one writes.
both() {
    local first second
    begin "select pg_advisory_xact_lock(20001, $version);"
    send one
    first=$!
    send two
    second=$!
    ok "$1: both have read" wait_for 20 waiting 2
    in_session 'commit;'
    take one $first "$2"
    one=$answer
    take two $second "$3"
    two=$answer
}
d=twokeys-$tag
new_key "$d"
new_key "$d.b"
flow_device "$d"
c=$(challenge "$profile" "$d")
message "$w/one.message" key="$d" cn="$d" o=- challenge="$c"
message "$w/two.message" key="$d.b" cn="$d" o=- challenge="$c"
both 'one challenge, two keys' "$d" "$d.b"
is '  one of them' "$(printf '%s\n' "$one" "$two" | sort | tr '\n' ';')" '0 - -;2 2 BadCertificateRequestIdInChallenge;'
is '  one certificate' "$(issued "$d")" 1
d=twice-$tag
new_key "$d"
flow_device "$d"
c=$(challenge "$profile" "$d")
message "$w/one.message" key="$d" cn="$d" o=- challenge="$c"
message "$w/two.message" key="$d" cn="$d" o=- challenge="$c"
both 'one challenge, one key, twice' "$d" "$d"
is '  both' "$one;$two" '0 - -;0 - -'
is '  the same certificate' "$(issued "$d")" 1
d=onekey-$tag
new_key "$d"
flow_device "$d"
flow_device "$d.b"
prepare one "$profile" "$d" "$d" "$d"
prepare two "$profile" "$d.b" "$d.b" "$d"
both 'one key, two devices' "$d" "$d"
is '  one of them' "$(printf '%s\n' "$one" "$two" | sort | tr '\n' ';')" '0 - -;2 2 RegisteredKeyMismatch;'
is '  one certificate' "$(($(issued "$d") + $(issued "$d.b")))" 1
printf '\\q\n' >&"${session[1]}"
wait "$session_pid"
finish
