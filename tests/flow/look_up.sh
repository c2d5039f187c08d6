#!/usr/bin/env bash
# GetCert, GetCRL, GetCACertChain; the variants of a SCEP URI.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open scep_names
flow_objects
url=$CHANCERY_SCEP_URL
profile=lookup-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'the CA'\''s certificates' scep_ca "$url" ca
mine=mine-$tag theirs=theirs-$tag
ok 'a certificate' flow_enrol "$profile" "$mine"
ok 'one of another device' flow_enrol "$profile" "$theirs"
first=$(serial_of "$w/$mine.pem")
cp "$w/$mine.key" "$w/first.key"
cp "$w/$mine.pem" "$w/first.pem"
new_key second
say "$url" key=second cn="$mine" o=- challenge="$(challenge "$profile" "$mine")"
is 'another of the first device, with another key' "$answer" '0 - -'
cp "$w/out.pem" "$w/second.pem"

# names FILE WORDS: what a message carries
names() { "$scep_names" --issuer "$1" --serial-of "$2" > "$w/$3.der"; }
names "$w/ca.2.pem" "$w/first.pem" first
names "$w/ca.2.pem" "$w/$theirs.pem" theirs
names "$w/ca.0.pem" "$w/first.pem" by_ra
names "$w/ca.3.pem" "$w/first.pem" by_root
names "$w/ca.2.pem" "$w/ca.1.pem" of_ra
names "$w/ca.2.pem" 00 zero
names "$w/ca.2.pem" 10FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF none
"$scep_names" --issuer "$w/ca.2.pem" --serial-of "$w/first.pem" --more 00 > "$w/behind.der"
"$scep_names" --issuer "$w/ca.2.pem" --serial-of "$(printf 'A%.0s' {1..60})" > "$w/long.der"
"$scep_names" --issuer "$w/ca.2.pem" --subject "$w/ca.2.pem" > "$w/subject.der"
printf '' > "$w/empty.der"
new_key stranger

# what | type | content | words | answer
while IFS='|' read -r what type content words wanted; do
    read -r what <<< "$what"
    read -r type content <<< "$type $content"
    read -r wanted <<< "$wanted"
    read -ra words <<< "${words//@W/$w}"
    rm -f "$w/out.pem"
    say "$url" type="$type" content="$w/$content.der" "${words[@]}"
    is "$what" "$answer" "$wanted"
    if [[ $wanted == 0* && $type == 21 ]]; then ok '  the certificate' cmp "$w/out.pem" "$w/first.pem"; fi
    if [[ $wanted == 0* && $type == 22 ]]; then
        is '  one CRL' "$(said certificates) $(said crls)" '0 1'
        ok '  of the CA' openssl crl -in "$w/out.pem" -CAfile <(cat "$w/ca.2.pem" "$w/ca.3.pem") -noout
    fi
done <<TABLE
GetCert by the certificate | 21 | first | key=first cert=@W/first.pem | 0 - -
GetCert by its key alone | 21 | first | key=first | 0 - -
GetCert by another certificate of the device | 21 | first | key=second cert=@W/second.pem | 0 - -
GetCert with the RA as issuer (interop Q63) | 21 | by_ra | key=first | 0 - -
GetCert by a stranger | 21 | first | key=stranger | 2 4 CertificateUnknown
GetCert by another device | 21 | first | key=$theirs cert=@W/$theirs.pem | 2 4 CertificateUnknown
GetCert for the RA's certificate | 21 | of_ra | key=first | 2 4 CertificateUnknown
GetCert for a number that is none | 21 | none | key=first | 2 4 CertificateUnknown
GetCert for number 0 | 21 | zero | key=first | 2 4 CertificateUnknown
GetCert for a certificate of the root | 21 | by_root | key=first | 2 1 -
GetCert with an octet behind the names | 21 | behind | key=first | 2 1 -
GetCert for a number of 30 octets | 21 | long | key=first | 2 1 -
GetCert with a subject in the number's place | 21 | subject | key=first | 2 1 -
GetCert without content | 21 | empty | key=first | 2 1 -
GetCert with a wrong signature | 21 | first | key=first break=signature | 2 1 -
GetCert for the CA's eyes, not the RA's | 21 | first | key=first to=@W/ca.2.pem | 2 1 -
GetCRL by the certificate | 22 | first | key=first cert=@W/first.pem | 0 - -
GetCRL by a stranger: it is public | 22 | first | key=stranger | 0 - -
GetCRL with the RA as issuer (interop Q63) | 22 | by_ra | key=first | 0 - -
GetCRL for a number that is none | 22 | none | key=first | 0 - -
GetCRL of the root | 22 | by_root | key=first | 2 1 -
GetCRL with an octet behind the names | 22 | behind | key=first | 2 1 -
GetCRL without content | 22 | empty | key=first | 2 1 -
TABLE
chancery certificate revoke "$first"
listed() {
    say "$url" type=22 content="$w/first.der" key=first
    [[ $answer == '0 - -' ]] && openssl crl -in "$w/out.pem" -noout -text | grep -q "Serial Number: $first"
}
ok 'a revocation is in the CRL of GetCRL within seconds' wait_for 10 listed
say "$url" type=21 content="$w/first.der" key=second cert="$w/second.pem"
is 'GetCert: a revoked one is still shown to its device' "$answer" '0 - -'
say "$url" type=21 content="$w/theirs.der" key=first cert="$w/first.pem"
is 'GetCert: but a revoked one shows nothing' "$answer" '2 4 CertificateUnknown'

# ---- a CRL beyond 1 MB: badRequest with its address ----

