#!/usr/bin/env bash
# Profiles whose approval is manual: PENDING, CertPoll, approve, reject; what is approved is exactly what is issued.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open scep_names
flow_objects
url=$CHANCERY_SCEP_URL
manual=manual-$tag
names=(--subject 'CN={{DeviceName}},O=Flow' --san 'dns:{{DeviceName}}.example.org')
ok 'a profile whose approval is manual' flow_profile "$manual" "${names[@]}" --approval manual --renewal --threshold 40
ok 'the CA'\''s certificates' scep_ca "$url" ca
"$scep_names" --issuer "$w/ca.2.pem" --subject "$w/ca.2.pem" > "$w/names.der"
"$scep_names" --issuer "$w/ca.0.pem" --subject "$w/ca.3.pem" > "$w/wrong_names.der"
"$scep_names" --issuer "$w/ca.2.pem" --subject "$w/ca.2.pem" --more 00 > "$w/long_names.der"

# ask DEVICE: a new device, key and message under the transaction tx-DEVICE; $c is the challenge
ask() {
    flow_device "$1" || return 1
    new_key "$1"
    c=$(challenge "$manual" "$1")
    say "$url" key="$1" cn="$1" challenge="$c" transaction="tx-$1"
}
# poll DEVICE WORD...: CertPoll with that device's key and transaction
poll() {
    local device=$1
    shift
    say "$url" key="$device" type=20 content="$w/names.der" transaction="tx-$device" "$@"
}
request_of() { owner_sql -c "select q.request_id from chancery.request q join chancery.device d using (device_id) where d.name = '$1' order by 1 desc limit 1"; }
request_field() { chancery request show "$1" | sed -n "s/^$2  *//p"; }
decided() { owner_sql -c "select decided_at from chancery.request where request_id = $(request_of "$1")"; }
leaves() { owner_sql -c "select count(*) from chancery.certificate x join chancery.device d using (device_id) where d.name = '$1'"; }

# ---- until somebody decides ----

d=wait-$tag
ask "$d"
is 'a good request waits' "$answer" '3 - -'
like '  logged' "$(grep -F "txn=tx-$d " "$CHANCERY_DIR/log/scep.log")" 'event=pending'
is '  the nonce comes back' "$(said recipientNonce)" "${m[nonce]}"
cp "$w/message" "$w/wait.message"
id=$(request_of "$d")
like '  listed' "$(chancery request list --state pending)" "$id +pending +$manual +$d"
is '  shown: the subject' "$(request_field "$id" subject)" "CN=$d,O=Flow"
is '  shown: the names' "$(request_field "$id" sans)" "dns:$d.example.org"
is '  shown: the usages' "$(request_field "$id" key_usage) $(request_field "$id" ekus)" 'digitalSignature,keyEncipherment 1.3.6.1.5.5.7.3.2'
is '  shown: the validity' "$(request_field "$id" validity)" '30 days'
is '  shown: the key' "$(request_field "$id" key_sha256)" "$(openssl pkey -in "$w/$d.key" -pubout -outform DER | sha256sum | cut -d ' ' -f 1)"
code=$(post "$url" "$w/wait.message" "$w/reply")
open_answer "$code" "$w/reply" "$w/$d.key" "$w/ca.1.pem"
is 'the same message again: waits' "$answer" '3 - -'
is '  one request' "$(owner_sql -c "select count(*) from chancery.request q join chancery.device d using (device_id) where d.name = '$d'")" 1
poll "$d"
is 'a poll: waits' "$answer" '3 - -'
poll "$d" content="$w/wrong_names.der"
is 'a poll with other names: they are not compared (interop Q62)' "$answer" '3 - -'
new_key stranger
say "$url" key=stranger type=20 content="$w/names.der" transaction="tx-$d"
is 'a poll with another key' "$answer" '2 4 RequestUnknown'
poll "$d" transaction="tx-other-$tag"
is 'a poll with another transaction' "$answer" '2 4 RequestUnknown'
poll "$d" content="$w/long_names.der"
is 'a poll with an octet behind the names: what is in its envelope tells nothing' "$answer" '3 - -'
poll "$d" to="$w/ca.2.pem"
is '  nor that it does not open' "$answer" '3 - -'
poll "$d" break=signature
is 'a poll with a wrong signature' "$answer" '2 1 -'
say "$url" key=stranger cn="$d" challenge="$c" transaction="tx-$d"
is 'the same challenge with another key' "$answer" '2 2 BadCertificateRequestIdInChallenge'
say "$url" key="$d" cn="$d" challenge="$c" transaction="again-$d"
is 'the same challenge and key in another transaction: waits' "$answer" '3 - -'
is 'nothing is issued' "$(leaves "$d")" 0

# ---- approved ----

