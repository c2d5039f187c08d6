#!/usr/bin/env bash
# kill -9 of each program in turn while 200 devices enrol, of which some send two requests with one challenge and two keys. Afterwards: what clients hold
# is what is recorded, no challenge made two certificates, and nothing is missing from audit log and CRLs.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
devices=200 doubles=40 parallel=8
flow_tool scep_client scep_open
flow_objects
profile=kill-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'the certificates' scep_ca "$CHANCERY_SCEP_URL" ca
awk -v n=$devices -v tag="$tag" 'BEGIN { print "name,platform"; for (i = 1; i <= n; i++) print "kill" i "-" tag ",linux" }' > "$w/devices.csv"
is 'devices are imported' "$(chancery device import "$w/devices.csv" --group "$flow_group")" $devices
ok 'challenges for them' sh -c "$CHANCERY challenge create --profile $profile --all > $w/challenges"
mkdir "$w/m"
half=$(((devices - doubles) / 2))
batch() { "$scep_client" batch --recipient "$w/ca.0.pem" --dir "$w/m" --keys "$1"; }
head -n $doubles "$w/challenges" | batch 2 &
jobs=$!
tail -n +$((doubles + 1)) "$w/challenges" | head -n $half | batch 1 &
jobs="$jobs $!"
tail -n +$((doubles + half + 1)) "$w/challenges" | batch 1
# shellcheck disable=SC2086
wait $jobs
is 'messages for all of them' "$(find "$w/m" -name '*.der' | wc -l)" $((devices + doubles))

# ---- clients ----

# Sends $w/m/$1.der until it is answered; leaves $1.pem, or $1.refused.
client() {
    local end=$((SECONDS + 75)) code
    while ((SECONDS < end)); do
        code=$(curl -s --max-time 10 -o "$1.reply" -w '%{http_code}' -H 'Content-Type: application/x-pki-message' --data-binary "@$1.der" \
            "$url?operation=PKIOperation")
        if [[ $code == 200 ]] && "$scep_open" --in "$1.reply" --key "$1.key" --ra "$ra" --out "$1.new" > "$1.said" 2>&1; then
            if grep -qx pkiStatus=0 "$1.said"; then mv "$1.new" "$1.pem"; else cp "$1.said" "$1.refused"; fi
            return
        fi
        sleep 0.05
    done
}
export -f client
export url=$CHANCERY_SCEP_URL ra=$w/ca.1.pem scep_open
held() { find "$w/m" -name '*.pem' | wc -l; }
held_more() { (($(held) >= $1)); }
find "$w/m" -name '*.der' | sed 's/\.der$//' | shuf > "$w/order"
xargs -P $parallel -n 1 bash -c 'client "$0"' < "$w/order" &
clients=$!

replaced() {
    local pid
    pid=$(pid_of "$1")
    [[ -n $pid && $pid != "$2" ]] && kill -0 "$pid" 2> /dev/null
}
answers() { [[ $(curl -s --max-time 2 -o /dev/null -w '%{http_code}' "$url?operation=GetCACert") == 200 ]]; }
n=0
for program in postgres signer scep publisher nginx; do
    n=$((n + 1))
    ok "before $program is killed $((n * 25)) certificates are held" wait_for 60 held_more $((n * 25))
    pid=$(pid_of $program)
    before=$(held)
    kill -9 "$pid"
    killed_at=$(date +%s%N)
    ok "$program is back within 10 s" wait_for 10 replaced $program "$pid"
    ok '  and SCEP answers' wait_for 10 answers
    ok '  and enrolments go on' wait_for 10 held_more $((before + 1 > devices ? devices : before + 1))
    took=$((($(date +%s%N) - killed_at) / 1000000))
    ok "  all within 10 s ($took ms)" test $took -lt 10000
done
wait $clients
is 'every request was answered' "$(find "$w/m" \( -name '*.pem' -o -name '*.refused' \) | wc -l)" $((devices + doubles))
is 'every device got a certificate' "$(held)" $devices
is 'the others were refused for the used challenge' "$(cat "$w/m"/*.refused | grep -c failInfoText=BadCertificateRequestIdInChallenge)" $doubles

# ---- what is recorded ----

for f in "$w/m"/*.pem; do
    openssl x509 -in "$f" -outform DER | sha256sum | sed 's/^/\\\\x/; s/ .*//'
done > "$w/hashes"
judge() {
    owner_sql << SQL
create temp table held (sha256 bytea);
\copy held from '$w/hashes'
create temp view mine as select x.* from chancery.certificate x join chancery.device d using (device_id) where d.name like 'kill%-$tag';
$1
SQL
}
is 'every certificate that a client holds is recorded' "$(judge 'select count(*) from held where sha256 not in (select sha256 from mine);')" 0
is 'no other was made' "$(judge 'select count(*) from mine where sha256 not in (select sha256 from held);')" 0
is 'no device has two' "$(judge 'select count(*) - count(distinct device_id) from mine;')" 0
is 'each has its challenge, spent once' "$(judge "select count(*) || ' ' || count(distinct a.id) from chancery.authorization a join mine x on x.ca_version_id = a.ca_version_id
    and x.serial = a.serial and x.not_after = a.not_after and x.spki_sha256 = a.spki_sha256;")" "$devices $devices"
is 'each has one audit entry' "$(judge "select count(*) || ' ' || count(distinct x.serial) from mine x join chancery.audit a
    on a.activity = 'Issue LeafCertificate' and a.object_id = encode(x.serial, 'hex');")" "$devices $devices"
is 'each has its key noted as of its device' "$(judge 'select count(*) from mine x join chancery.public_key k using (spki_sha256, device_id);')" $devices
is 'each can be found by its name' "$(judge "select count(*) from mine x join chancery.certificate_name n using (certificate_id, not_after) where n.kind = 'cn';")" $devices
same=0
for f in $(find "$w/m" -name '*.pem' | head -n 10); do
    base=${f%.pem}
    cp "$f" "$w/first.pem"
    rm "$f"
    client "$base"
    if cmp -s "$w/first.pem" "$f"; then same=$((same + 1)); fi
done
is 'requests sent again get the same certificates' $same 10
ok 'the audit log verifies' wait_for 20 chancery audit verify
f=$(find "$w/m" -name '*.pem' | head -n 1)
ok 'a certificate is revoked' chancery certificate revoke "$(serial_of "$f")"
lists() { fetch "$(uri_in "$f" crlDistributionPoints)" "$w/crl" && openssl crl -inform DER -in "$w/crl" -noout -text | grep -q "$(serial_of "$f")"; }
ok 'and the CRL lists it' wait_for 20 lists
is 'the numbers of CRLs rise with time' "$(owner_sql -c "select count(*) from (select number, lag(number) over w as before, this_update,
    lag(this_update) over w as earlier from chancery.crl window w as (partition by ca_version_id, crl_shard order by this_update, number)) x
    where number <= before or this_update < earlier")" 0
finish
