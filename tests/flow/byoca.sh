#!/usr/bin/env bash
# Bring your own CA: what is refused (table byoca_refused), external CAs of several makes and depths in every kind of file, and devices below them.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
# shellcheck source=byoca_lib.sh
source "$flow_dir/byoca_lib.sh"
flow_tool scep_client scep_open
flow_objects
flow_limit=$(owner_sql -c 'select ca_limit from chancery.tenant where tenant_id = 1')
url_of() { printf '%s/scep/%s' "$CHANCERY_HTTP_URL" "$(shown "$1" id)"; }

# ---- the request ----

b="Byoca $tag" one="One $tag" three="Three $tag" four="Four $tag" bound="Bound $tag" named="Named $tag" ending="Ending $tag" waiting="Waiting $tag"
flow_authorities=("$b" "$one" "$three" "$four" "$bound" "$named" "$ending" "$waiting")
live=$(owner_sql -c 'select count(*) from chancery.ca where deleted_at is null')
owner_sql -c "update chancery.tenant set ca_limit = $live where tenant_id = 1"
chancery ca create-byoca --name "$b" --cn "$b" --key RSA-2048 --eku 'Client auth' > "$w/said" 2>&1
like 'it counts against the limit of CAs' "$? $(cat "$w/said")" '^1 .*limit'
flow_room
while IFS='|' read -r why words says; do
    read -ra words <<< "$words"
    chancery ca create-byoca --name x --cn x "${words[@]}" > "$w/said" 2>&1
    like "not made: $why" "$? $(cat "$w/said")" "^[12] .*${says# }"
done <<'TABLE'
no key | --eku clientAuth | key
no purpose | --key RSA-2048 | eku
Any Purpose | --key RSA-2048 --eku 2.5.29.37.0 | eku.*2.5.29.37.0
years, which the signing CA decides | --key RSA-2048 --eku clientAuth --years 5 | years
TABLE
ok 'a bring-your-own CA' byoca "$b" --o Contoso --c NL
is 'Signing required' "$(shown "$b" status)" 'Signing required'
is '  External root CA' "$(shown "$b" root_common_name)" 'External root CA'
like '  in the list' "$(chancery ca list)" "$b +Issuing +External root CA +Signing required"
is 'the request verifies, with what was asked for' "$(openssl req -in "$w/$b.req" -noout -verify -subject 2>&1 | tr '\n' ' ')" \
    "Certificate request self-signature verify OK subject=C = NL, O = Contoso, CN = $b "
is '  CA:TRUE, key usages, EKU, SKI' "$(openssl req -in "$w/$b.req" -noout -text | sed -n '/Requested/,/Signature Algorithm/p' | grep -cE \
    'Basic Constraints: critical|CA:TRUE$|Key Usage: critical|Digital Signature, Certificate Sign, CRL Sign|TLS Web Client Auth|Subject Key Id')" 6
chancery ca csr "$b" --der > "$w/request.der"
ok '  in DER' cmp "$w/request.der" <(openssl req -in "$w/$b.req" -outform DER)
ok '  into a file' chancery ca csr "$b" --out "$w/request.file"
ok '  the same' cmp "$w/request.file" "$w/$b.req"
refused '  not where there is no folder' chancery ca csr "$b" --out "$w/none/x"
refused 'a CA that was signed here has none' chancery ca csr "$demo_ca"
refused 'no certificate yet' chancery ca certificate "$b"
refused 'no profile yet' chancery profile add --name "early-$tag" --ca "$b" --platform linux --eku 'Client auth' --subject 'CN={{DeviceName}}'
is 'SCEP is not answered yet' "$(curl -s -o /dev/null -w '%{http_code}' "$(url_of "$b")?operation=GetCACert")" 404

# ---- what is refused ----

