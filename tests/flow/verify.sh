#!/usr/bin/env bash
# What relying parties see: chain and CRL by OpenSSL and GnuTLS, before and after a revocation; the published files over plain HTTP; each reason,
# holds; and a CA's key recovered with the openssl command line.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
profile=verify-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'the certificates' scep_ca "$CHANCERY_SCEP_URL" ca
leaf=leaf-$tag
ok 'a certificate' flow_enrol "$profile" "$leaf"

# ---- what is published, found from the certificate alone ----

published() {
    fetch "$(uri_in "$w/$leaf.pem" authorityInfoAccess)" "$w/issuing.cer" && openssl x509 -inform DER -in "$w/issuing.cer" -out "$w/issuing.pem" &&
        fetch "$(uri_in "$w/issuing.pem" authorityInfoAccess)" "$w/root.cer" && openssl x509 -inform DER -in "$w/root.cer" -out "$w/root.pem" &&
        fetch "$(uri_in "$w/$leaf.pem" crlDistributionPoints)" "$w/issuing.crl" && openssl crl -inform DER -in "$w/issuing.crl" -out "$w/issuing.crl.pem" &&
        fetch "$(uri_in "$w/issuing.pem" crlDistributionPoints)" "$w/root.crl" && openssl crl -inform DER -in "$w/root.crl" -out "$w/root.crl.pem" &&
        cat "$w/issuing.crl.pem" "$w/root.crl.pem" > "$w/crls.pem" && cat "$w/$leaf.pem" "$w/issuing.pem" "$w/root.pem" > "$w/chain.pem"
}
by_openssl() { openssl verify -x509_strict -crl_check_all -CAfile "$w/root.pem" -untrusted "$w/issuing.pem" -CRLfile "$w/crls.pem" "$w/${1:-$leaf}.pem"; }
by_gnutls() { certtool --verify --load-ca-certificate "$w/root.pem" --load-crl "$w/crls.pem" --infile "$w/chain.pem"; }
ok 'certificates and CRLs are found from URL to URL' published
ok 'the root is the one that was made' cmp "$w/root.pem" "$CHANCERY_ROOT_CERT"
ok 'OpenSSL accepts chain and CRLs' by_openssl
ok 'GnuTLS accepts chain and CRLs' by_gnutls
revoked_at=$(date +%s%N)
ok 'the certificate is revoked' chancery certificate revoke "$(serial_of "$w/$leaf.pem")" --reason keyCompromise
lists() {
    fetch "$(uri_in "$w/$leaf.pem" crlDistributionPoints)" "$w/now.crl" &&
        openssl crl -inform DER -in "$w/now.crl" -noout -text | grep -A 6 "Serial Number: $(serial_of "$w/$1.pem")" > "$w/entry"
}
ok 'the next CRL lists it' wait_for 20 lists "$leaf"
printf '# %s ms after the revocation\n' $((($(date +%s%N) - revoked_at) / 1000000))
ok 'the published files again' published
by_openssl > "$w/said" 2>&1
like 'OpenSSL refuses it: revoked' "$? $(cat "$w/said")" '^2 .*certificate revoked'
by_gnutls > "$w/said" 2>&1
like 'GnuTLS refuses it: revoked' "$? $(cat "$w/said")" '^1 .*revoked'

# ---- the CRL itself ----

