#!/usr/bin/env bash
# CAs as an operator makes and ends them: what is refused (table ca_refused), key pairs, certificates field by field, validity, limits, immutability,
# states and what each allows, RA certificates.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
flow_limit=$(owner_sql -c 'select ca_limit from chancery.tenant where tenant_id = 1')
a="CA $tag" big="CA4096 $tag" twin="Twin $tag"
flow_authorities=("$a" "$big" "$twin")

# ---- limit ----

is 'six CAs a tenant by default' "$(owner_sql -c "select column_default from information_schema.columns
    where table_schema = 'chancery' and table_name = 'tenant' and column_name = 'ca_limit'")" 6
live() { owner_sql -c 'select count(*) from chancery.ca where deleted_at is null'; }
limit() { owner_sql -c "update chancery.tenant set ca_limit = $1 where tenant_id = 1"; }
root() { chancery ca create-root --key RSA-2048 --years 5 --eku 'Client auth' "$@"; }
limit "$(live)"
root --name "$a Root" --cn x > "$w/said" 2>&1
like 'a root beyond the limit' "$? $(cat "$w/said")" '^1 .*limit'
limit $(($(live) + 1))
ok 'a root as the last one' root --name "$a Root" --cn "$a Root"
chancery ca create-issuing --parent "$a Root" --name "$a" --cn x --years 2 --eku 'Client auth' > "$w/said" 2>&1
like 'an issuing CA beyond the limit' "$? $(cat "$w/said")" '^1 .*limit'
flow_room
ok 'an issuing CA when there is room' chancery ca create-issuing --parent "$a Root" --name "$a" --cn "$a" --years 10 --eku 'Client auth' --c NL --o Flow
flow_room

# ---- what is refused ----

