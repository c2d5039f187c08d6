#!/usr/bin/env bash
# The next version of an issuing CA: staged, announced by GetNextCACert, put into production; leaves of the version before are renewed and revoked.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
# shellcheck source=byoca_lib.sh
source "$flow_dir/byoca_lib.sh"
flow_tool scep_client scep_open
flow_objects
ca="Versions CA $tag" profile=versions-$tag
flow_authority "$ca"
is 'a CA' $? 0
id=$(shown "$ca" id)
url=$CHANCERY_HTTP_URL/scep/$id
ok 'a profile that renews' flow_profile "$profile" --ca "$ca" --subject 'CN={{DeviceName}}' --renewal --threshold 40
ok 'its certificates' scep_ca "$url" ca
enrol_here() {
    flow_device "$1" || return 1
    new_key "$1"
    say "$url" key="$1" cn="$1" o=- challenge="$(challenge "$profile" "$1")" "${@:2}"
    [[ $answer == '0 - -' ]] && mv "$w/out.pem" "$w/$1.pem"
}
aged() {
    owner_sql -c 'set session_replication_role = replica' -c "update chancery.certificate set not_before = not_before - interval '60 days'
        where serial = '\\x$(serial_of "$w/$1.pem")'"
}
renew_here() {
    new_key "next-$1"
    say "$url" type=17 key="next-$1" signkey="$1" cert="$w/$1.pem" cn="$1" o=- "${@:2}"
}
print_of() { openssl x509 -in "$1" -noout -fingerprint -sha256; }
old=old-$tag
ok 'a device enrols under the first version' enrol_here "$old"
aged "$old"
# Its answer is lost, and asked for again when another version is in production.
lost=lost-$tag
ok 'a device whose renewal' enrol_here "$lost"
aged "$lost"
renew_here "$lost"
is '  is not heard' "$answer" '0 - -'
mv "$w/out.pem" "$w/renewed.pem"
later=later-$tag
ok 'a device that is slow' flow_device "$later"
new_key "$later"
slow=$(challenge "$profile" "$later")

# ---- staged ----