refused 'approved by another digest than the request'\''s' chancery request approve "$id" --content "$(printf '0%.0s' {1..64})"
refused 'by another row version' chancery request approve "$id" --row-version 77
refused 'a request that is not there' chancery request approve 999999999
refused 'no number' chancery request approve x
ok 'approved, as it was shown' chancery request approve "$id" --content "$(request_field "$id" content_sha256)"
is '  audited' "$(owner_sql -c "select count(*) from chancery.audit where activity = 'Approve CertificateRequest' and object_id = '$id'")" 1
refused '  once' chancery request approve "$id"
is '  which alone issues nothing' "$(leaves "$d")" 0
ok '  a newer challenge for the device does not undo it' challenge "$manual" "$d"
say "$url" key=stranger type=20 content="$w/names.der" transaction="tx-$d"
is 'a poll with another key' "$answer" '2 4 RequestUnknown'
poll "$d"
is 'a poll: the certificate' "$answer" '0 - -'
cp "$w/out.pem" "$w/$d.pem"
ok '  verified' openssl verify -CAfile "$w/ca.3.pem" -untrusted "$w/ca.2.pem" "$w/out.pem"
is '  as approved' "$(openssl x509 -in "$w/out.pem" -noout -subject -nameopt RFC2253)" "subject=O=Flow,CN=$d"
is '  the request says so' "$(request_field "$id" state) $(request_field "$id" serial | tr a-f A-F)" "issued $(serial_of "$w/$d.pem")"
poll "$d"
is 'a poll again: the same certificate' "$answer" '0 - -'
ok '  byte for byte' cmp "$w/out.pem" "$w/$d.pem"
code=$(post "$url" "$w/wait.message" "$w/reply")
open_answer "$code" "$w/reply" "$w/$d.key" "$w/ca.1.pem"
is 'the first message again: the same' "$answer" '0 - -'
ok '  byte for byte' cmp "$w/out.pem" "$w/$d.pem"
is '  one certificate' "$(leaves "$d")" 1
refused 'what is issued is not rejected' chancery request reject "$id"
chancery certificate revoke "$(serial_of "$w/$d.pem")"
poll "$d"
is 'a poll for a revoked one' "$answer" '2 2 CertificateAlreadyRevoked'

# ---- rejected, expired, taken back ----

d=reject-$tag
ask "$d"
is 'a request' "$answer" '3 - -'
ok 'rejected' chancery request reject "$(request_of "$d")"
poll "$d"
is '  the poll says so' "$answer" '2 2 RequestRejected'
say "$url" key="$d" cn="$d" challenge="$c"
is '  and the request again' "$answer" '2 2 RequestRejected'
refused '  it is not approved then' chancery request approve "$(request_of "$d")"
d=back-$tag
ask "$d"
ok 'approved' chancery request approve "$(request_of "$d")"
approved=$(decided "$d")
ok '  and taken back before the device came' chancery request reject "$(request_of "$d")"
poll "$d"
is '  nothing is issued' "$answer $(leaves "$d")" '2 2 RequestRejected 0'
ok '  the last decision is the one that counts' test "$(decided "$d")" != "$approved"
d=late-$tag
ask "$d"
owner_sql -c 'set session_replication_role = replica' -c "update chancery.request set expires_at = now() - interval '1 second' where request_id = $(request_of "$d")"
is 'a request that waited too long' "$(request_field "$(request_of "$d")" state)" expired
refused '  is not approved' chancery request approve "$(request_of "$d")"
poll "$d"
is '  the poll says so' "$answer" '2 2 RequestExpired'
over=$(request_of "$d")
new_key "$d"
say "$url" key="$d" cn="$d" challenge="$c" transaction="tx-$d"
is '  it stands in nobody'\''s way: asked anew, with another key, the device waits again' "$answer" '3 - -'
refused '  for another decision' test "$(request_of "$d")" = "$over"
refused '  the one before stays over' chancery request approve "$over"
say "$url" key="$d" cn="$d" challenge="$c" transaction="tx-$d"
is '  one at a time' "$answer $(owner_sql -c "select count(*) from chancery.request q join chancery.device d using (device_id) where d.name = '$d'")" '3 - - 2'
ok '  approved' chancery request approve "$(request_of "$d")"
poll "$d"
is '  the certificate' "$answer $(leaves "$d")" '0 - - 1'

# ---- what changed since is not issued: what | the change | answer ----

n=0
while IFS='|' read -r what change wanted; do
    n=$((n + 1))
    d=changed$n-$tag
    read -r what <<< "$what"
    read -r wanted <<< "$wanted"
    ask "$d"
    ok "$what: approved" chancery request approve "$(request_of "$d")"
    case $change in
    *sql*) owner_sql -c "${change#*sql }$(printf " where name = '%s'" "$d")" ;;
    *) eval "chancery ${change//@D/$d}" > /dev/null ;;
    esac
    poll "$d"
    is '  refused' "$answer" "$wanted"
    is '  nothing is issued' "$(leaves "$d")" 0
