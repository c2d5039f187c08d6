#!/usr/bin/env bash
# Enrolment through nginx by messages that openssl builds: what is answered, what the certificate holds, and each refusal (tables enrol_good,
# enrol_refused). strongSwan's client is the second one.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
url=$CHANCERY_SCEP_URL
flow_tool scep_client scep_open
flow_objects
lax=lax-$tag strict=strict-$tag large=large-$tag bare=bare-$tag brief=brief-$tag user=user-$tag
names=(--subject 'CN={{DeviceName}},O=Flow' --san 'dns:{{DeviceName}}.example.org')
ok 'a profile' flow_profile "$lax" "${names[@]}"
ok 'a strict profile' flow_profile "$strict" "${names[@]}" --strict
ok 'a profile with keys of 3072 bits' flow_profile "$large" "${names[@]}" --key-size 3072
ok 'a profile without subject' flow_profile "$bare" --san 'dns:{{DeviceName}}.example.org'
ok 'a profile with short challenges' flow_profile "$brief" "${names[@]}" --challenge-lifetime 60
# A minute is the least that may be asked for, and too long for a test.
owner_sql -c 'set session_replication_role = replica' -c "update chancery.profile_revision r set challenge_seconds = 1 from chancery.profile p
    where p.profile_id = r.profile_id and p.name = '$brief'"
ok 'a profile of users' flow_profile "$user" --type user --subject 'CN={{UserName}},O=Flow' --san 'email:{{EmailAddress}}'
for key in base other; do new_key $key; done
new_key small 1024
new_key large 4096
new_key ec ec
new_key e3 e3
new_key k3072 3072

# ---- GetCACaps, GetCACert ----

head=$(curl -s -D - -o "$w/caps" "$url?operation=GetCACaps")
like 'GetCACaps: text/plain, without a charset' "$head" $'200 OK\r.*Content-Type: text/plain\r'
for word in AES Renewal SHA-256 SHA-384 SHA-512 POSTPKIOperation SCEPStandard; do
    ok "GetCACaps: $word" grep -qx "$word" "$w/caps"
done
refused 'GetCACaps: no GetNextCACert while nothing is staged' grep -qi nextca "$w/caps"
head=$(curl -s -D - -o /dev/null "$url?operation=GetCACert")
like 'GetCACert: the type of several certificates' "$head" $'200 OK\r.*Content-Type: application/x-x509-ca-ra-cert\r'
ok 'GetCACert' scep_ca "$url" ca
usage_of() { openssl x509 -in "$1" -noout -ext keyUsage | tail -n 1 | sed 's/^ *//'; }
print_of() { openssl x509 -in "$1" -noout -fingerprint -sha256; }
is 'the first certificate is the RA for encryption' "$(usage_of "$w/ca.0.pem")" 'Key Encipherment'
is 'the second is the RA for signing' "$(usage_of "$w/ca.1.pem")" 'Digital Signature'
chancery ca certificate "$CHANCERY_CA_ID" > "$w/issuing.pem"
is 'the third is the issuing CA' "$(print_of "$w/ca.2.pem")" "$(print_of "$w/issuing.pem")"
is 'the fourth is the root' "$(print_of "$w/ca.3.pem")" "$(print_of "$CHANCERY_ROOT_CERT")"
refused 'there is no fifth' test -e "$w/ca.4.pem"

# ---- every refusal, with one challenge for each profile ----

