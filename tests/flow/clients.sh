#!/usr/bin/env bash
# First enrolment by SCEP clients that are not ours: strongSwan's pki, certmonger, micromdm's scepclient. Each enrols, or is refused, and what it then tells
# its user stands here. The client of openssl and curl is in scep_lib.sh; enrol.sh uses it for what these do not send. Renewal and waiting: clients_renew.sh.
# shellcheck source=clients_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/clients_lib.sh"
flow_objects
url=$CHANCERY_SCEP_URL
profile=clients-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
clients_start

# ---- strongSwan ----

d=swan-$tag
for key in swan swan2; do swan_key $key; done
ok 'strongSwan: --scepca' pki --scepca --url "$url" --caout "$w/swan-ca.pem" --raout "$w/swan-ra.pem" --outform pem
ok '  the root' cmp <(openssl x509 -in "$w/swan-ca.pem" -outform DER) <(openssl x509 -in "$w/ca.3.pem" -outform DER)
ok '  the issuing CA' cmp <(openssl x509 -in "$w/swan-ca-1.pem" -outform DER) <(openssl x509 -in "$w/ca.2.pem" -outform DER)
ok '  the RA certificate for signing' cmp <(openssl x509 -in "$w/swan-ra.pem" -outform DER) <(openssl x509 -in "$w/ca.1.pem" -outform DER)
ok '  the RA certificate for encryption' cmp <(openssl x509 -in "$w/swan-ra-2.pem" -outform DER) <(openssl x509 -in "$w/ca.0.pem" -outform DER)
ok 'a device' flow_device "$d"
c=$(challenge "$profile" "$d")
refused 'strongSwan: a wrong challenge' swan swan "$d" wrong "${swan_roots[@]}"
like '  the user is told' "$(swan_told swan)" 'failInfo: *badMessageCheck - integrity check failed'
refused '  and gets nothing' test -s "$w/swan.pem"
swan swan else-"$tag" "$c" "${swan_roots[@]}"
like 'strongSwan: another name: the user is told' "$(swan_told swan)" 'failInfo: *badRequest - transaction not permitted or supported'
swan swan "$d" "$c" "${swan_roots[@]}" --cacert-enc "$w/ca.2.pem"
like 'strongSwan: encrypted for the CA: the user is told' "$(swan_told swan)" 'failInfo: *badMessageCheck'
swan swan "$d" "$c" "${swan_roots[@]}" --rsa-padding pss
like 'strongSwan: signed by RSASSA-PSS: the user is told' "$(swan_told swan)" 'failInfo: *badMessageCheck'
ok 'strongSwan: enrols' swan swan "$d" "$c" "${swan_roots[@]}"
like '  it trusts what it got' "$(swan_told swan)" 'Issued certificate is trusted'
is_enrolled "$w/swan.pem" "$w/swan.key" "$d"
is '  digest and cipher' "$(said_of "$d" digest) $(said_of "$d" cipher)" 'SHA-256 AES-128-CBC'
cp "$w/swan.pem" "$w/swan.first"
for options in '--cipher des3 --digest sha1' '--digest sha384' '--digest sha512' ''; do
    read -ra words <<< "$options"
    ok "strongSwan: the same again, ${options:-without CA certificates}" swan swan "$d" "$c" "${words[@]}"
    ok '  the same certificate' cmp "$w/swan.pem" "$w/swan.first"
done
refused 'strongSwan: the used challenge with another key' swan swan2 "$d" "$c" "${swan_roots[@]}"

# ---- certmonger ----

monger_start
d=monger-$tag
ok 'a device' flow_device "$d"
c=$(challenge "$profile" "$d")
ok 'certmonger: a SCEP CA' monger_ca chancery
is '  the user may compare the thumbprint of the root' "$(monger list-cas -c chancery | sed -n 's/.*(SHA1): //p' | tr -d ' ')" \
    "$(openssl x509 -in "$w/ca.3.pem" -noout -fingerprint -sha1 | cut -d = -f 2 | tr -d :)"