refused 'no renewal before half of its life has passed' chancery ca renew "$ca"
refused 'a root is not renewed' chancery ca renew "$ca Root" --early
refused 'nothing is staged to be activated' chancery ca activate "$ca"
# changed CA COLUMN VALUE: what the database's owner could do.
changed() { owner_sql -c 'set session_replication_role = replica' -c "update chancery.ca set $2 = $3 where name = '$1' and deleted_at is null"; }
named() { printf "(select ca_id from chancery.ca where name = '%s' and deleted_at is null)" "$1"; }
changed "$ca" parent_ca_id "$(named 'Chancery Demo Root CA')"
refused 'not by a root that did not sign it before, whatever the database says' chancery ca renew "$ca" --early
changed "$ca" parent_ca_id "$(named "$ca Root")"
changed "$ca" validity_years 25
decoy=$(shown "$ca Root" id)
flow_room
ok 'another CA may be named like the root'\''s id' chancery ca create-root --name "$decoy" --cn "$decoy" --key RSA-2048 --years 5 --eku 'Client auth'
is 'renewed early' "$(chancery ca renew "$ca" --early 2> /dev/null)" 2
changed "$ca" validity_years 2
ok '  the other goes' chancery ca delete "$(owner_sql -c "select uuid from chancery.ca where name = '$decoy' and deleted_at is null")"
refused '  once' chancery ca renew "$ca" --early
like '  the versions' "$(chancery ca versions "$ca" | tail -n +2 | tr -s ' \n' ' ')" '^2 Staged .*/v2 1 Active '
is '  the first one is in production' "$(shown "$ca" status) $(shown "$ca" version)" 'Active 1'
ok '  the second answers at its own address' scep_ca "$url/v2" next
is '  of the same names' "$(openssl x509 -in "$w/next.2.pem" -noout -subject)" "$(openssl x509 -in "$w/ca.2.pem" -noout -subject)"
days() { echo $((($(date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d = -f 2)" +%s) - $(date -d "$(openssl x509 -in "$1" -noout -startdate | cut -d = -f 2)" +%s)) / 86400)); }
like '  for two years, as the version before, whatever the database says' "$(days "$w/next.2.pem")" '^73[01]$'
is '  and given by number' "$(chancery ca certificate "$ca" --version 2)" "$(openssl x509 -in "$w/next.2.pem")"
refused '  no version 9' chancery ca certificate "$ca" --version 9
refused '  with another key' cmp -s <(openssl x509 -in "$w/next.2.pem" -noout -pubkey) <(openssl x509 -in "$w/ca.2.pem" -noout -pubkey)
ok '  by the same root' openssl verify -x509_strict -CAfile "$w/ca.3.pem" "$w/next.2.pem"
ok '  with a CRL of its own' wait_for 30 fetch "$CHANCERY_HTTP_URL/crl/${id}_v2/current.crl" "$w/v2.crl"
ok '  and its certificate published' wait_for 30 fetch "$CHANCERY_HTTP_URL/ca/${id}_v2/cert.cer" "$w/v2.cer"

# ---- GetNextCACert ----

# A worker that has just read the CA does not read it again at once.
ok 'GetNextCACert: soon' wait_for 5 curl -sf -o /dev/null "$url?operation=GetNextCACert"
is '  with its own type' "$(curl -s -o "$w/next.p7" -w '%{http_code} %{content_type}' "$url?operation=GetNextCACert&message=x")" \
    '200 application/x-x509-next-ca-cert'
openssl x509 -in "$w/ca.2.pem" -out "$w/issuer.pem"
ok '  signed by the CA in production' openssl cms -verify -inform DER -in "$w/next.p7" -binary -out "$w/next.content" -CAfile "$w/ca.3.pem" -purpose any -signer "$w/next.signer"
is '  and by no other' "$(print_of "$w/next.signer")" "$(print_of "$w/issuer.pem")"
next_certificates() { openssl pkcs7 -inform DER -print_certs | grep -c 'BEGIN CERTIFICATE'; }
is '  RA certificates, CA and root as its content' "$(next_certificates < "$w/next.content")" 4
openssl pkcs7 -inform DER -in "$w/next.content" -print_certs -out "$w/next.all"
ok '  the staged CA among them' grep -qF "$(openssl x509 -in "$w/next.2.pem" | sed -n 2p)" "$w/next.all"
ok '  and beside the signature' grep -qF "$(openssl x509 -in "$w/next.2.pem" | sed -n 2p)" <(openssl pkcs7 -inform DER -in "$w/next.p7" -print_certs)
# The answer is read again by each worker in its time; until then it may be the one before.
answers() { [[ $(curl -s -o /dev/null -w '%{http_code}' "$url$1") == "$2" ]]; }
announced() { curl -s "$url?operation=GetCACaps" | grep -qx GetNextCACert; }
ok '  a capability when the answers are read again' wait_for 40 announced
ok '  not of the staged version itself' answers '/v2?operation=GetNextCACert' 404

# ---- in production ----

# New RA certificates hold the version's lock and then refer to its row: an activation meanwhile waits for them.
ra_locks() {
    owner_sql -c begin -c "select pg_advisory_xact_lock_shared(20001, v.ca_version_id) from chancery.ca_version v join chancery.ca c using (ca_id)
        where c.uuid = '$id' and v.number = 1" -c 'select pg_sleep(3)' -c "select from chancery.ca_version v join chancery.ca c using (ca_id)
        where c.uuid = '$id' and v.number = 1 for key share of v" -c commit > "$w/ra.said" 2>&1
}
ra_locks &
ra_job=$!
locked() { [[ $(owner_sql -c "select count(*) from pg_locks where locktype = 'advisory' and classid = 20001 and mode = 'ShareLock' and granted") -gt 0 ]]; }
ok 'RA certificates are being made' wait_for 5 locked
ends() { owner_sql -c 'set session_replication_role = replica' -c "update chancery.ca_version set not_after = $1 where ca_id = $(named "$ca") and number = 2"; }
end=$(owner_sql -c "select quote_literal(not_after) from chancery.ca_version where ca_id = $(named "$ca") and number = 2")
ends "now() + interval '119 hours'"
refused 'not activated with less than five days left, of which nothing would come' chancery ca activate "$ca"
ends "$end"
is 'activated' "$(chancery ca activate "$ca")" 2
wait "$ra_job"
is '  and the RA certificates are none the worse' $? 0
like '  the first one is retired' "$(chancery ca versions "$ca" | tail -n +2 | tr -s ' \n' ' ')" '^2 Active .* 1 Retired '
is '  audited' "$(owner_sql -c "select count(*) from chancery.audit where object_id = '$id' and details ? 'activated'")" 1
ok '  the address of the staged version ends' wait_for 40 answers '/v2?operation=GetCACert' 404
new=new-$tag
ok 'a device enrols at the same address' enrol_here "$new"
ok '  under the second version' openssl verify -CAfile "$w/ca.3.pem" -untrusted "$w/next.2.pem" "$w/$new.pem"
like '  with its CRL' "$(uri_in "$w/$new.pem" crlDistributionPoints)" '_v2/'
say "$url" key="$later" cn="$later" o=- challenge="$slow"
is 'a challenge of the first version' "$answer" '2 2 CertificationAuthorityNotActive'
changed() { scep_ca "$url" now && [[ $(print_of "$w/now.2.pem") == "$(print_of "$w/next.2.pem")" ]]; }
ok 'GetCACert gives the second version' wait_for 40 changed
kept=kept-$tag
ok 'a client that kept the RA certificates of the first enrols' enrol_here "$kept"
is '  answered by that generation' "$(said pkiStatus)" 0
ok 'and one with those of the second' enrol_here "fresh-$tag" to="$w/next.0.pem" ra="$w/next.1.pem"
renew_here "$old"
is 'a leaf of the retired version is renewed' "$answer" '0 - -'
ok '  by the version in production' openssl verify -CAfile "$w/ca.3.pem" -untrusted "$w/next.2.pem" "$w/out.pem"
reply_issuer() {
    openssl cms -verify -noverify -inform DER -in "$w/reply" -binary 2> /dev/null |
        openssl cms -decrypt -inform DER -inkey "$w/$lost.key" -recip "$w/$lost.pem" -binary |
        openssl pkcs7 -inform DER -print_certs | awk '/BEGIN/ { n++ } n == 2' > "$w/reply.issuer"
}
url=$url/p/withissuer renew_here "$lost"
is 'a renewal whose answer was lost: the same again' "$answer $(print_of "$w/out.pem")" "0 - - $(print_of "$w/renewed.pem")"
ok '  with what stands behind it' reply_issuer
is '  which is the version that issued it' "$(print_of "$w/reply.issuer")" "$(print_of "$w/ca.2.pem")"
chancery certificate revoke "$(serial_of "$w/$old.pem")"
in_old_crl() { fetch "$CHANCERY_HTTP_URL/crl/${id}_v1/current.crl" "$w/v1.crl" && openssl crl -inform DER -in "$w/v1.crl" -noout -text | grep -q "$(serial_of "$w/$old.pem")"; }
ok 'and a leaf of it revoked in its own CRL' wait_for 15 in_old_crl
ok '  which the retired key signs' openssl crl -inform DER -in "$w/v1.crl" -noout -CAfile <(cat "$w/ca.2.pem" "$w/ca.3.pem")
ok 'nothing follows the second version' wait_for 40 answers '?operation=GetNextCACert' 404

# ---- a bring-your-own CA's next version is asked for and signed elsewhere ----

b="Versions BYOCA $tag"
flow_authorities+=("$b")
ok 'a bring-your-own CA' byoca "$b" --o Contoso
ok 'an external CA' ext_ca vroot cn=VRoot
ok '  signs it' ext_sign vroot "$w/$b.req" vmade
upload "$b" "$w/vmade.pem" "$w/vroot.pem"
is '  uploaded' "$(shown "$b" status)" Active
seal() { owner_sql -c "select quote_literal(csr_seal) from chancery.ca_version where ca_id = $(named "$b") and number = 1"; }
sealed() { owner_sql -c 'set session_replication_role = replica' -c "update chancery.ca_version set csr_seal = $1 where ca_id = $(named "$b") and number = 1"; }
before=$(seal)
sealed "decode(repeat('00', 28), 'hex')"
refused 'its next version: not of a request that was not made here' chancery ca renew "$b" --early
sealed "$before"
changed "$b" subject_cn "'Evil'"
changed "$b" eku_oids "array['1.3.6.1.5.5.7.3.8']"
is 'its next version' "$(chancery ca renew "$b" --early 2> /dev/null)" 2
changed "$b" subject_cn "'$b'"
changed "$b" eku_oids "array['1.3.6.1.5.5.7.3.2']"
is '  waits; the first goes on' "$(shown "$b" status) $(chancery ca versions "$b" | awk '$1 == 2 { print $2, $3 }')" 'Active Signing required'
refused '  it cannot be activated' chancery ca activate "$b"
chancery ca csr "$b" > "$w/v2.req"
asked() { openssl req -in "$1" -noout -subject && openssl req -in "$1" -noout -text | grep -A1 'Extended Key Usage'; }
is '  which asks for what the first one asked for, whatever the database says' "$(asked "$w/v2.req")" "$(asked "$w/$b.req")"
refused '  the request is of another key' cmp -s <(openssl req -in "$w/v2.req" -noout -pubkey) <(openssl req -in "$w/$b.req" -noout -pubkey)
upload "$b" "$w/vmade.pem" "$w/vroot.pem"
like '  the first certificate is not taken for it' "$said" '^1 '
ok '  signed' ext_sign vroot "$w/v2.req" vmade2
upload "$b" "$w/vmade2.pem" "$w/vroot.pem"
is '  uploaded: staged' "$(chancery ca versions "$b" | awk '$1 == 2 { print $2 }')" Staged
is '  activated' "$(chancery ca activate "$b")" 2
is '  in production' "$(shown "$b" status) $(shown "$b" version)" 'Active 2'
chancery ca renew "$b" --early > /dev/null 2>&1
chancery ca csr "$b" > "$w/v3.req"
ok 'a third version is signed' ext_sign vroot "$w/v3.req" vmade3
chancery ca pause "$b"
ok '  but the CA is revoked meanwhile' chancery ca revoke "$b"
upload "$b" "$w/vmade3.pem" "$w/vroot.pem"
like '  it is not taken' "$said" '^1 .*found Revoked'
is '  and waits for ever' "$(chancery ca versions "$b" | awk '$1 == 3 { print $2, $3 }')" 'Signing required'
finish