d=refused-$tag
ok 'a device' flow_device "$d"
declare -A challenges
for profile in lax strict large; do challenges[$profile]=$(challenge "${!profile}" "$d"); done
openssl rand -out "$w/random" 700
repeat() { printf "%0$1d" 0; }
# The words of a table's row for a device and its challenge, in $words.
words_of() {
    local word device=$2 c=$3
    local -A marks=([@D]=$device [@U]=${device^^} [@C]=$c [@S]=${c:0:${#c}-40} [@L]=$(repeat 300) [@I]=$w/ca.2.pem [@R]=$w/random
        [@A]="$w/ca.0.pem $w/ca.2.pem" [@200]=$(repeat 200) [@256]=$(repeat 256) [@N]=$(repeat 130))
    # The 40th character is one of the sealed text, not of the header.
    marks[@X]=${c:0:40}$(tr 'A-Za-y0-8' 'B-ZAb-z1-9' <<< "${c:40:1}" | tr '+/z9' 'aaaa')${c:41}
    read -ra words <<< "$1"
    for word in "${!words[@]}"; do
        local mark
        for mark in @D @U @C @S @L @I @R @A @200 @256 @N @X; do words[word]=${words[word]//"$mark"/"${marks[$mark]}"}; done
    done
    words=(cn="$device" challenge="$c" san="DNS:$device.example.org" ku=critical,digitalSignature,keyEncipherment eku=clientAuth "${words[@]}")
}
trim() { sed 's/^ *//; s/ *$//' <<< "$1"; }
before=$(owner_sql -c "select count(*) from chancery.certificate where kind = 'leaf' and device_id in (select device_id from chancery.device where name = '$d')")
while IFS='|' read -r why profile row wanted reason field; do
    why=$(trim "$why") profile=$(trim "$profile") wanted=$(trim "$wanted") reason=$(trim "$reason") field=$(trim "$field")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    words_of "$row" "$d" "${challenges[$profile]}"
    say "$url" "${words[@]}"
    is "refused: $why" "$answer" "$wanted"
    if [[ $reason != - ]]; then like "  logged: $reason" "$(logged scep)" "event=refused reason=$reason"; fi
    if [[ $field != - ]]; then
        is '  audited with field and both values' "$(audited)" "$reason $field"
        like '  and logged by the signer with them' "$(logged signer)" "event=enrol-refused reason=$reason .*field=$field found=[^ ]+.* wanted=[^ ]"
    elif [[ $reason != - ]]; then
        is '  not audited' "$(audited)" ''
    fi
done < "$flow_dir/enrol_refused"
is 'none of it led to a certificate' "$(owner_sql -c "select count(*) from chancery.certificate where kind = 'leaf' and device_id in
    (select device_id from chancery.device where name = '$d')")" "$before"
words_of '' "$d" "${challenges[lax]}"
say "$url" "${words[@]}"
is 'the challenge of all those refusals still enrols' "$answer" '0 - -'

# ---- what must work, one device each ----

grep -v -e '^#' -e '^$' "$flow_dir/enrol_good" > "$w/good"
awk -v tag="$tag" 'BEGIN { print "name,platform" } { print "good" NR "-" tag ",linux" }' "$w/good" > "$w/devices.csv"
is 'devices are imported' "$(chancery device import "$w/devices.csv" --group "$flow_group")" "$(grep -c . "$w/good")"
for profile in lax strict large; do chancery challenge create --profile "${!profile}" --all > "$w/challenges.$profile"; done
n=0
while IFS='|' read -r why profile row wanted; do
    n=$((n + 1))
    d=good$n-$tag
    why=$(trim "$why") profile=$(trim "$profile") wanted=$(trim "$wanted")
    words_of "$row" "$d" "$(awk -F '\t' -v d="$d" '$1 == d { print $3 }' "$w/challenges.$profile")"
    new_key "$d"
    say "$url" key="$d" "${words[@]}"
    is "enrolled: $why" "$answer" '0 - -'
    is '  answered with the request'\''s digest and cipher' "$(said digest) $(said cipher)" "$wanted"
    is '  rsaEncryption as signature algorithm' "$(said signature)" rsaEncryption
    is '  the nonce comes back' "$(said recipientNonce)" "${m[nonce]}"
    like '  with one of the same length' "$(said senderNonce)" "^[0-9a-f]{${#m[nonce]}}\$"
    refused '  which is another one' test "$(said senderNonce)" = "${m[nonce]}"
    is '  the transaction comes back' "$(said transactionID)" "$transaction"
    is '  one certificate inside, of this device' "$(said certificates) $(openssl x509 -in "$w/out.pem" -noout -subject -nameopt RFC2253)" "1 subject=O=Flow,CN=$d"
    is '  and of its key' "$(openssl x509 -in "$w/out.pem" -noout -pubkey)" "$(openssl pkey -in "$w/${m[key]}.key" -pubout)"
done < "$w/good"

# ---- what the certificate holds ----

now=$(date +%s)
text() { openssl x509 -in "$w/out.pem" -noout -ext "$1" 2> /dev/null | tr -s ' \n' '  '; }
d=content-$tag
new_key content
ok 'a device' flow_device "$d"
words_of '' "$d" "$(challenge "$lax" "$d")"
say "$url" key=content "${words[@]}"
is 'enrolled' "$answer" '0 - -'
is 'basicConstraints: no CA' "$(text basicConstraints)" 'X509v3 Basic Constraints: CA:FALSE '
is 'keyUsage: critical, as the profile says' "$(text keyUsage)" 'X509v3 Key Usage: critical Digital Signature, Key Encipherment '
is 'extendedKeyUsage' "$(text extendedKeyUsage)" 'X509v3 Extended Key Usage: TLS Web Client Authentication '
is 'subjectAltName: not critical beside a subject' "$(text subjectAltName)" "X509v3 Subject Alternative Name: DNS:$d.example.org "
ski_of() { openssl x509 -in "$1" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :'; }
is 'subjectKeyIdentifier: SHA-1 of the key' "$(ski_of "$w/out.pem")" \
    "$(openssl rsa -in "$w/content.key" -RSAPublicKey_out -outform DER 2> /dev/null | openssl dgst -sha1 -r | cut -d ' ' -f 1 | tr a-f A-F)"
is 'authorityKeyIdentifier: the key of the CA, and nothing else' "$(text authorityKeyIdentifier | tr -d ': ' | sed 's/.*Identifier//')" "$(ski_of "$w/ca.2.pem")"
is 'crlDistributionPoints' "$(text crlDistributionPoints | grep -o 'URI:[^ ]*')" "URI:$CHANCERY_HTTP_URL/crl/${CHANCERY_CA_ID}_v1/current.crl"
is 'authorityInfoAccess: the CA'\''s certificate' "$(text authorityInfoAccess | grep -o 'CA Issuers - URI:[^ ]*')" \
    "CA Issuers - URI:$CHANCERY_HTTP_URL/ca/${CHANCERY_CA_ID}_v1/cert.cer"
is 'eight extensions and no more' "$(openssl x509 -in "$w/out.pem" -noout -text | grep -c '^ *X509v3 [A-Z]\|Authority Information')" 8
is 'the issuer is the CA' "$(openssl x509 -in "$w/out.pem" -noout -issuer_hash)" "$(openssl x509 -in "$w/ca.2.pem" -noout -subject_hash)"
like 'the serial number: 16 octets, the first 10' "$(openssl x509 -in "$w/out.pem" -noout -serial)" '^serial=10[0-9A-F]{30}$'
like 'signed as the CA'\''s size has it' "$(openssl x509 -in "$w/out.pem" -noout -text)" 'sha384WithRSAEncryption'
seconds() { date -d "$(openssl x509 -in "$w/out.pem" -noout "-$1" | cut -d = -f 2)" +%s; }
# The CA of this system may be younger than ten minutes: then its own beginning counts.
begin=$(date -d "$(openssl x509 -in "$w/ca.2.pem" -noout -startdate | cut -d = -f 2)" +%s)
least=$((now - 600 > begin ? now - 600 : begin))
found=$(($(seconds startdate) - least))
ok "notBefore: ten minutes ago, or the CA's ($found s off)" test "$found" -ge 0 -a "$found" -le 30
found=$(($(seconds enddate) - now - 30 * 86400))
ok "notAfter: in 30 days ($found s off)" test "$found" -ge -5 -a "$found" -le 30
d=bare-$tag
new_key bare
ok 'a device' flow_device "$d"
say "$url" key=bare csr=tool cn=- o=- challenge="$(challenge "$bare" "$d")"
is 'without subject: enrolled' "$answer" '0 - -'
is 'without subject: none in the certificate' "$(openssl x509 -in "$w/out.pem" -noout -subject -nameopt RFC2253)" 'subject='
is 'without subject: subjectAltName is critical' "$(text subjectAltName)" "X509v3 Subject Alternative Name: critical DNS:$d.example.org "

# ---- one challenge, one certificate ----

d=once-$tag
new_key once
ok 'a device' flow_device "$d"
c=$(challenge "$lax" "$d")
words_of '' "$d" "$c"
say "$url" key=once "${words[@]}"
is 'enrolled' "$answer" '0 - -'
cp "$w/out.pem" "$w/once.pem"
cp "$w/message" "$w/once.message"
code=$(post "$url" "$w/once.message" "$w/reply")
open_answer "$code" "$w/reply" "$w/once.key" "$w/ca.1.pem"
is 'the same message again' "$answer" '0 - -'
ok '  the same certificate, byte for byte' cmp "$w/out.pem" "$w/once.pem"
code=$(curl -s -o "$w/reply" -w '%{http_code}' -G --data-urlencode "message=$(base64 -w 0 "$w/once.message")" "$url/pkiclient.exe?operation=PKIOperation")
open_answer "$code" "$w/reply" "$w/once.key" "$w/ca.1.pem"
is 'again by GET' "$answer" '0 - -'
ok '  the same certificate' cmp "$w/out.pem" "$w/once.pem"
say "$url" key=once "${words[@]}"
is 'another message, same challenge and key' "$answer" '0 - -'
ok '  the same certificate' cmp "$w/out.pem" "$w/once.pem"
say "$url" key=other "${words[@]}"
is 'the used challenge with another key' "$answer" '2 2 BadCertificateRequestIdInChallenge'
is '  audited' "$(audited)" 'BadCertificateRequestIdInChallenge challenge'
new_key again
c2=$(challenge "$lax" "$d")
words_of '' "$d" "$c2"
say "$url" key=again "${words[@]}"
is 'a new challenge, with a new key, by GET' "$answer" '0 - -'
refused '  another certificate' cmp -s "$w/out.pem" "$w/once.pem"
words_of '' "$d" "$c"
say "$url" key=once "${words[@]}"
is 'the first challenge with its key, after the second' "$answer" '0 - -'
ok '  still its certificate' cmp "$w/out.pem" "$w/once.pem"
chancery certificate revoke "$(openssl x509 -in "$w/once.pem" -noout -serial | cut -d = -f 2)" --reason superseded
say "$url" key=once "${words[@]}"
is 'the same when it is revoked' "$answer" '2 2 CertificateAlreadyRevoked'
like '  audited' "$(audited)" '^CertificateAlreadyRevoked challenge'
d2=other-$tag
ok 'another device' flow_device "$d2"
c=$(challenge "$lax" "$d2")
words_of '' "$d2" "$c"
say "$url" key=again "${words[@]}"
is 'a key that is another device'\''s' "$answer" '2 2 RegisteredKeyMismatch'
is '  audited' "$(audited)" 'RegisteredKeyMismatch key'
c2=$(challenge "$lax" "$d2")
say "$url" key=other "${words[@]}"
is 'a challenge that a newer one voided' "$answer" '2 2 BadCertificateRequestIdInChallenge'
is '  audited' "$(audited)" 'BadCertificateRequestIdInChallenge challenge'
refused '  it was another one' test "$c" = "$c2"

# ---- device, user, assignment, profile ----

c=$(challenge "$brief" "$d2")
expired() {
    [[ $(owner_sql -c "select clock_timestamp() > y.challenge_expires from chancery.delivery y join chancery.profile p using (profile_id)
        join chancery.device d using (device_id) where p.name = '$brief' and d.name = '$d2'") == t ]]
}
ok 'a second passes' wait_for 10 expired
words_of '' "$d2" "$c"
say "$url" key=other "${words[@]}"
is 'an expired challenge' "$answer" '2 2 ChallengeExpired'
is '  audited' "$(audited)" 'ChallengeExpired challenge'
for state in retire wipe block; do
    c=$(challenge "$lax" "$d2")
    words_of '' "$d2" "$c"
    ok "the device: $state" chancery device $state "$d2"
    say "$url" key=other "${words[@]}"
    is "a challenge from before: $state" "$answer" '2 2 BadDeviceIdInChallenge'
    is '  audited' "$(audited)" 'BadDeviceIdInChallenge device'
    refused '  no challenge is made for it' chancery challenge create --profile "$lax" --device "$d2"
    ok '  the device is taken back' chancery device enrol "$d2"
    say "$url" key=other "${words[@]}"
    is '  which does not bring the challenge back' "$answer" '2 2 BadCertificateRequestIdInChallenge'
done
ok 'a user' chancery user add --upn "anna-$tag@example.org" --email "anna-$tag@example.org"
ok 'a device of the user' flow_device "owned-$tag" --owner "anna-$tag@example.org"
new_key owned
words=(cn="anna-$tag" san="email:anna-$tag@example.org" challenge="$(challenge "$user" "owned-$tag")")
ok 'the user is disabled' chancery user disable "anna-$tag@example.org"
say "$url" key=owned "${words[@]}"
is 'a challenge of a disabled user' "$answer" '2 2 BadUserIdInChallenge'
is '  audited' "$(audited)" 'BadUserIdInChallenge user'
ok 'the user is enabled' chancery user enable "anna-$tag@example.org"
words[2]="challenge=$(challenge "$user" "owned-$tag")"
say "$url" key=owned "${words[@]}"
is 'and enrols with a new challenge' "$answer" '0 - -'
is '  with the names of the user' "$(openssl x509 -in "$w/out.pem" -noout -subject -nameopt RFC2253)$(text subjectAltName)" \
    "subject=O=Flow,CN=anna-${tag}X509v3 Subject Alternative Name: email:anna-$tag@example.org "
words_of '' "$d2" "$(challenge "$lax" "$d2")"
ok 'the device leaves the group' chancery group remove-member "$flow_group" --device "$d2"
say "$url" key=other "${words[@]}"
is 'a profile that is not assigned any more' "$answer" '2 2 ScepProfileNoLongerTargetedToTheClient'
is '  audited' "$(audited)" 'ScepProfileNoLongerTargetedToTheClient assignment'
ok 'the device is back in the group' chancery group add-member "$flow_group" --device "$d2"
words_of '' "$d2" "$(challenge "$strict" "$d2")"
ok 'the profile is changed' chancery profile update "$strict" --threshold 30
say "$url" key=other "${words[@]}"
is 'a challenge of the revision before' "$answer" '2 2 ScepProfileNoLongerTargetedToTheClient'
is '  audited' "$(audited)" 'ScepProfileNoLongerTargetedToTheClient assignment'
words_of '' "$d2" "$(challenge "$strict" "$d2")"
ok 'the profile is deleted' chancery profile delete "$strict"
say "$url" key=other "${words[@]}"
is 'a challenge of a deleted profile' "$answer" '2 2 ScepProfileNoLongerTargetedToTheClient'
is '  audited' "$(audited)" 'ScepProfileNoLongerTargetedToTheClient profile'

# ---- the CA ----

b="Enrol CA $tag" lax_b=laxb-$tag
flow_authority "$b"
is 'a second CA' $? 0
url_b=$CHANCERY_HTTP_URL/scep/$(shown "$b" id)
ok 'its certificates' scep_ca "$url_b" b
ok 'a profile of it' flow_profile "$lax_b" --ca "$b" "${names[@]}"
new_key b
to_b=(to="$w/b.0.pem" ra="$w/b.1.pem")
words_of '' "$d2" "$(challenge "$lax" "$d2")"
say "$url_b" key=b "${words[@]}" "${to_b[@]}"
is 'a challenge for another CA than the URL'\''s' "$answer" '2 2 WrongCertificationAuthority'
is '  audited' "$(audited)" 'WrongCertificationAuthority ca'
words_of '' "$d2" "$(challenge "$lax_b" "$d2")"
say "$url_b" key=b "${words[@]}" "${to_b[@]}"
is 'its own challenge' "$answer" '0 - -'
cp "$w/out.pem" "$w/b.cert"
cp "$w/message" "$w/b.message"
ok 'the issuer signed it' openssl verify -CAfile "$w/b.3.pem" -untrusted "$w/b.2.pem" "$w/b.cert"
words_of '' "$d2" "$(challenge "$lax_b" "$d2")"
ok 'the CA is paused' chancery ca pause "$b"
new_key b2
say "$url_b" key=b2 "${words[@]}" "${to_b[@]}"
is 'a paused CA' "$answer" '2 2 CertificationAuthorityPaused'
is '  audited' "$(audited)" 'CertificationAuthorityPaused ca'
refused '  no challenge is made for it' chancery challenge create --profile "$lax_b" --device "$d2"
code=$(post "$url_b" "$w/b.message" "$w/reply")
open_answer "$code" "$w/reply" "$w/b.key" "$w/b.1.pem"
is '  what was issued before is given again' "$answer" '0 - -'
ok '  the same certificate' cmp "$w/out.pem" "$w/b.cert"
is '  GetCACert is still answered' "$(curl -s -o /dev/null -w '%{http_code}' "$url_b?operation=GetCACert")" 200
ok 'the CA is resumed' chancery ca resume "$b"
say "$url_b" key=b2 "${words[@]}" "${to_b[@]}"
is 'the same challenge after that' "$answer" '0 - -'
words_of '' "$d2" "$(challenge "$lax_b" "$d2")"
for certificate in "$w/b.cert" "$w/out.pem"; do
    ok 'its certificate is revoked' chancery certificate revoke "$(openssl x509 -in "$certificate" -noout -serial | cut -d = -f 2)"
done
ok 'the CA is paused' chancery ca pause "$b"
ok 'and revoked' chancery ca revoke "$b"
new_key b3
say "$url_b" key=b3 "${words[@]}" "${to_b[@]}"
is 'a revoked CA' "$answer" '2 2 CertificationAuthorityRevoked'
is '  audited' "$(audited)" 'CertificationAuthorityRevoked ca'
is '  GetCACert is still answered' "$(curl -s -o /dev/null -w '%{http_code}' "$url_b?operation=GetCACert")" 200

# ---- strongSwan ----

d=swan-$tag
ok 'a device' flow_device "$d"
pki --gen --type rsa --size 2048 --outform pem > "$w/swan.key" 2> /dev/null
swan() {
    pki --scep --url "$url" --in "$w/$1.key" --dn "CN=$d, O=Flow" --password "$2" --cacert-enc "$w/ca.0.pem" --cacert-sig "$w/ca.1.pem" \
        --cacert "$w/ca.2.pem" --cacert "$w/ca.3.pem" --outform pem > "$w/swan.pem" 2> "$w/swan.err"
}
pki --gen --type rsa --size 2048 --outform pem > "$w/swan2.key" 2> /dev/null
refused 'strongSwan: a wrong challenge' swan swan secret
c=$(challenge "$lax" "$d")
ok 'strongSwan: enrols' swan swan "$c"
ok '  the certificate verifies' openssl verify -CAfile "$w/ca.3.pem" -untrusted "$w/ca.2.pem" "$w/swan.pem"
is '  and is of its key' "$(openssl x509 -in "$w/swan.pem" -noout -pubkey)" "$(openssl pkey -in "$w/swan.key" -pubout)"
cp "$w/swan.pem" "$w/swan.first"
ok 'strongSwan: the same again' swan swan "$c"
ok '  the same certificate' cmp "$w/swan.pem" "$w/swan.first"
refused 'strongSwan: the used challenge with another key' swan swan2 "$c"
finish