n=0
before=$(live)
while IFS='|' read -r why kind changes says; do
    why=$(sed 's/ *$//' <<< "$why") says=$(sed 's/^ *//; s/ *$//' <<< "$says")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    n=$((n + 1))
    read -r kind <<< "$kind"
    declare -A o=([name]="refused $n $tag" [cn]=x [years]=5 [eku]='Client auth')
    if [[ $kind == root ]]; then o[key]=RSA-2048; else o[parent]="$a Root"; fi
    read -ra changes <<< "$changes"
    for change in "${changes[@]}"; do
        value=${change#*=}
        case $value in
        @R) value="$a Root" ;;
        @I) value=$a ;;
        @[0-9]*) value=$(printf "%0${value#@}d" 0) ;;
        *) value=${value//_/ } ;;
        esac
        o[${change%%=*}]=$value
    done
    words=()
    for option in "${!o[@]}"; do
        if [[ ${o[$option]} == - ]]; then continue; fi
        if [[ $option == eku ]]; then
            IFS=, read -ra ekus <<< "${o[eku]}"
            for eku in "${ekus[@]}"; do words+=(--eku "$eku"); done
        else
            words+=("--$option" "${o[$option]}")
        fi
    done
    chancery ca "create-$kind" "${words[@]}" > "$w/said" 2>&1
    like "not made: $kind: $why" "$? $(tr '\n' ' ' < "$w/said" | tr A-Z a-z)" "^[12] .*($(tr A-Z a-z <<< "$says"))"
done < "$flow_dir/ca_refused"
is 'nothing of that was made' "$(live)" "$before"

# ---- a root of RSA-4096 with everything, an issuing CA below it ----

text() { openssl x509 -in "$w/$1.pem" -noout -text; }
extension() { openssl x509 -in "$w/$1.pem" -noout -ext "$2" 2> /dev/null | tail -n +2 | sed 's/^ *//' | tr '\n' ' ' | sed 's/ *$//'; }
field() { openssl x509 -in "$w/$1.pem" -noout "-$2" | cut -d = -f 2-; }
ski() { extension "$1" subjectKeyIdentifier | tr -d ':'; }
made=$(date +%s)
ok 'a root of RSA-4096' chancery ca create-root --name "$big Root" --cn 'Big Root' --o Contoso --ou Keys --c NL --st Utrecht --l Amersfoort --key RSA-4096 \
    --years 25 --description 'for the tests' --eku 'Server auth' --eku 'Client auth' --eku 'Door 10=1.3.6.1.5.5.7.3.10' --eku 'OCSP signing' \
    --eku 'Smart card logon' --eku 'Door opener=1.3.6.1.4.1.99999.1'
took=$(($(date +%s) - made))
ok 'an issuing CA below it' chancery ca create-issuing --parent "$big Root" --name "$big" --cn 'Big Issuing' --o Contoso --years 10 --eku 'Client auth' \
    --eku Door=1.3.6.1.4.1.99999.1 --ra-eku 'Client auth'
flow_room
chancery ca certificate "$big Root" > "$w/root.pem"
chancery ca certificate "$big" > "$w/issuing.pem"
is 'ca show: root: type, keys, root' "$(shown "$big Root" type), $(shown "$big Root" key_size_and_algorithm), $(shown "$big Root" root_common_name)" \
    'Root, RSA-4096 and SHA-512, Big Root'
is 'ca show: issuing: inherits size and hash' "$(shown "$big" type), $(shown "$big" key_size_and_algorithm), $(shown "$big" root_common_name)" \
    'Issuing, RSA-4096 and SHA-512, Big Root'
is 'ca show: the SCEP URI with its placeholder' "$(shown "$big" scep_uri)" "https://{{CloudPKIFQDN}}/scep/$(shown "$big" id)"
is 'ca show: the root has none' "$(shown "$big Root" scep_uri)" ''
is 'ca show: serial and thumbprint are those of the certificate' "$(shown "$big" serial) $(shown "$big" thumbprint)" \
    "$(field issuing serial | tr A-F a-f) $(openssl x509 -in "$w/issuing.pem" -noout -fingerprint -sha1 | cut -d = -f 2 | tr -d :)"
is 'ca certificate --chain: both' "$(chancery ca certificate "$big" --chain | grep -c BEGIN)" 2
ok 'ca certificate --der' cmp <(chancery ca certificate "$big" --der) <(openssl x509 -in "$w/issuing.pem" -outform DER)
like 'both are listed as Active' "$(chancery ca list)" "$big Root +Root +Big Root +Active .*$big +Issuing +Big Root +Active "
for pair in "CA4096:$big Root:sha512WithRSAEncryption:4096" "CA2048:$a:sha256WithRSAEncryption:2048" "demo:$demo_ca:sha384WithRSAEncryption:3072"; do
    IFS=: read -r word name algorithm bits <<< "$pair"
    chancery ca certificate "$name" > "$w/one.pem"
    like "$word: $algorithm with $bits bits" "$(text one)" "Signature Algorithm: $algorithm.*Public-Key: \($bits bit\)"
done

# Root: reference 2.C30 to 2.C38.
like 'root: version 3, exponent 65537' "$(text root)" 'Version: 3 .*Exponent: 65537'
like 'root: a serial number of 16 octets' "$(field root serial)" '^[0-9A-F]{32}$'
is 'root: the order of the name' "$(openssl x509 -in "$w/root.pem" -noout -subject -nameopt sep_comma_plus | tr -d ' ')" \
    'subject=C=NL,ST=Utrecht,L=Amersfoort,OU=Keys,O=Contoso,CN=BigRoot'
is 'root: country as PrintableString, the rest UTF8String' "$(openssl x509 -in "$w/root.pem" -noout -subject -nameopt sep_comma_plus,show_type |
    grep -o 'PRINTABLESTRING:NL\|UTF8STRING' | tr '\n' ' ')" 'PRINTABLESTRING:NL UTF8STRING UTF8STRING UTF8STRING UTF8STRING UTF8STRING '
is 'root: issued by itself' "$(openssl x509 -in "$w/root.pem" -noout -issuer_hash)" "$(openssl x509 -in "$w/root.pem" -noout -subject_hash)"
begin=$(date -d "$(field root startdate)" +%s)
ok "root: notBefore when it was made ($((begin - made)) s after the call)" test $((begin - made)) -ge -1 -a $((begin - made)) -le $((took + 1))
is 'root: notAfter exactly 25 years later' "$(date -u -d "$(field root enddate)" '+%m-%d %T %Y')" \
    "$(date -u -d "$(field root startdate)" '+%m-%d %T') $(($(date -u -d "$(field root startdate)" +%Y) + 25))"
