#!/usr/bin/env bash
# Other implementations judge certificates of every kind and the CRLs: OpenSSL, GnuTLS, NSS and Java (table judges), before and
# after revocations and a hold; dumpasn1 says whether all of it is DER. Debian 12 has no linter of certificates: zlint, pkilint,
# certlint and x509lint are absent.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects

# ---- what is judged ----

# The names of CAs, of the devices' organization and of the user are not all ASCII, nor all of two octets.
ca="Judges $tag" doomed="Judges doomed $tag"
flow_limit=$(owner_sql -c 'select ca_limit from chancery.tenant where tenant_id = 1')
flow_room
flow_authorities=("$doomed" "$ca")
ok 'a root' chancery ca create-root --name "$ca Root" --cn "Racine é 漢字 $tag" --o 'Société Générale' --ou 'Schlüssel' --l 'Köln' \
    --st 'Žilina' --c DE --key RSA-2048 --years 5 --eku 'Client auth' --eku 'Server auth'
issuing() {
    chancery ca create-issuing --parent "$ca Root" --name "$1" --cn "$2" --o 'Société Générale' --ou '鍵' --c JP --years 2 \
        --eku 'Client auth'
}
ok 'an issuing CA' issuing "$ca" "Émettrice 漢字 $tag"
ok 'one to be revoked' issuing "$doomed" "Émettrice condamnée $tag"
url=$CHANCERY_HTTP_URL/scep/$(shown "$ca" id)
ok 'its certificates' scep_ca "$url" ca
for pair in 0:ra_encrypt 1:ra_sign 2:issuing 3:root; do cp "$w/ca.${pair%:*}.pem" "$w/${pair#*:}.pem"; done
chancery ca certificate "$doomed" > "$w/doomed.pem"

# What a certificate is revoked with | what Java says of it.
cat > "$w/reasons" <<'TABLE'
unspecified | UNSPECIFIED
keyCompromise | KEY_COMPROMISE
cACompromise | CA_COMPROMISE
affiliationChanged | AFFILIATION_CHANGED
superseded | SUPERSEDED
cessationOfOperation | CESSATION_OF_OPERATION
privilegeWithdrawn | PRIVILEGE_WITHDRAWN
aACompromise | AA_COMPROMISE
keyCompromise --invalidity-date 2026-01-02T03:04:05Z | KEY_COMPROMISE 2026-01-02T03:04:05Z
certificateHold | CERTIFICATE_HOLD
TABLE
reasons=$(wc -l < "$w/reasons")
held=device$reasons
profile() { flow_profile "$1-$tag" --ca "$ca" "${@:2}"; }
upn=anna-$tag@example.org
ok 'a user' chancery user add --upn "$upn" --email "$upn" --surname 'Müller-漢字' --sid S-1-5-21-1-2-3-1104
ok 'a profile of users, with every kind of name' profile user --type user \
    --subject 'CN={{UserName}},SN={{SurName}},O=Société,C=FR' --san 'email:{{EmailAddress}}' --san 'upn:{{UserPrincipalName}}' \
    --san 'dns:{{DeviceName}}.example.org' --san 'uri:{{OnPremisesSecurityIdentifier}}' --san 'uri:https://example.org/{{DeviceName}}'
ok 'a profile of devices' profile device --subject 'CN={{DeviceName}},O=Café' --san 'dns:{{DeviceName}}.example.org'
ok 'a profile without subject' profile bare --san 'dns:{{DeviceName}}.example.org' --san 'uri:{{OnPremisesSecurityIdentifier}}'
# enrol PROFILE DEVICE: by the subject that its challenge comes with; the certificate is $w/DEVICE.pem.
enrol() {
    local subject challenge
    IFS=$'\t' read -r _ subject challenge < <(chancery challenge create --profile "$1-$tag" --device "$2-$tag" | tr -s '\t')
    if [[ $1 == bare ]]; then
        new_key "$2"
        say "$url" key="$2" csr=tool o=- challenge="$subject"
    else
        "$scep_client" batch --recipient "$w/ra_encrypt.pem" --dir "$w" <<< "$2"$'\t'"$subject"$'\t'"$challenge" &&
            open_answer "$(post "$url" "$w/$2.1.der" "$w/reply")" "$w/reply" "$w/$2.1.key" "$w/ra_sign.pem"
    fi
    mv "$w/out.pem" "$w/$2.pem" || { printf '%s\n' "$answer"; return 1; }
}
ok 'the user'\''s device' flow_device "user-$tag" --owner "$upn"
ok 'the user'\''s certificate' enrol user user
ok 'a device for a certificate without subject' flow_device "bare-$tag" --sid S-1-5-21-1-2-3-1105
ok 'a certificate without subject' enrol bare bare
for ((n = 0; n <= reasons; n++)); do
    ok 'a device' flow_device "device$n-$tag"
    ok 'its certificate' enrol device "device$n"