done <<TABLE
the device got another name | sql update chancery.device set name = concat(name, 'x') | 2 2 ApprovedContentChanged
the device is retired | device retire @D | 2 2 BadDeviceIdInChallenge
the device left the group | group remove-member $flow_group --device @D | 2 2 ScepProfileNoLongerTargetedToTheClient
the profile has another revision | profile update $manual --threshold 41 | 2 2 ScepProfileNoLongerTargetedToTheClient
TABLE
d=stale-$tag
ask "$d"
ok 'a request, then another revision of the profile' chancery profile update "$manual" --threshold 40
refused '  it cannot be approved any more' chancery request approve "$(request_of "$d")"
poll "$d"
is '  and who polls for it is told so' "$answer" '2 2 ScepProfileNoLongerTargetedToTheClient'
d=gone-$tag
ask "$d"
ok 'a request, then its device is retired' chancery device retire "$d"
poll "$d"
is '  who polls for it is told so' "$answer" '2 2 BadDeviceIdInChallenge'
like '  it is among those that wait' "$(chancery request list --state pending)" "$manual +$d"

# ---- a renewal waits as well, and is polled for by the certificate before ----

d=renew-$tag
ask "$d"
ok 'approved' chancery request approve "$(request_of "$d")"
poll "$d"
is 'issued' "$answer" '0 - -'
cp "$w/out.pem" "$w/$d.pem"
owner_sql -c 'set session_replication_role = replica' -c "update chancery.certificate set not_before = not_before - interval '60 days' where serial = '\\x$(serial_of "$w/$d.pem")'"
new_key "next-$d"
say "$url" type=17 key="next-$d" signkey="$d" cert="$w/$d.pem" cn="$d" transaction="tx2-$d"
is 'its renewal waits' "$answer" '3 - -'
is '  as a renewal of it' "$(request_field "$(request_of "$d")" renewal_of | tr a-f A-F)" "$(serial_of "$w/$d.pem")"
ok '  approved' chancery request approve "$(request_of "$d")"
say "$url" key="$d" cert="$w/$d.pem" type=20 content="$w/names.der" transaction="tx2-$d"
is '  polled for by the certificate before' "$answer" '0 - -'
is '  of the new key' "$(openssl x509 -in "$w/out.pem" -noout -pubkey)" "$(openssl pkey -in "$w/next-$d.key" -pubout)"
new_key "third-$d"
say "$url" type=17 key="third-$d" signkey="$d" cert="$w/$d.pem" cn="$d"
is '  one successor and no more' "$answer" '2 2 PredecessorAlreadyRenewed'

# ---- the profile changes between a renewal's request and its approval ----

# renew DEVICE KEY WORD...
renew() { say "$url" type=17 key="$2" signkey="$1" cert="$w/$1.pem" cn="$1" "${@:3}"; }
d=between-$tag
ok 'the profile approves by itself' chancery profile update "$manual" --approval automatic
ask "$d"
is 'a certificate' "$answer" '0 - -'
cp "$w/out.pem" "$w/$d.pem"
owner_sql -c 'set session_replication_role = replica' -c "update chancery.certificate set not_before = not_before - interval '60 days' where serial = '\\x$(serial_of "$w/$d.pem")'"
ok 'the profile is manual again' chancery profile update "$manual" --approval manual
new_key "one-$d"
new_key "two-$d"
new_key "three-$d"
renew "$d" "one-$d" transaction="tx2-$d"
is 'a renewal waits' "$answer" '3 - -'
renew "$d" "two-$d"
is '  another key does not' "$answer" '2 2 PredecessorAlreadyRenewed'
ok 'another revision' chancery profile update "$manual" --threshold 39
renew "$d" "two-$d"
is '  under which it is asked for anew' "$answer" '3 - -'
ok '  and approved' chancery request approve "$(request_of "$d")"
ok 'another revision, which approves by itself' chancery profile update "$manual" --approval automatic
renew "$d" "two-$d"
is '  renewed without a request' "$answer" '0 - -'
say "$url" key="$d" cert="$w/$d.pem" type=20 content="$w/names.der" transaction="tx2-$d"
is '  what waited before is over' "$answer" '2 2 ScepProfileNoLongerTargetedToTheClient'
ok 'manual once more' chancery profile update "$manual" --approval manual
renew "$d" "three-$d"
is '  what is renewed already does not wait for approval' "$answer" '2 2 PredecessorAlreadyRenewed'
is '  two certificates in all' "$(leaves "$d")" 2

# ---- a request is judged when it comes ----

d=bad-$tag
flow_device "$d"
new_key "$d"
say "$url" key="$d" cn=other challenge="$(challenge "$manual" "$d")"
is 'a request that could never be issued does not wait' "$answer" '2 2 SubjectNameMismatch'
is '  nor is it kept' "$(request_of "$d")" ''
finish