ok 'root: a year from 2050 on as GeneralizedTime' sh -c "openssl asn1parse -in '$w/root.pem' | grep -q 'GENERALIZEDTIME *:20[5-9]'"
is 'root: basicConstraints' "$(extension root basicConstraints)" 'CA:TRUE, pathlen:1'
is 'root: keyUsage' "$(extension root keyUsage)" 'Digital Signature, Certificate Sign, CRL Sign'
is 'root: extKeyUsage in the order of OIDs' "$(extension root extendedKeyUsage)" \
    'Microsoft Smartcard Login, 1.3.6.1.4.1.99999.1, TLS Web Server Authentication, TLS Web Client Authentication, OCSP Signing, dvcs'
is 'root: what is critical' "$(text root | grep critical | sed 's/^ *//' | tr '\n' ' ')" 'X509v3 Basic Constraints: critical X509v3 Key Usage: critical '
key_hash() { openssl x509 -in "$w/$1.pem" -noout -pubkey | openssl rsa -pubin -RSAPublicKey_out -outform DER 2> /dev/null | openssl dgst -sha1 -r | cut -d ' ' -f 1 | tr a-f A-F; }
is 'root: subjectKeyIdentifier is SHA-1 of the key' "$(ski root)" "$(key_hash root)"
is 'root: authorityKeyIdentifier the same, and no more' "$(extension root authorityKeyIdentifier | tr -d ':')" "$(ski root)"
is 'root: five extensions: no CRL, no AIA, no policies' "$(text root | grep -c 'X509v3 [A-Z]\|Authority Information')" 5

# Issuing CA.
is 'issuing: basicConstraints' "$(extension issuing basicConstraints)" 'CA:TRUE, pathlen:0'
is 'issuing: keyUsage' "$(extension issuing keyUsage)" 'Digital Signature, Certificate Sign, CRL Sign'
is 'issuing: extKeyUsage' "$(extension issuing extendedKeyUsage)" '1.3.6.1.4.1.99999.1, TLS Web Client Authentication'
is 'issuing: what is critical' "$(text issuing | grep critical | sed 's/^ *//' | tr '\n' ' ')" 'X509v3 Basic Constraints: critical X509v3 Key Usage: critical '
is 'issuing: subjectKeyIdentifier' "$(ski issuing)" "$(key_hash issuing)"
is 'issuing: authorityKeyIdentifier is the root'\''s' "$(extension issuing authorityKeyIdentifier | tr -d ':')" "$(ski root)"
is 'issuing: the CRL of the root' "$(uri_in "$w/issuing.pem" crlDistributionPoints)" "$(shown "$big Root" crl_distribution_point)"
is 'issuing: the certificate of the root' "$(uri_in "$w/issuing.pem" authorityInfoAccess)" "$(shown "$big Root" aia)"
is 'issuing: seven extensions' "$(text issuing | grep -c 'X509v3 [A-Z]\|Authority Information')" 7
ok 'issuing: the root signed it' openssl verify -x509_strict -CAfile "$w/root.pem" "$w/issuing.pem"
is 'issuing: notAfter 10 years later' $(($(date -u -d "$(field issuing enddate)" +%Y) - $(date -u -d "$(field issuing startdate)" +%Y))) 10

# RA certificates, with and without a purpose.
scep_url() { echo "$CHANCERY_HTTP_URL/scep/$(shown "$1" id)"; }
ok 'GetCACert' scep_ca "$(scep_url "$big")" ra
ok 'GetCACert of a CA without --ra-eku' scep_ca "$(scep_url "$a")" plain
for name in ra plain; do
    wanted=
    if [[ $name == ra ]]; then wanted='TLS Web Client Authentication'; fi
    for i in 0 1; do
        is "$name.$i: extKeyUsage" "$(extension $name.$i extendedKeyUsage)" "$wanted"
        is "$name.$i: no CA" "$(extension $name.$i basicConstraints)" CA:FALSE
        is "$name.$i: critical keyUsage" "$(text $name.$i | grep -A 1 'Key Usage: critical' | tail -n 1 | sed 's/^ *//')" \
            "$(if ((i == 0)); then echo 'Key Encipherment'; else echo 'Digital Signature'; fi)"
        ok "$name.$i: the CA signed it" openssl verify -CAfile "$w/$name.3.pem" -untrusted "$w/$name.2.pem" "$w/$name.$i.pem"
        is "$name.$i: for a year" $(($(date -d "$(field $name.$i enddate)" +%s) - $(date -d "$(field $name.$i startdate)" +%s) > 364 * 86400)) 1
    done
    is "$name: two keys" "$(cat "$w/$name.0.pem" "$w/$name.1.pem" | awk '/-BEGIN/ { n++ } { print > ("'"$w"'/k" n) } END { print n }')" 2
    refused "$name: which differ" cmp -s <(openssl x509 -in "$w/$name.0.pem" -noout -pubkey) <(openssl x509 -in "$w/$name.1.pem" -noout -pubkey)
