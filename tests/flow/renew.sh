#!/usr/bin/env bash
# Renewal by the certificate before: as RenewalReq and as PKCSReq; one successor for each predecessor, and every refusal (table renew_refused).
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
url=$CHANCERY_SCEP_URL
renew=renew-$tag never=never-$tag
names=(--subject 'CN={{DeviceName}}' --san 'dns:{{DeviceName}}.example.org')
ok 'a profile that renews' flow_profile "$renew" "${names[@]}" --renewal --threshold 40
ok 'a profile that does not' flow_profile "$never" "${names[@]}" --threshold 40
like 'a profile shows it' "$(chancery profile show "$renew")" 'renewal_by_certificate  *yes'
ok 'the CA'\''s certificates' scep_ca "$url" ca
ok 'a certificate of another device' flow_enrol "$never" "other-$tag"
cp "$w/other-$tag.key" "$w/other.key"
new_key small 1024
new_key new
# The same names by a CA that is not ours: all that a certificate says can be copied, but not who signed it.
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$w/fake.key" -out "$w/fake.pem" -subj "$(openssl x509 -in "$w/ca.2.pem" -noout -subject -nameopt compat |
    sed 's/^subject=//')" -days 2 2> /dev/null
new_key forged
openssl req -x509 -key "$w/new.key" -out "$w/self.pem" -subj /CN=self -days 2
openssl req -x509 -key "$w/other.key" -out "$w/self_other.pem" -subj /CN=self -days 2

# The certificate is this old: a change that no program could make.
aged() {
    owner_sql -c 'set session_replication_role = replica' -c "update chancery.certificate set not_before = not_before - interval '$2'
        where serial = '\\x$(serial_of "$w/$1.pem")'"
}
# before DEVICE PROFILE HOW: a device with a certificate in $w/DEVICE.pem
before() {
    flow_enrol "$2" "$1" || return 1
    if [[ $3 != early ]]; then aged "$1" '60 days'; fi
    case $3 in
    revoked) chancery certificate revoke "$(serial_of "$w/$1.pem")" --reason superseded ;;
    held) chancery certificate hold "$(serial_of "$w/$1.pem")" ;;
    retired) chancery device retire "$1" ;;
    unassigned) chancery group remove-member "$flow_group" --device "$1" ;;
    esac
}
leaves() { owner_sql -c "select count(*) from chancery.certificate x join chancery.device d using (device_id) where d.name = '$1'"; }
# The words of a renewal of that device's certificate.
words_for() {
    words=(key=new signkey="$1" cert="$w/$1.pem" cn="$1" o=- san="DNS:$1.example.org" ku=critical,digitalSignature,keyEncipherment eku=clientAuth)
}

# ---- what is refused ----

# What is refused changes nothing: rows that want the same share a device.
declare -A prepared
while IFS='|' read -r why profile how row wanted reason; do
    if [[ -z $why || $why == \#* ]]; then continue; fi
    read -r why <<< "$why"
    read -r profile how <<< "$profile $how"
    d=$profile-$how-$tag
    read -r wanted <<< "$wanted"
    read -r reason <<< "$reason"
    if [[ ! -v prepared[$d] ]]; then
        prepared[$d]=yes
        ok "a certificate to renew: $profile, $how" before "$d" "${!profile}" "$how"
    fi
    openssl req -new -key "$w/forged.key" -subj "/CN=$d" -out "$w/forged.csr" 2> /dev/null
    openssl x509 -req -in "$w/forged.csr" -CA "$w/fake.pem" -CAkey "$w/fake.key" -set_serial "0x$(serial_of "$w/$d.pem")" -days 2 -out "$w/forged.pem" 2> /dev/null
    cp "$w/$d.key" "$w/old.key"
    words_for "$d"
    read -ra more <<< "$row"
    for i in "${!more[@]}"; do
        case ${more[i]} in
        *@S) more[i]=cert=$w/self.pem ;;
        *@T) more[i]=cert=$w/self_other.pem ;;
        *@F) more[i]=cert=$w/forged.pem ;;
        *@R) more[i]=cert=$w/ca.1.pem ;;
        *@O) more[i]=cert=$w/$d.pem ;;
        *@C) more[i]=challenge=$(challenge "${!profile}" "$d") ;;
        esac
    done
    say "$url" "${words[@]}" "${more[@]}"
    is "refused: $why" "$answer" "$wanted"
    like "  logged: $reason" "$(logged scep)" "event=refused reason=$reason"
done < "$flow_dir/renew_refused"
for d in "${!prepared[@]}"; do is "none of it led to a certificate: $d" "$(leaves "$d")" 1; done

# ---- what works ----