made() { ext_ca root cn=Root key=p384 hash=sha384 && ext_ca sub cn=Sub parent=root && ext_sign sub "$w/$b.req" made days=300; }
ok 'an EC root and a CA below it' made
ext_ca fake cn=Sub parent=root
ext_ca selfissued cn=Root parent=root
ext_ca selfissued_sub cn=Sub parent=selfissued
ext_sign selfissued_sub "$w/$b.req" selfissued_made
openssl req -new -config /dev/null -key "$w/fake.key" -subj /CN=other -out "$w/other.csr"
cat "$w/sub.pem" "$w/fake.key" > "$w/with_key.pem"
cp "$w/$b.req" "$w/request.pem"
printf 'only text\n' > "$w/text.pem"
p7b_file "$w/p7b" "$w/sub" "$w/root"
head -c 400 "$w/p7b" > "$w/cut.pem"
head -c 300 "$w/made.der" > "$w/half.pem"
for n in {1..65}; do cat "$w/sub.pem"; done > "$w/many.pem"
state() {
    owner_sql -c "select md5(v::text), (select count(*) from chancery.ra r where r.ca_version_id = v.ca_version_id),
        (select count(*) from chancery.crl_state s where s.ca_version_id = v.ca_version_id)
        from chancery.ca_version v join chancery.ca c using (ca_id) where c.name = '$b' and c.deleted_at is null"
}
uploads() {
    owner_sql -c "select count(*) from chancery.audit where object_name = '$b' and details->>'result' $1 'Success' and actor = 'operator:root'
        and activity = 'UploadExternallySignedCertificationAuthorityCertificateAsync CloudCertificationAuthority'"
}
before=$(state)
n=0
while IFS='|' read -r -u 3 why changes says; do
    why=$(sed 's/ *$//' <<< "$why") says=$(sed 's/^ *//; s/ *$//' <<< "$says")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    n=$((n + 1))
    declare -A changed=([root]= [sub]= [made]=) files=([root]=root [sub]=sub [made]=made) option=([request]="$w/$b.req")
    for change in $changes; do
        case $change in
        root.* | sub.* | made.*) changed[${change%%.*}]+=" ${change#*.}" ;;
        *) option[${change%%=*}]=${change#*=} ;;
        esac
    done
    # What is not changed is taken as it is.
    if [[ -n ${changed[root]} ]]; then
        files[root]=root$n
        # shellcheck disable=SC2086
        ext_ca "root$n" cn=Root ${changed[root]}
    fi
    if [[ -n ${changed[root]}${changed[sub]} ]]; then
        files[sub]=sub$n
        # shellcheck disable=SC2086
        ext_ca "sub$n" cn=Sub parent="${files[root]}" ${changed[sub]}
    fi
    if [[ ${option[request]} == other ]]; then option[request]=$w/other.csr; fi
    if [[ -n ${option[signer]:-} || ${option[request]} != "$w/$b.req" || -n ${changed[root]}${changed[sub]}${changed[made]} ]]; then
        files[made]=made$n
        # shellcheck disable=SC2086
        ext_sign "${option[signer]:-${files[sub]}}" "${option[request]}" "made$n" ${changed[made]}
    fi
    chain=()
    for name in ${option[chain]:-sub root}; do
        IFS=, read -ra names <<< "$name"
        for name in "${names[@]}"; do chain+=("$w/${files[$name]:-$name}.pem"); done
    done
    upload "$b" "$w/${option[made]:-${files[made]}}.pem" "${chain[@]}"
    like "refused: $why" "$said" "^1 chancery: .*$says"
    unset changed files option
done 3< "$flow_dir/byoca_refused"
# What is told of a certificate is cut, and never inside a character: three lengths, two of which would be.
many=$(printf '\342\202\254%.0s' {1..60})
for x in x xx xxx; do
    n=$((n + 1))
    openssl req -x509 -config /dev/null -key "$w/root.key" -utf8 -subj "/CN=$x/OU=$many/OU=$many/OU=$many" -days 9 -out "$w/many.pem" 2> "$w/many.err"
    upload "$b" "$w/many.pem" "$w/root.pem"
    like "refused: a subject of many characters and $x" "$said" '^1 chancery: .*public_key: .*"CN=x*,OU=.*, wanted the key'
done
is 'nothing of that changed anything' "$(state)" "$before"
is 'each of them is in the audit log' "$(uploads '<>')" "$n"
head -c 460000 /dev/zero > "$w/large"
upload "$b" "$w/made.pem" "$w/root.pem" "$w/large"
like 'more bytes than an upload may have are not sent' "$said" '^1 .*large: .*458752'
upload "$b" "$w/made.pem" "$w/none"
like 'nor is a file that is not there' "$said" '^1 .*none: No such file'
chancery ca upload "$b" --certificate "$w/made.pem" > "$w/said" 2>&1
like 'nor a certificate without its chain' "$? $(cat "$w/said")" '^2 .*--chain'
upload "$demo_ca" "$w/made.pem" "$w/root.pem"
like 'a CA that was signed here takes none' "$said" '^1 .*bring-your-own'
upload nobody "$w/made.pem" "$w/root.pem"
like 'nor does one that is not there' "$said" '^1 .*nobody'

# The database's owner changes nothing of a CA that waits: what it may do is under the signer's seal before its certificate is.
change() { owner_sql -c 'set session_replication_role = replica' -c "update chancery.$1 x set $2 = $3 from chancery.ca c where c.name = '$b' and x.ca_id = c.ca_id"; }
while IFS='|' read -r -u 3 table column expression why; do
    old=$(owner_sql -c "select quote_nullable(x.$column) from chancery.$table x join chancery.ca c using (ca_id) where c.name = '$b'")
    change "$table" "$column" "$expression"
    upload "$b" "$w/made.pem" "$w/sub.pem" "$w/root.pem"
    like "changed behind the signer's back: $why" "$said" '^1 chancery: A key could not be opened or used'
    change "$table" "$column" "$old"
done 3<<'CASES'
ca|names_from_requests|true|a CA that takes names from requests
ca_version|crl_url|concat(x.crl_url, 'x')|another CRL address
ca_version|csr|set_byte(x.csr, 60, 1)|another request
ca_version|csr_seal|sha224(x.csr_seal)|another seal
ca_version|key_id|(select key_id from chancery.ca_version where ca_version_id = 2)|another CA's key
CASES

# ---- external CAs of several makes and depths ----

# certified NAME CERTIFICATE ABOVE FILE ...: uploads, enrols a device, verifies. ABOVE: the names above it, nearest first, comma between.
certified() {
    local name=$1 certificate=$2 above=$3 device=dev$((++devices))-$tag profile=p$devices-$tag names
    shift 3
    IFS=, read -ra names <<< "$above"
    upload "$name" "$certificate" "$@"
    like "$name: uploaded" "$said" "^0 .* is Active: .* ${#names[@]} certificates? above it"
    is '  Active' "$(shown "$name" status), $(shown "$name" root_common_name), $(shown "$name" type)" 'Active, External root CA, Issuing'
    ok '  a profile' flow_profile "$profile" --ca "$name" "${profile_words[@]}"
    ok '  GetCACert' scep_ca "$(url_of "$name")" ca
    ok '  a device' flow_device "$device"
    new_key base
    new_key "$device"
    say "$(url_of "$name")" key="$device" cn="$device" o="${enrol_o:--}" order="${enrol_order:-given}" challenge="$(challenge "$profile" "$device")"
    is '  enrols' "$answer" '0 - -'
    cp "$w/out.pem" "$w/$device.pem"
    chancery ca certificate "$name" --chain > "$w/chain.$devices"
    ok '  the chain is the one that was given, to the root' cmp "$w/chain.$devices" <(openssl x509 -in "$certificate" -inform "${form:-PEM}"
        for n in "${names[@]}"; do openssl x509 -in "$w/$n.pem"; done)
    cp "$w/${names[-1]}.pem" "$w/root.$devices"
    ok '  OpenSSL accepts the device, strictly' openssl verify -x509_strict -CAfile "$w/root.$devices" -untrusted "$w/chain.$devices" "$w/$device.pem"
    ok '  and the RA certificates' openssl verify -x509_strict -CAfile "$w/root.$devices" -untrusted "$w/chain.$devices" "$w/ca.0.pem" "$w/ca.1.pem"
    cat "$w/$device.pem" "$w/chain.$devices" > "$w/all.$devices"
    ok '  GnuTLS accepts it' certtool --verify --load-ca-certificate "$w/root.$devices" --infile "$w/all.$devices"
    published+=("$name|$device|$devices")
}
devices=0
published=()
profile_words=(--subject 'CN={{DeviceName}}')

# Text around, CRLF, several in a file.
{ printf '0 of no matter\nSubject: x\n'; sed 's/$/\r/' "$w/sub.pem"; printf 'and the root:\r\n'; cat "$w/root.pem"; } > "$w/bundle.pem"
certified "$b" "$w/made.pem" sub,root "$w/bundle.pem"
is '  the upload is in the audit log' "$(uploads '=')" 1
upload "$b" "$w/made.pem" "$w/bundle.pem"
like '  a second one is refused' "$said" '^1 .*found Active, wanted Signing required'
is '  its certificate is not among those that our CAs signed' "$(owner_sql -c "select count(*) from chancery.certificate x join chancery.ca_version v on x.sha256 = v.sha256")" \
    "$(owner_sql -c "select count(*) from chancery.ca_version v join chancery.ca c using (ca_id) where c.kind <> 'byoca' and v.certificate is not null")"

# One tier, RSA, a root that signed itself with SHA-1; DER.
ok 'another bring-your-own CA' byoca "$one"
one_made() { ext_ca oldroot key=rsa hash=sha1 && ext_sign oldroot "$w/$one.req" one eku=clientAuth,serverAuth hash=sha512; }
ok '  signed by the root' one_made
form=DER certified "$one" "$w/one.der" oldroot "$w/oldroot.der"

# Three tiers by GnuTLS; PKCS#7 in DER, shuffled, doubled, with the certificate itself and others.
ok 'a third' byoca "$three"
three_made() { certtool_ca gnuroot && certtool_ca gnusub gnuroot && certtool_ca gnuissuing gnusub && certtool_sign gnuissuing "$w/$three.req" three; }
ok '  signed by certtool, three tiers' three_made
p7b_file "$w/three.p7b" "$w/gnusub" "$w/three" "$w/oldroot" "$w/gnuroot" "$w/gnusub" "$w/gnuissuing" "$w/sub"
certified "$three" "$w/three.pem" gnuissuing,gnusub,gnuroot "$w/three.p7b"

# Four tiers; PKCS#7 in BER and in PEM; a cross-certificate and two CAs of one name; another subject; AIA by LDAP and HTTP.
ok 'a fourth' byoca "$four"
four_made() {
    ext_ca top key=p384 && ext_ca second parent=top && ext_ca third parent=second key=rsa && ext_ca third_again parent=second cn=third &&
        ext_ca crossed parent=fake cn=second key=second && ext_ca fourth parent=third bc=critical,CA:TRUE,pathlen:1 &&
        ext_sign fourth "$w/$four.req" four subj=/DC=org/DC=example/CN=Rewritten/serialNumber=7 eku=clientAuth \
            aia="caIssuers;URI:ldap:///CN=fourth?cACertificate,caIssuers;URI:http://pki.example.org/fourth.cer"
}
ok '  signed at the fourth tier' four_made
ber_file "$w/four.ber" "$w/crossed" "$w/third_again" "$w/fourth"
openssl crl2pkcs7 -nocrl -certfile "$w/third.pem" -certfile "$w/second.pem" -certfile "$w/top.pem" -out "$w/four.p7b"
certified "$four" "$w/four.pem" fourth,third,second,top "$w/four.ber" "$w/four.p7b"
is '  the external CA has given another subject' "$(shown "$four" certificate_subject)" 'DC=org,DC=example,CN=Rewritten,SERIALNUMBER=7'
is '  which devices have as issuer' "$(openssl x509 -in "$w/dev$devices-$tag.pem" -noout -issuer)" 'issuer=DC = org, DC = example, CN = Rewritten, serialNumber = 7'
is '  its AIA, HTTP before LDAP' "$(shown "$four" aia)" http://pki.example.org/fourth.cer
is '  devices have ours' "$(uri_in "$w/dev$devices-$tag.pem" authorityInfoAccess)" "$(shown "$four" published_certificate)"

# ---- the leaf bounds come from the chain ----

# A host's names below example.org, clients alone, twenty days.
ok 'a fifth, below a chain that permits little' byoca "$bound"
bound_made() {
    ext_ca short days=20 && ext_ca narrow parent=short eku=clientAuth nc='critical,permitted;DNS:example.org' &&
        ext_sign narrow "$w/$bound.req" bound aia='caIssuers;URI:ldap:///CN=narrow'
}
ok '  signed' bound_made
profile_words=(--subject 'CN={{DeviceName}}' --san 'dns:{{DeviceName}}.example.org')
certified "$bound" "$w/bound.pem" narrow,short "$w/short.pem" "$w/narrow.pem"
is '  its AIA by LDAP, where there is no other' "$(shown "$bound" aia)" ldap:///CN=narrow
is '  a device ends with the root' "$(openssl x509 -in "$w/dev$devices-$tag.pem" -noout -enddate)" "$(openssl x509 -in "$w/short.pem" -noout -enddate)"
chancery profile add --name "server-$tag" --ca "$bound" --platform linux --validity '30 days' --eku 'Server auth' --subject 'CN={{DeviceName}}' > "$w/said" 2>&1
like '  no profile with a purpose that the chain has not' "$? $(cat "$w/said")" '^1 .*eku: found 1.3.6.1.5.5.7.3.1'
ok '  a profile with other hosts' flow_profile "com-$tag" --ca "$bound" --subject 'CN={{DeviceName}}' --san 'dns:{{DeviceName}}.example.com'
say "$(url_of "$bound")" key="dev$devices-$tag" cn="dev$devices-$tag" o=- challenge="$(challenge "com-$tag" "dev$devices-$tag")"
like '  refused at enrolment' "$answer" '^2 2 '
is '  and audited by name' "$(audited)" 'OutOfBounds names'

# A directory name: devices and RA certificates have to be below it.
ok 'a sixth, below a permitted directory name' byoca "$named"
named_made() { ext_ca anyone && ext_ca permitting parent=anyone nc='critical,permitted;dirName:permitted_o' && ext_sign permitting "$w/$named.req" named subj="/O=Permitted/CN=$named"; }
ok '  signed' named_made
profile_words=(--subject 'O=Permitted,CN={{DeviceName}}')
enrol_o=Permitted enrol_order=reverse
certified "$named" "$w/named.pem" permitting,anyone "$w/permitting.pem" "$w/anyone.pem"
enrol_o=- enrol_order=given
ok '  a profile with other names' flow_profile "outside-$tag" --ca "$named" --subject 'CN={{DeviceName}}'
say "$(url_of "$named")" key="dev$devices-$tag" cn="dev$devices-$tag" o=- challenge="$(challenge "outside-$tag" "dev$devices-$tag")"
is '  refused at enrolment' "$(audited)" 'OutOfBounds names'

# Three days left.
ok 'a seventh, below a root that ends in three days' byoca "$ending"
ending_made() { ext_ca dying days=3 && ext_sign dying "$w/$ending.req" ending; }
ok '  signed' ending_made
upload "$ending" "$w/ending.pem" "$w/dying.der"
like '  uploaded' "$said" '^0 '
ok '  a profile' flow_profile "late-$tag" --ca "$ending" --subject 'CN={{DeviceName}}'
ok '  its certificates' scep_ca "$(url_of "$ending")" ca
say "$(url_of "$ending")" key="dev$devices-$tag" cn="dev$devices-$tag" o=- challenge="$(challenge "late-$tag" "dev$devices-$tag")"
is '  refused at enrolment' "$(audited)" 'CertificationAuthorityExpired ca'

# ---- published as for other CAs ----

for row in "${published[@]}"; do
    IFS='|' read -r name device n <<< "$row"
    ok "$name: its certificate is published" fetch "$(uri_in "$w/$device.pem" authorityInfoAccess)" "$w/published.cer"
    ok '  the same' cmp "$w/published.cer" <(openssl x509 -in "$w/chain.$n" -outform DER)
    ok '  its CRL' wait_for 20 fetch "$(uri_in "$w/$device.pem" crlDistributionPoints)" "$w/crl.$n"
    openssl crl -inform DER -in "$w/crl.$n" -out "$w/crl.$n.pem"
    ok '  OpenSSL accepts the device with it' openssl verify -x509_strict -crl_check -CAfile "$w/root.$n" -untrusted "$w/chain.$n" -CRLfile "$w/crl.$n.pem" "$w/$device.pem"
done

# ---- revoked and deleted ----

ok "$one: paused" chancery ca pause "$one"
ok '  its device revoked' chancery certificate revoke "$(serial_of "$w/dev2-$tag.pem")"
chancery ca revoke "$one" > "$w/said" 2>&1
like '  revoked, and who else has to know' "$? $(cat "$w/said")" "^0 .*\"O=Flow,CN=oldroot\".* $(serial_of "$w/one.pem" | tr A-F a-f) "
ok '  deleted' chancery ca delete "$one"
ok 'one that waits for its certificate' byoca "$waiting"
ok '  is deleted' chancery ca delete "$waiting"
upload "$waiting" "$w/made.pem" "$w/root.pem"
like '  and takes none' "$said" '^1 .*Waiting'
finish