crl_text() { openssl crl -inform DER -in "$w/$1.crl" -noout -text; }
number_of() { openssl crl -inform DER -in "$w/$1.crl" -noout -crlnumber | sed 's/.*=0x//;s/.*=//'; }
ski_of() { openssl x509 -in "$1" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' :'; }
for crl in issuing root; do
    ca=$w/$crl.pem
    like "$crl CRL: version 2" "$(crl_text $crl)" 'Version 2'
    ok "$crl CRL: signed by the CA" openssl crl -inform DER -in "$w/$crl.crl" -noout -CAfile "$ca"
    is "$crl CRL: authorityKeyIdentifier" "$(crl_text $crl | grep -A 1 'Authority Key Identifier' | tail -n 1 | tr -d ' :')" "$(ski_of "$ca")"
    is "$crl CRL: for seven days" $(($(date -d "$(openssl crl -inform DER -in "$w/$crl.crl" -noout -nextupdate | cut -d = -f 2)" +%s) -
        $(date -d "$(openssl crl -inform DER -in "$w/$crl.crl" -noout -lastupdate | cut -d = -f 2)" +%s))) 604800
    is "$crl CRL: authority key identifier and number, no other extension" \
        "$(crl_text $crl | sed '/Revoked Cert\|No Revoked/,$d' | grep -c 'X509v3 [A-Z]')" 2
    chancery ca certificate "$(openssl x509 -in "$ca" -noout -subject -nameopt multiline | sed -n 's/.*commonName *= //p')" --der > "$w/ca.der"
    ok "$crl AIA file: the CA's certificate" cmp "$w/ca.der" "$w/$crl.cer"
done
chancery crl get "$CHANCERY_CA_ID" > "$w/cli.crl"
ok 'chancery crl get: the same CRL as the file' cmp "$w/cli.crl" "$w/issuing.crl"

# ---- plain HTTP ----