b="Look CA $tag"
flow_authority "$b"
is 'a second CA' $? 0
version=$(owner_sql -c "select v.ca_version_id from chancery.ca_version v join chancery.ca c using (ca_id) where c.name = '$b'")
b_url=$CHANCERY_HTTP_URL/scep/$(shown "$b" id)
ok 'its certificates' scep_ca "$b_url" b
names "$w/b.2.pem" "$w/b.1.pem" big
has_crl() { [[ $(owner_sql -c "select number > 0 and ($1) from chancery.crl_state where ca_version_id = $version") == t ]]; }
ok 'its first CRL is built' wait_for 20 has_crl 'size < 1048576'
say "$b_url" type=22 content="$w/big.der" key=stranger to="$w/b.0.pem" ra="$w/b.1.pem"
is 'GetCRL' "$answer" '0 - -'
owner_sql -c "insert into chancery.revocation (ca_version_id, serial, tenant_id, revoked_at, reason, not_after)
    select $version, decode('10' || lpad(to_hex(i), 30, '0'), 'hex'), 1, now(), 1, now() + interval '1 year' from generate_series(1, 30000) i" \
    -c "insert into chancery.revocation_event (tenant_id, ca_version_id, crl_shard, serial, action, reason, actor)
    values (1, $version, 0, decode('10' || lpad('1', 30, '0'), 'hex'), 'revoke', 1, 'test')"
ok 'its CRL has 30,000 entries' wait_for 30 has_crl 'size > 1048576'
say "$b_url" type=22 content="$w/big.der" key=stranger to="$w/b.0.pem" ra="$w/b.1.pem"
is 'GetCRL above 1 MB: badRequest with the address' "$answer" "2 2 CrlTooLarge $(shown "$b" crl_distribution_point)"
ok '  where it is' fetch "$(shown "$b" crl_distribution_point)" "$w/big.crl"
owner_sql -c "set session_replication_role = replica" -c "delete from chancery.revocation where ca_version_id = $version and revoked_at > now() - interval '1 hour' and octet_length(serial) = 16"

# ---- GetCACertChain, and the variants: variant | GetCACaps | certificates in GetCACert | certificates in the answer ----

is 'GetCACertChain: its own type' "$(curl -s -o "$w/chain.p7" -w '%{content_type}' "$url?operation=GetCACertChain&message=0")" application/x-x509-ca-ra-cert-chain
ok '  the same as GetCACert' cmp "$w/chain.p7" "$w/ca.p7"
is 'GetNextCACert: nothing is staged' "$(curl -s -o "$w/next" -w '%{http_code} %{content_type}' "$url?operation=GetNextCACert")" '404 text/plain'
refused '  so it is no capability' grep -q GetNextCACert <(curl -s "$url?operation=GetCACaps")
compatible='AES DES3 POSTPKIOperation Renewal SCEPStandard SHA-1 SHA-256 SHA-384 SHA-512'
while IFS='|' read -r variant capabilities in_ca in_answer; do
    read -r variant <<< "$variant"
    read -r capabilities <<< "$capabilities"
    read -r in_ca in_answer <<< "$in_ca $in_answer"
    v_url=$url${variant:+/p/$variant}
    name=${variant:-none}
    is "variant $name: GetCACaps" "$(curl -s "$v_url?operation=GetCACaps" | tr '\n' ' ')" "$capabilities "
    ok '  GetCACert' scep_ca "$v_url" "v-$name"
    is '  so many certificates, the RA'\''s first' "$(ls "$w/v-$name".*.pem | wc -l) $(cmp "$w/v-$name.0.pem" "$w/ca.0.pem" && echo same)" "$in_ca same"
    d=v-$name-$tag
    new_key "$d"
    flow_device "$d"
    say "$v_url/pkiclient.exe" key="$d" cn="$d" o=- challenge="$(challenge "$profile" "$d")"
    is '  enrolled, so many certificates in the answer' "$answer $(said certificates)" "0 - - $in_answer"
    is '  the issued one first' "$(openssl x509 -in "$w/out.pem" -noout -subject -nameopt RFC2253)" "subject=CN=$d"
done <<TABLE
| $compatible | 4 | 1
modern | AES POSTPKIOperation Renewal SCEPStandard SHA-256 SHA-384 SHA-512 | 4 | 1
legacy | DES3 Renewal SHA-1 | 4 | 1
apple | Renewal SHA-1 SHA-256 AES DES3 SCEPStandard POSTPKIOperation | 4 | 1
issuer | $compatible | 3 | 1
ra | $compatible | 2 | 1
withissuer | $compatible | 4 | 2
withchain | $compatible | 4 | 3
lenient | $compatible | 4 | 1
legacy-ra-withissuer-lenient | DES3 Renewal SHA-1 | 2 | 2
TABLE
for variant in cisco modern-legacy '' Modern; do
    is "variant \"$variant\": there is none" "$(curl -s -o /dev/null -w '%{http_code}' "$url/p/$variant?operation=GetCACaps")" 404
done
ok 'a profile with a variant' flow_profile "variant-$tag" --subject 'CN={{DeviceName}}' --variant lenient-withissuer
is '  stands in its SCEP URI' "$(chancery profile show "variant-$tag" | sed -n 's/^scep_uri  *//p')" "https://{{CloudPKIFQDN}}/scep/$CHANCERY_CA_ID/p/lenient-withissuer"
refused '  one that there is not' flow_profile "novariant-$tag" --subject 'CN={{DeviceName}}' --variant cisco
like '  Apple'\''s have theirs' "$(chancery profile add --name "apple-$tag" --ca "$demo_ca" --platform ios --validity '30 days' --eku 'Client auth' --subject 'CN={{DeviceName}}' &&
    chancery profile show "apple-$tag")" '/p/apple'
finish
