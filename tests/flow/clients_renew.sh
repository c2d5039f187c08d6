#!/usr/bin/env bash
# What strongSwan's pki, certmonger and micromdm's scepclient do after the first time: renewal, and requests that wait until somebody decides; and what
# they tell their user where they are refused. What renews and waits beyond that: renew.sh, approval.sh; what is looked up: look_up.sh.
# shellcheck source=clients_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/clients_lib.sh"
flow_objects
url=$CHANCERY_SCEP_URL
renew=renew-$tag never=never-$tag manual=manual-$tag legacy=legacy-$tag
names=(--subject 'CN={{DeviceName}}' --threshold 40)
ok 'a profile that renews' flow_profile "$renew" "${names[@]}" --renewal
ok 'a profile that does not' flow_profile "$never" "${names[@]}"
ok 'a profile whose approval is manual' flow_profile "$manual" "${names[@]}" --approval manual
ok 'a profile for old clients that renews' flow_profile "$legacy" "${names[@]}" --renewal --algorithms legacy
ok 'a profile for old clients whose approval is manual' flow_profile "legacy-$manual" "${names[@]}" --algorithms legacy --approval manual
clients_start
# The number of the request that waits for a device.
waiting() { chancery request list --state pending | awk -v d="$1" '{ for (i = 1; i <= NF; i++) if ($i == d) print $1 }'; }
is_waiting() { [[ -n $(waiting "$1") ]]; }
decide() { chancery request "$1" "$(waiting "$2")"; }

# ---- scepclient waits for 30 seconds, whatever happens, and sends its request again: so it starts first ----

for how in approve reject; do
    d=micro-$how-$tag
    ok 'a device' flow_device "$d"
    micromdm "micro-$how" "$d" "$(challenge "legacy-$manual" "$d")" &
    printf -v "micro_$how" %s $!
done
for how in approve reject; do
    ok 'scepclient: waits' wait_for 20 is_waiting "micro-$how-$tag"
    ok "  $how" decide $how "micro-$how-$tag"
done

# ---- strongSwan: RenewalReq by the certificate before, with a new key ----

d=swan-$tag
for key in swan.1 swan.2 swan.3 never.1 never.2; do swan_key $key; done
ok 'a device' flow_device "$d"
ok 'strongSwan: enrols' swan swan.1 "$d" "$(challenge "$renew" "$d")" "${swan_roots[@]}"
refused 'strongSwan: renews too early' swan_renew swan.1 swan.2 "$d"
like '  the user is told' "$(swan_told swan.2)" 'failInfo: *badRequest - transaction not permitted or supported'
refused '  and gets nothing' test -s "$w/swan.2.pem"
aged "$w/swan.1.pem" '60 days'
ok 'strongSwan: renews' swan_renew swan.1 swan.2 "$d"
is_enrolled "$w/swan.2.pem" "$w/swan.2.key" "$d"
is '  by its type' "$(said_of "$d" type) $(said_of "$d" renewal)" 'RenewalReq yes'
refused 'strongSwan: the same certificate renews no second key' swan_renew swan.1 swan.3 "$d"
refused 'strongSwan: renews with the same key' swan_renew swan.2 swan.2 "$d"
d=never-$tag
ok 'a device' flow_device "$d"
ok 'strongSwan: enrols where nothing is renewed' swan never.1 "$d" "$(challenge "$never" "$d")" "${swan_roots[@]}"
aged "$w/never.1.pem" '60 days'
refused '  its renewal' swan_renew never.1 never.2 "$d"
like '  the user is told' "$(swan_told never.2)" 'failInfo: *badRequest - transaction not permitted or supported'

# ---- strongSwan polls: CertPoll every --interval seconds ----

for how in approve reject; do
    d=poll-$how-$tag
    ok 'a device' flow_device "$d"
    swan_key "poll-$how"
    swan "poll-$how" "$d" "$(challenge "$manual" "$d")" "${swan_roots[@]}" --interval 1 --maxpolltime 60 &
    poller=$!
    ok 'strongSwan: waits' wait_for 20 is_waiting "$d"
    ok "  $how" decide $how "$d"
    wait $poller
    is '  it ends' $? "$([[ $how == approve ]]; echo $?)"
    like '  the user was told' "$(swan_told "poll-$how")" 'SCEP request pending, polling every 1 seconds'