done

# ---- validity, names ----

ok 'a root' chancery ca create-root --name "$twin Root" --cn "$twin" --key RSA-2048 --years 3 --eku 'Client auth'
out=$(chancery --json ca create-issuing --parent "$twin Root" --name "$twin" --cn "$twin" --years 7 --eku 'Client auth' 2> "$w/said")
like 'an issuing CA of the same subject that would outlive it: made' "$? $out" '^0 .*"clamped": *true'
like '  it is said so' "$(cat "$w/said")" "clamped to the parent's end"
chancery ca certificate "$twin Root" > "$w/root.pem"
chancery ca certificate "$twin" > "$w/issuing.pem"
is '  it ends with the root' "$(field issuing enddate)" "$(field root enddate)"
is '  it has the same name' "$(openssl x509 -in "$w/issuing.pem" -noout -subject_hash)" "$(openssl x509 -in "$w/root.pem" -noout -subject_hash)"
ok '  and verifies below it' openssl verify -CAfile "$w/root.pem" "$w/issuing.pem"

# ---- immutable ----

immutable() { owner_sql -c "$1" > "$w/said" 2>&1; like "immutable: $1" "$? $(cat "$w/said")" '^[1-9].*Immutable'; }
where="where name = '$a'"
for change in "name = 'x'" "subject_cn = 'x'" "eku_oids = '{1.2.3}', eku_names = '{x}'" 'key_bits = 4096' "hash = 'SHA-512'" 'validity_years = 99' \
    'names_from_requests = true' "scep_uri = 'x'" "key_platform = 'hardwareSecurityModule'"; do
    immutable "update chancery.ca set $change $where"
done
immutable "delete from chancery.ca $where"
version="ca_version_id in (select ca_version_id from chancery.ca_version join chancery.ca using (ca_id) $where)"
for change in "certificate = '\\x30'" "not_after = now()" "serial = '\\x01'" "crl_url = 'http://x/y'" 'key_id = 1' 'number = 2'; do
    immutable "update chancery.ca_version set $change where $version"
done
immutable "delete from chancery.ca_version where $version"
immutable 'update chancery.key set private = private || private'
immutable 'delete from chancery.key'
immutable "update chancery.certificate set der = der || der where kind = 'ca'"
immutable "delete from chancery.certificate where kind = 'ca'"
ok 'scope tags can be changed' owner_sql -c "update chancery.ca set scope_tags = '{1}' $where"

# ---- states ----