for type in 17 19; do
    d=good$type-$tag
    ok "type $type: a certificate" before "$d" "$renew" window
    new_key "next-$d"
    words_for "$d"
    say "$url" "${words[@]}" key="next-$d" type=$type
    is '  renewed' "$answer" '0 - -'
    cp "$w/out.pem" "$w/next-$d.pem"
    cp "$w/message" "$w/next.message"
    is '  for the same device and names' "$(openssl x509 -in "$w/out.pem" -noout -subject -nameopt RFC2253)" "subject=CN=$d"
    is '  of the new key' "$(openssl x509 -in "$w/out.pem" -noout -pubkey)" "$(openssl pkey -in "$w/next-$d.key" -pubout)"
    ok '  verified' openssl verify -CAfile "$w/ca.3.pem" -untrusted "$w/ca.2.pem" "$w/out.pem"
    like '  logged as a renewal' "$(logged scep)" 'event=enrolled .*renewal=yes'
    is '  audited with the certificate before' "$(owner_sql -v t="$transaction" <<< "select details ? 'predecessor' from chancery.audit
        where activity = 'Issue LeafCertificate' and details->>'transaction' = :'t'")" t
    code=$(post "$url" "$w/next.message" "$w/reply")
    open_answer "$code" "$w/reply" "$w/$d.key" "$w/ca.1.pem"
    is '  the same message again' "$answer" '0 - -'
    ok '  the same certificate' cmp "$w/out.pem" "$w/next-$d.pem"
    say "$url" "${words[@]}" key="next-$d" type=$type
    is '  another message with the same key' "$answer" '0 - -'
    ok '  the same certificate' cmp "$w/out.pem" "$w/next-$d.pem"
    new_key "third-$d"
    say "$url" "${words[@]}" key="third-$d" type=$type
    is '  another key: one successor and no more' "$answer" '2 2 PredecessorAlreadyRenewed'
    is '  two certificates in all' "$(leaves "$d")" 2
    say "$url" "${words[@]}" signkey="next-$d" cert="$w/next-$d.pem" key="third-$d" type=$type
    is '  the successor is too young' "$answer" '2 2 RenewalTooEarly'
    aged "next-$d" '60 days'
    say "$url" "${words[@]}" signkey="next-$d" cert="$w/next-$d.pem" key="third-$d" type=$type
    is '  and renewed in its time' "$answer" '0 - -'
    chancery certificate revoke "$(serial_of "$w/next-$d.pem")"
    say "$url" "${words[@]}" key="next-$d" type=$type
    is '  a revoked successor is not given again' "$answer" '2 2 CertificateAlreadyRevoked'
done

# ---- a new revision of the profile is what the successor follows ----

d=revised-$tag
ok 'a certificate' before "$d" "$renew" window
ok 'the profile gets another validity' chancery profile update "$renew" --validity '10 days'
new_key "next-$d"
words_for "$d"
say "$url" "${words[@]}" key="next-$d" type=17
is 'renewed under the new revision' "$answer" '0 - -'
end=$(date -d "$(openssl x509 -in "$w/out.pem" -noout -enddate | cut -d = -f 2)" +%s)
ok '  with its validity' test $((end - $(date +%s))) -le $((10 * 86400 + 30))

# ---- what is revoked while it is being renewed is not renewed ----

d=raced-$tag
ok 'a certificate' before "$d" "$renew" window
new_key "next-$d"
words_for "$d"
id=$(owner_sql -c "select certificate_id % 2147483647 from chancery.certificate where serial = '\\x$(serial_of "$w/$d.pem")'")
coproc holder { psql -X -q -A -t "$CHANCERY_PGCONN" 2>&1; }
holder_pid=$!
printf 'begin; select pg_advisory_xact_lock(20004, %s);\n\\echo ---\n' "$id" >&"${holder[1]}"
while read -r line <&"${holder[0]}" && [[ $line != --- ]]; do :; done
say "$url" "${words[@]}" key="next-$d" type=17 &
renewal=$!
waits() { [[ $(owner_sql -c "select count(*) from pg_stat_activity where usename = 'chancery_signer' and wait_event = 'advisory'") == 1 ]]; }
ok 'a renewal has read and waits in its write' wait_for 5 waits
printf "insert into chancery.revocation (ca_version_id, serial, tenant_id, revoked_at, reason, not_after) select ca_version_id, serial, 1, now(), 1, not_after
    from chancery.certificate where serial = decode('%s', 'hex'); commit;\n" "$(serial_of "$w/$d.pem")" >&"${holder[1]}"
printf '\\q\n' >&"${holder[1]}"
wait "$holder_pid"
wait "$renewal"
is 'the revocation that came in between wins' "$(leaves "$d")" 1
say "$url" "${words[@]}" key="next-$d" type=17
is '  and goes on' "$answer" '2 4 PredecessorNotValid'
finish