refused 'certmonger: a wrong challenge' monger_request chancery mongerbad "$d" wrong -w
is '  its state' "$(monger_says mongerbad status)" CA_REJECTED
is '  the user is told' "$(monger_says mongerbad ca-error)" 'Integrity check of client request failed at server.'
refused '  and gets nothing' test -e "$w/mongerbad.pem"
refused 'certmonger: another name' monger_request chancery mongerelse "else-$tag" "$c" -w
is '  the user is told' "$(monger_says mongerelse ca-error)" 'Transaction either is not permitted or is not supported by server.'
ok 'certmonger: enrols' monger_request chancery monger "$d" "$c" -w
is '  its state' "$(monger_says monger status)" MONITORING
is_enrolled "$w/monger.pem" "$w/monger.key" "$d"
is '  digest and cipher' "$(said_of "$d" digest) $(said_of "$d" cipher)" 'SHA-256 AES-256-CBC'
cp "$w/monger.pem" "$w/monger.first"
ok 'certmonger: resubmit, which sends its certificate'\''s key and its challenge again' monger resubmit -i monger -w
ok '  the same certificate' cmp "$w/monger.pem" "$w/monger.first"

# ---- micromdm's scepclient: single DES and SHA-1, whatever the server says ----

for level in modern compatible legacy; do
    d=micro-$level-$tag
    ok "a profile: $level" flow_profile "$level-$tag" --subject 'CN={{DeviceName}}' --algorithms $level
    ok '  a device' flow_device "$d"
    micromdm micro-$level "$d" "$(challenge "$level-$tag" "$d")"
    is '  scepclient' $? "$([[ $level == legacy ]]; echo $?)"
    if [[ $level != legacy ]]; then
        like '  the user is told' "$(cat "$w/micro-$level/out")" 'PKCSReq \(19\) request failed, failInfo: badAlg \(0\)'
        refused '  and gets nothing' test -e "$w/micro-$level/certificate.pem"
    else
        is_enrolled "$w/micro-$level/certificate.pem" "$w/micro-$level/key.pem" "$d"
        is '  digest and cipher' "$(said_of "$d" digest) $(said_of "$d" cipher)" 'SHA-1 DES-CBC'
    fi
done

# ---- the variants of the URI ----

# variant | client | profile | digest and cipher | the client's options
while IFS='|' read -r variant client level wanted options; do
    read -r variant client level <<< "$variant $client $level"
    read -r wanted <<< "$wanted"
    read -ra words <<< "$options"
    d=$client-$variant-$tag key=$client-$variant url=$CHANCERY_SCEP_URL/p/$variant
    flow_device "$d"
    c=$(challenge "$level-$tag" "$d")
    case $client in
    swan)
        swan_key "$key"
        ok "$variant: strongSwan enrols" swan "$key" "$d" "$c" "${swan_roots[@]}" "${words[@]}"
        ;;
    monger)
        ok "$variant: certmonger" monger_ca "$variant"
        ok '  enrols' monger_request "$variant" "$key" "$d" "$c" -w
        ;;
    esac
    is '  digest and cipher' "$(said_of "$d" digest) $(said_of "$d" cipher)" "$wanted"
    is_enrolled "$w/$key.pem" "$w/$key.key" "$d"
done <<'TABLE'
modern     | swan   | modern     | SHA-256 AES-128-CBC   |
modern     | monger | modern     | SHA-256 AES-256-CBC   |
apple      | swan   | compatible | SHA-1 DES-EDE3-CBC    | --cipher des3 --digest sha1
apple      | monger | compatible | SHA-256 AES-256-CBC   |
legacy     | monger | legacy     | SHA-256 DES-EDE3-CBC  |
withchain  | swan   | compatible | SHA-256 AES-128-CBC   |
withchain  | monger | compatible | SHA-256 AES-256-CBC   |
ra-lenient | swan   | compatible | SHA-256 AES-128-CBC   |
TABLE
# strongSwan 5.9.8 reads capabilities displaced by one: SHA-384 stands for SHA-256, and what is not there it does not send.
for variant in apple legacy; do
    url=$CHANCERY_SCEP_URL/p/$variant
    refused "$variant: strongSwan as it comes refuses by itself" swan swan "swan-$tag" none "${swan_roots[@]}"
    like '  the user is told' "$(swan_told swan)" 'AES_CBC encryption algorithm not supported by CA'
done
finish