# try VERB RESULT: what a state allows.
try() {
    chancery ca "$1" "$a" > "$w/said" 2>&1
    if [[ $2 == ok ]]; then
        is "$state: $1 is done" "$? $(cat "$w/said")" '0 '
    else
        like "$state: $1 is refused, naming the state" "$? $(cat "$w/said")" "^1 .*$2"
    fi
}
actions() { shown "$a" actions; }
profile=ca-$tag device=ca-$tag
ok 'a profile of the CA' flow_profile "$profile" --ca "$a" --subject 'CN={{DeviceName}}'
ok 'a device' flow_device "$device"
new_key base
say "$(scep_url "$a")" cn="$device" o=- challenge="$(challenge "$profile" "$device")" to="$w/plain.0.pem" ra="$w/plain.1.pem"
is 'a certificate' "$answer" '0 - -'
cp "$w/out.pem" "$w/leaf.pem"
state=Active
is "$state: status and actions" "$(shown "$a" status): $(actions)" 'Active: pause'
for verb in resume revoke delete; do try $verb Active; done
try pause ok
state=Paused
is "$state: status and actions" "$(shown "$a" status): $(actions)" 'Paused: resume, revoke'
for verb in pause delete; do try $verb Paused; done
try resume ok
state=Active
is 'resumed: status' "$(shown "$a" status)" Active
ok 'paused again' chancery ca pause "$a"
state='Paused, with a leaf'
try revoke 'found 1 active'
is 'it is still Paused' "$(shown "$a" status)" Paused
ok 'a leaf of a paused CA can be revoked' chancery certificate revoke "$(serial_of "$w/leaf.pem")"
row=$(shown "$a" row_version)
chancery ca revoke "$a" --row-version $((row - 1)) > "$w/said" 2>&1
like 'a change by somebody who saw an older row' "$? $(cat "$w/said")" '^1 .*changed by somebody else'
ok 'a change by somebody who saw this one' chancery ca revoke "$a" --row-version "$row" --reason superseded
state=Revoked
is "$state: status and actions" "$(shown "$a" status): $(actions)" 'Revoked: delete'
for verb in pause resume revoke; do try $verb Revoked; done
chancery ca certificate "$a" > "$w/a.pem"
chancery ca certificate "$a Root" > "$w/a-root.pem"
root_lists() {
    fetch "$(uri_in "$w/a.pem" crlDistributionPoints)" "$w/root.crl" &&
        openssl crl -inform DER -in "$w/root.crl" -noout -text | grep -A 6 "Serial Number: $(serial_of "$w/a.pem")" | grep -q Superseded
}
ok 'the root'\''s CRL lists it' wait_for 20 root_lists
openssl crl -inform DER -in "$w/root.crl" -out "$w/root.crl.pem"
openssl verify -crl_check -CAfile "$w/a-root.pem" -CRLfile "$w/root.crl.pem" "$w/a.pem" > "$w/said" 2>&1
like 'and it is refused for that' "$? $(cat "$w/said")" '^2 .*certificate revoked'
lists_leaf() { fetch "$(uri_in "$w/leaf.pem" crlDistributionPoints)" "$w/a.crl" && openssl crl -inform DER -in "$w/a.crl" -noout -text | grep -q "$(serial_of "$w/leaf.pem")"; }
ok 'its own CRL goes on: its leaf is listed' wait_for 20 lists_leaf
ok 'its own certificate is still there' fetch "$(uri_in "$w/leaf.pem" authorityInfoAccess)" "$w/x"
refused 'no profile is made for it' chancery profile add --name "late-$tag" --ca "$a" --platform linux --validity '1 year' --eku 'Client auth' --subject 'CN={{DeviceName}}'
for verb in pause resume revoke; do
    chancery ca $verb "$a Root" > "$w/said" 2>&1
    like "root: $verb is refused" "$? $(cat "$w/said")" '^1 .*root'
done
chancery ca delete "$a Root" > "$w/said" 2>&1
like 'root: not deleted while a CA is below it' "$? $(cat "$w/said")" '^1 .*1 issuing CA'
state=Revoked
try delete ok
refused 'it is not found by its name' chancery ca show "$a"
refused 'it is not listed' sh -c "$CHANCERY --json ca list | grep '\"name\": *\"$a\"'"
ok 'its CRL is still served' fetch "$(uri_in "$w/leaf.pem" crlDistributionPoints)" "$w/x"
ok 'its certificate is still served' fetch "$(uri_in "$w/leaf.pem" authorityInfoAccess)" "$w/x"
ok 'its key stays' test "$(owner_sql -c "select count(*) from chancery.key k join chancery.ca_version v using (key_id) join chancery.ca c using (ca_id) where c.name = '$a'")" = 1
ok 'now the root is deleted' chancery ca delete "$a Root"
is 'what was done is in the audit log' "$(owner_sql -c "select string_agg(details->>'to', ' ' order by audit_id) from chancery.audit
    where object_name = '$a' and details ? 'to'")" 'paused active paused revoked deleted'
ok 'its name can be taken again' root --name "$a Root" --cn x
ok '  and that one deleted' chancery ca delete "$a Root"
finish