declare -A types=([crlDistributionPoints]=application/pkix-crl [authorityInfoAccess]=application/pkix-cert)
for extension in "${!types[@]}"; do
    url=$(uri_in "$w/$leaf.pem" "$extension")
    head=$(curl -s -I "$url")
    like "$extension: 200" "$head" '^HTTP/1.1 200'
    like '  Content-Type' "$head" $'\nContent-Type: '"${types[$extension]}"$'\r'
    like '  Cache-Control' "$head" $'\nCache-Control: max-age=300\r'
    like '  ETag' "$head" $'\nETag: "[^"]+"\r'
    etag=$(sed -n 's/^ETag: \(.*\)\r$/\1/p' <<< "$head")
    is '  If-None-Match with it: 304' "$(curl -s -o /dev/null -w '%{http_code}' -H "If-None-Match: $etag" "$url")" 304
    is '  If-None-Match with another: 200' "$(curl -s -o /dev/null -w '%{http_code}' -H 'If-None-Match: "x"' "$url")" 200
    is '  POST: 405' "$(curl -s -o /dev/null -w '%{http_code}' -d x "$url")" 405
    is '  the folder: 404' "$(curl -s -o /dev/null -w '%{http_code}' "${url%/*}/")" 404
    is '  by HTTPS too' "$(curl -s -o /dev/null -w '%{http_code}' --cacert "$CHANCERY_TLS_CA" "${url/"$CHANCERY_HTTP_URL"/"$CHANCERY_HTTPS_URL"}")" 200
done

# ---- reasons, invalidity dates, holds ----

builds() { owner_sql -c "select count(*) from chancery.crl c join chancery.ca_version v using (ca_version_id) join chancery.ca a using (ca_id) where a.uuid = '$CHANCERY_CA_ID'"; }
# What is done | what the CRL's entry says of the reason (openssl's words; "-": nothing) | of the invalidity date
cat > "$w/reasons" <<'TABLE'
unspecified | - | -
keyCompromise | Key Compromise | -
cACompromise | CA Compromise | -
affiliationChanged | Affiliation Changed | -
superseded | Superseded | -
cessationOfOperation | Cessation Of Operation | -
privilegeWithdrawn | Privilege Withdrawn | -
aACompromise | AA Compromise | -
certificateHold | Certificate Hold | -
keyCompromise --invalidity-date 2026-01-02T03:04:05Z | Key Compromise | Jan  2 03:04:05 2026 GMT
TABLE
n=0
while IFS='|' read -r words _; do
    n=$((n + 1))
    ok "a certificate to revoke: $words" flow_enrol "$profile" "r$n-$tag"
done < "$w/reasons"
before=$(builds)
n=0
while IFS='|' read -r words _; do
    n=$((n + 1))
    read -ra words <<< "$words"
    ok "revoked: ${words[*]}" chancery certificate revoke "$(serial_of "$w/r$n-$tag.pem")" --reason "${words[@]}"
done < "$w/reasons"
ok 'the CRL lists the last of them' wait_for 20 lists "r$n-$tag"
made=$(($(builds) - before))
ok "$made CRLs were made for $n revocations" test "$made" -lt "$n"
n=0
while IFS='|' read -r words reason date; do
    n=$((n + 1))
    lists "r$n-$tag"
    # The entry ends where the next begins.
    entry=$(awk 'NR > 1 && /Serial Number|Signature Algorithm/ { exit } { print }' "$w/entry")
    reason=$(sed 's/^ *//;s/ *$//' <<< "$reason") date=$(sed 's/^ *//;s/ *$//' <<< "$date")
    found=$(grep -A 1 'CRL Reason Code' <<< "$entry" | tail -n 1 | sed 's/^ *//;s/ *$//')
    is "the CRL's entry: $words: reason" "${found:--}" "$reason"
    found=$(grep -A 1 'Invalidity Date' <<< "$entry" | tail -n 1 | sed 's/^ *//;s/ *$//')
    is '  invalidity date' "${found:--}" "$date"
done < "$w/reasons"
held=r9-$tag
number=$(number_of now)
refused 'a certificate is not revoked twice' chancery certificate revoke "$(serial_of "$w/r1-$tag.pem")"
refused 'what is not on hold is not released' chancery certificate release "$(serial_of "$w/r1-$tag.pem")"
ok 'a hold is released' chancery certificate release "$(serial_of "$w/$held.pem")"
not_listed() { ! lists "$1" && [[ -s $w/now.crl ]]; }
ok '  and the certificate leaves the CRL' wait_for 20 not_listed "$held"
ok '  whose number is greater' test $((16#$(number_of now))) -gt $((16#$number))
refused '  it is not released again' chancery certificate release "$(serial_of "$w/$held.pem")"
ok 'published' published
ok '  and the certificate verifies again' by_openssl "$held"
number=$(number_of now)
ok 'held again' chancery certificate hold "$(serial_of "$w/$held.pem")"
ok '  listed again' wait_for 20 lists "$held"
ok '  the number is greater' test $((16#$(number_of now))) -gt $((16#$number))
ok 'revoked for good' chancery certificate revoke "$(serial_of "$w/$held.pem")" --reason superseded
says_superseded() { lists "$held" && grep -q Superseded "$w/entry"; }
ok '  and listed so' wait_for 20 says_superseded
refused '  which is not released' chancery certificate release "$(serial_of "$w/$held.pem")"
is 'the numbers of all CRLs rise with time' "$(owner_sql -c "select count(*) from (select number, lag(number) over w as before, this_update,
    lag(this_update) over w as earlier from chancery.crl window w as (partition by ca_version_id, crl_shard order by this_update, number)) x
    where number <= before or this_update < earlier")" 0

# ---- a CA recovered: its key from the database, the passphrase from the secrets file, openssl ----

recover() {
    owner_sql -c "select encode(k.private, 'base64') from chancery.key k join chancery.ca_version v using (key_id) join chancery.ca c using (ca_id)
        where c.name = '$1' and c.deleted_at is null" | base64 -d > "$w/recovered.p8" &&
        openssl pkey -inform DER -in "$w/recovered.p8" -passin "file:$w/passphrase" -out "$w/recovered.key"
}
for pair in "$demo_ca|signer|ca" 'Chancery Demo Root CA|root|root'; do
    IFS='|' read -r name file word <<< "$pair"
    (umask 077 && sed -n "s/^${word}_passphrase = //p" "$CHANCERY_DIR/secrets/$file.conf" > "$w/passphrase")
    ok "$name: the key opens with openssl" recover "$name"
    is '  it is encrypted with AES-256 under PBES2' "$(openssl asn1parse -inform DER -in "$w/recovered.p8" | grep -o 'PBES2\|aes-256-cbc' | tr '\n' ' ')" 'PBES2 aes-256-cbc '
    is '  and is that of the certificate' "$(openssl pkey -in "$w/recovered.key" -pubout)" "$(chancery ca certificate "$name" | openssl x509 -noout -pubkey)"
    printf 'wrong\n' > "$w/passphrase"
    refused '  another passphrase does not open it' recover "$name"
done
finish