done
like 'the user'\''s certificate has all those names' "$(openssl x509 -in "$w/user.pem" -noout -ext subjectAltName | tail -n 1)" \
    "^ *email:$upn, othername: UPN::$upn, DNS:.*, URI:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1104, URI:https"

# ---- the judges ----

# Of each CRL the certificate that points to it.
declare -A pointing=([root]=issuing [issuing]=user)
published() {
    local crl
    for crl in root issuing; do
        fetch "$(uri_in "$w/${pointing[$crl]}.pem" crlDistributionPoints)" "$w/$crl.crl" &&
            openssl crl -inform DER -in "$w/$crl.crl" -out "$w/$crl.crl.pem" || return 1
    done
    cat "$w/root.crl.pem" "$w/issuing.crl.pem" > "$w/crls.pem"
}
# lists CRL NAME: of those published last.
lists() { openssl crl -in "$w/$1.crl.pem" -noout -text > "$w/text" && grep -q "Serial Number: $(serial_of "$w/$2.pem")" "$w/text"; }

# The certificates above one of ours, itself first.
path_of() {
    case $1 in
    root) cat "$w/root.pem" ;;
    issuing | doomed) cat "$w/$1.pem" "$w/root.pem" ;;
    *) cat "$w/$1.pem" "$w/issuing.pem" "$w/root.pem" ;;
    esac
}
# What NSS is to find it good for: certutil's letter and vfychain's number. A CA, a server for the key that decrypts, a client.
nss_usage() {
    case $1 in
    root | issuing | doomed) echo L 3 ;;
    ra_encrypt) echo V 1 ;;
    *) echo C 0 ;;
    esac
}
openssl_judge() {
    path_of "$1" > "$w/path.pem"
    openssl verify -x509_strict -policy_check -crl_check_all -CAfile "$w/root.pem" -untrusted "$w/path.pem" -CRLfile "$w/crls.pem" "$w/$1.pem"
}
gnutls_judge() {
    path_of "$1" > "$w/path.pem"
    certtool --verify --verify-profile medium --load-ca-certificate "$w/root.pem" --load-crl "$w/crls.pem" --infile "$w/path.pem"
}
nss_certutil_judge() { certutil -V -e -d "sql:$w/nss" -n "$1" -u "${usage% *}"; }
nss_vfychain_judge() { vfychain -d "sql:$w/nss" -u "${usage#* }" -a "$w/$1.pem"; }
nss_fetching_judge() { vfychain -pp -f -d "sql:$w/nss-root" -u "${usage#* }" -g leaf -m crl -a "$w/$1.pem"; }
# Newer updates of Java 17 want to be told which AIA addresses they may fetch from.
fetch_issuers='-Dcom.sun.security.enableAIAcaIssuers=true -Dcom.sun.security.allowedAIALocations=any'
fetch_crls=-Dcom.sun.security.enableCRLDP=true
# by_java FLAGS NAME...: Judge.java on those certificates.
by_java() {
    local files=("${@:2}") flags
    read -ra flags <<< "$1"
    files=("${files[@]/#/$w/}")
    java -XX:TieredStopAtLevel=1 "${flags[@]}" -cp "$w/java" Judge "$w/root.pem" "${files[@]/%/.pem}"
}
java_judge() { grep "^$1 " "$w/java.said"; }

# nss_store DIR NAME...: a database with those certificates, of which the root is trusted for everything.
nss_store() {
    local name trust
    mkdir "$w/$1" && certutil -N -d "sql:$w/$1" --empty-password || return 1
    for name in "${@:2}"; do
        if [[ $name == root ]]; then trust=CT,C,C; else trust=,,; fi
        certutil -A -d "sql:$w/$1" -n "$name" -t "$trust" -i "$w/$name.pem" || return 1
    done
}
kinds=(root issuing doomed ra_sign ra_encrypt user bare device0)
ok 'NSS: a database with all of them' nss_store nss "${kinds[@]}" device2 "$held"
ok 'NSS: a database with the root alone' nss_store nss-root root
ok 'Java: the judge is compiled' ecj -proc:none -source 17 -target 17 -d "$w/java" "$flow_dir/Judge.java"