done
is_enrolled "$w/poll-approve.pem" "$w/poll-approve.key" "poll-approve-$tag"
is '  by its type' "$(said_of "poll-approve-$tag" type)" CertPoll
like 'strongSwan: rejected: the user is told' "$(swan_told poll-reject)" 'failInfo: *badRequest - transaction not permitted or supported'
refused '  and gets nothing' test -s "$w/poll-reject.pem"
d=vain-$tag
ok 'a device' flow_device "$d"
swan_key vain
refused 'strongSwan: polls in vain' swan vain "$d" "$(challenge "$manual" "$d")" "${swan_roots[@]}" --interval 1 --maxpolltime 2
like '  the user is told' "$(swan_told vain)" 'maximum poll time reached: 2 seconds'

# ---- certmonger: rekey sends PKCSReq signed by the certificate before, a new key in it, and the first challenge again ----

monger_refusal='Transaction either is not permitted or is not supported by server.'
# monger_keeps NAME WHAT: a renewal that is refused; getcert itself is content, because the certificate before is there.
monger_keeps() {
    cp "$w/$1.pem" "$w/$1.first"
    ok "certmonger: $2" monger rekey -i "$1" -w
    is '  refused: the user is told' "$(monger_says "$1" ca-error)" "$monger_refusal"
    is '  its state' "$(monger_says "$1" status)" MONITORING
    ok '  it keeps its certificate' cmp "$w/$1.pem" "$w/$1.first"
    is '  and the key to it' "$(openssl pkey -in "$w/$1.key" -pubout)" "$(openssl x509 -in "$w/$1.pem" -noout -pubkey)"
}
monger_start
ok 'certmonger: a SCEP CA' monger_ca chancery
d=monger-$tag
ok 'a device' flow_device "$d"
ok 'certmonger: enrols' monger_request chancery monger "$d" "$(challenge "$renew" "$d")" -w
monger_keeps monger 'renews too early'
aged "$w/monger.first" '60 days'
ok 'certmonger: renews' monger rekey -i monger -w
refused '  another certificate' cmp -s "$w/monger.pem" "$w/monger.first"
is_enrolled "$w/monger.pem" "$w/monger.key" "$d"
is '  of another key' "$([[ $(openssl x509 -in "$w/monger.pem" -noout -pubkey) != $(openssl x509 -in "$w/monger.first" -noout -pubkey) ]]; echo $?)" 0
is '  by its type' "$(said_of "$d" type) $(said_of "$d" renewal)" 'PKCSReq yes'
d=mongernever-$tag
ok 'a device' flow_device "$d"
ok 'certmonger: enrols where nothing is renewed' monger_request chancery mongernever "$d" "$(challenge "$never" "$d")" -w
aged "$w/mongernever.pem" '60 days'
monger_keeps mongernever 'its renewal'

# ---- certmonger waits, and asks again by the same request: by itself not within a minute, so it is told to ----

for how in approve reject; do
    d=monger-$how-$tag
    ok 'a device' flow_device "$d"
    ok 'certmonger: asks' monger_request chancery "monger-$how" "$d" "$(challenge "$manual" "$d")"
    ok '  and waits' wait_for 20 monger_is "monger-$how" CA_WORKING
    ok '  asks again' monger refresh -i "monger-$how"
    ok '  and waits' wait_for 20 monger_is "monger-$how" CA_WORKING
    ok "  $how" decide $how "$d"
    monger refresh -i "monger-$how" > "$w/refresh" 2>&1
    ok '  it knows' wait_for 20 monger_is "monger-$how" "$([[ $how == approve ]] && echo MONITORING || echo CA_REJECTED)"
done
is_enrolled "$w/monger-approve.pem" "$w/monger-approve.key" "monger-approve-$tag"
is 'certmonger: rejected: the user is told' "$(monger_says monger-reject ca-error)" "$monger_refusal"

# ---- scepclient: RenewalReq with its one key ----

d=micro-$tag
ok 'a device' flow_device "$d"
ok 'scepclient: enrols' micromdm micro "$d" "$(challenge "$legacy" "$d")"
aged "$w/micro/certificate.pem" '60 days'
cp "$w/micro/certificate.pem" "$w/micro.first"
refused 'scepclient: renews, with the same key' micromdm micro "$d" none
like '  the user is told' "$(cat "$w/micro/out")" 'RenewalReq \(17\) request failed, failInfo: badRequest \(2\)'
ok '  and keeps what it has' cmp "$w/micro/certificate.pem" "$w/micro.first"
wait "$micro_approve"
is 'scepclient: approved: it ends' $? 0
is_enrolled "$w/micro-approve/certificate.pem" "$w/micro-approve/key.pem" "micro-approve-$tag"
wait "$micro_reject"
is 'scepclient: rejected: it ends' $? 1
like '  the user is told' "$(cat "$w/micro-reject/out")" 'PKCSReq \(19\) request failed, failInfo: badRequest \(2\)'
finish