# judged COLUMN NAME...: every judge says of each certificate what that column of the table has.
judged() {
    local column=$1 name judge good bad wanted
    shift
    by_java "$fetch_issuers $fetch_crls" "$@" > "$w/java.said" 2>&1
    for name in "$@"; do
        usage=$(nss_usage "$name")
        while IFS='|' read -r judge good bad; do
            if [[ $judge == \#* ]]; then continue; fi
            wanted=$good
            if [[ $column == revoked ]]; then wanted=$bad; fi
            read -r judge wanted <<< "$judge $wanted"
            "${judge}_judge" "$name" > "$w/said" 2>&1
            like "$when: $name: $judge: $column" "$? $(cat "$w/said")" "$wanted"
        done < "$flow_dir/judges"
    done
}
# crl_judged CRL ENTRIES: what each judge of CRLs says of one; NSS takes it into its database.
crl_judged() {
    local file=$w/$1.crl ca=$w/$1.pem what="$when: CRL of $1" entries=$2
    like "$what: OpenSSL" "$(openssl crl -inform DER -in "$file" -noout -CAfile "$ca" 2>&1)" '^verify OK$'
    like "$what: GnuTLS" "$(certtool --verify-crl --load-ca-certificate "$ca" --infile "$file.pem" 2>&1)" 'Verified\. The certificate is trusted'
    is "$what: entries that GnuTLS reads" "$(certtool --crl-info --inder --infile "$file" | grep -c 'Serial Number (hex)')" "$entries"
    is "$what: entries that NSS reads" "$(crlutil -S -d "sql:$w/nss" -i "$file" | grep -c 'Serial Number:')" "$entries"
    ok "$what: NSS" crlutil -I -d "sql:$w/nss" -i "$file"
    der "$file"
}
der() { is "$when: ${1##*/}: DER" "$(dumpasn1 -s "$1" 2>&1 | tr -d '\n')" '0 warnings, 0 errors.'; }

# ---- nothing is revoked ----

when=before
ok 'CRLs' wait_for 20 published
for name in root issuing; do crl_judged $name 0; done
for name in "${kinds[@]}"; do
    openssl x509 -in "$w/$name.pem" -outform DER -out "$w/$name.der"
    der "$w/$name.der"
    certtool -i --infile "$w/$name.pem" > "$w/said" 2>&1
    like "$when: $name: GnuTLS reads all of it" "$? $(grep -iE 'error|warning|invalid|unknown' "$w/said")" '^0 $'
done
judged good "${kinds[@]}"
like 'Java without AIA finds no path' "$(by_java "$fetch_crls" user)" 'refused: unable to find valid certification path'

# ---- revoked for every reason, one held, and a CA ----

when=after
n=0
while IFS='|' read -r words _; do
    n=$((n + 1))
    read -ra words <<< "$words"
    ok "revoked: ${words[*]}" chancery certificate revoke "$(serial_of "$w/device$n.pem")" --reason "${words[@]}"
done < "$w/reasons"
ok 'a CA is paused' chancery ca pause "$doomed"
ok '  and revoked' chancery ca revoke "$doomed" --reason cACompromise
all_listed() { published && lists root doomed && lists issuing "$held"; }
ok 'the CRLs list them' wait_for 20 all_listed
crl_judged root 1
crl_judged issuing "$reasons"
judged revoked doomed device2 "$held"
judged good issuing device0
mapfile -t revoked < <(seq -f device%.0f "$reasons")
by_java "$fetch_issuers $fetch_crls" doomed "${revoked[@]}" > "$w/said"
is 'Java: the reason for the CA' "$(sed -n 's/^doomed refused: revoked //p' "$w/said")" CA_COMPROMISE
n=0
while IFS='|' read -r words reason; do
    n=$((n + 1))
    is "Java: the reason: $words" "$(sed -n "s/^device$n refused: revoked/ /p" "$w/said" | tr -s ' ')" "$reason"
done < "$w/reasons"

# ---- the hold ends ----

when='after the hold'
ok 'released' chancery certificate release "$(serial_of "$w/$held.pem")"
hold_ended() { published && ! lists issuing "$held"; }
ok 'the CRL lists it no more' wait_for 20 hold_ended
crl_judged issuing $((reasons - 1))
judged good "$held"
judged revoked device2
finish
