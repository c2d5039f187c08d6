#!/usr/bin/env bash
# SCEP clients that are not ours, through nginx: strongSwan's pki, certmonger, micromdm's scepclient. Each enrols, or is refused, and what it then tells its
# user stands here. The client of openssl and curl is in scep_lib.sh; enrol.sh uses it for what these do not send.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_objects
url=$CHANCERY_SCEP_URL
profile=clients-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'the certificates' scep_ca "$url" ca
# Of the last request in the log of chancery-scep: its message type, digest, cipher.
said_of() { grep -F "subject=\"CN=$1\"" "$CHANCERY_DIR/log/scep.log" | tail -n 1 | grep -o " $2=[^ ]*" | cut -d = -f 2 | tr -d '"'; }
# is_enrolled CERTIFICATE KEY DEVICE: four tests.
is_enrolled() {
    ok '  the certificate verifies' openssl verify -x509_strict -CAfile "$w/ca.3.pem" -untrusted "$w/ca.2.pem" "$1"
    ok '  also by GnuTLS' certtool --verify --load-ca-certificate "$w/ca.2.pem" --infile "$1"
    is '  it is of its key' "$(openssl x509 -in "$1" -noout -pubkey)" "$(openssl pkey -in "$2" -pubout)"
    is '  and of its device' "$(openssl x509 -in "$1" -noout -subject -nameopt RFC2253)" "subject=CN=$3"
}

# ---- strongSwan ----

# swan KEY DEVICE CHALLENGE OPTION ...: sets $swan_said to what the user sees, without lines about plugins.
swan() {
    local key=$1 name=$2 secret=$3 status
    shift 3
    pki --scep --url "$url" --in "$w/$key.key" --dn "CN=$name" --password "$secret" --cacert-enc "$w/swan-ra-2.pem" --cacert-sig "$w/swan-ra.pem" \
        --outform pem "$@" > "$w/$key.pem" 2> "$w/swan.err"
    status=$?
    swan_said=$(grep -v -e '^plugin ' -e '^TPM ' "$w/swan.err")
    return $status
}
roots=(--cacert "$w/ca.2.pem" --cacert "$w/ca.3.pem")
d=swan-$tag
for key in swan swan2; do pki --gen --type rsa --size 2048 --outform pem > "$w/$key.key" 2> /dev/null; done
ok 'strongSwan: --scepca' pki --scepca --url "$url" --caout "$w/swan-ca.pem" --raout "$w/swan-ra.pem" --outform pem
ok '  the root' cmp <(openssl x509 -in "$w/swan-ca.pem" -outform DER) <(openssl x509 -in "$w/ca.3.pem" -outform DER)
ok '  the issuing CA' cmp <(openssl x509 -in "$w/swan-ca-1.pem" -outform DER) <(openssl x509 -in "$w/ca.2.pem" -outform DER)
ok '  the RA certificate for signing' cmp <(openssl x509 -in "$w/swan-ra.pem" -outform DER) <(openssl x509 -in "$w/ca.1.pem" -outform DER)
ok '  the RA certificate for encryption' cmp <(openssl x509 -in "$w/swan-ra-2.pem" -outform DER) <(openssl x509 -in "$w/ca.0.pem" -outform DER)
ok 'a device' flow_device "$d"
c=$(challenge "$profile" "$d")
refused 'strongSwan: a wrong challenge' swan swan "$d" wrong "${roots[@]}"
swan swan "$d" wrong "${roots[@]}"
like '  the user is told' "$swan_said" 'failInfo: *badMessageCheck - integrity check failed'
refused '  and gets nothing' test -s "$w/swan.pem"
swan swan else-"$tag" "$c" "${roots[@]}"
like 'strongSwan: another name: the user is told' "$swan_said" 'failInfo: *badRequest - transaction not permitted or supported'
swan swan "$d" "$c" "${roots[@]}" --cacert-enc "$w/ca.2.pem"
like 'strongSwan: encrypted for the CA: the user is told' "$swan_said" 'failInfo: *badMessageCheck'
is 'strongSwan: enrols' "$(swan swan "$d" "$c" "${roots[@]}"; echo $?)" 0
swan swan "$d" "$c" "${roots[@]}"
like '  it trusts what it got' "$swan_said" 'Issued certificate is trusted'
is_enrolled "$w/swan.pem" "$w/swan.key" "$d"
is '  digest and cipher' "$(said_of "$d" digest) $(said_of "$d" cipher)" 'SHA-256 AES-128-CBC'
cp "$w/swan.pem" "$w/swan.first"
for options in '--cipher des3 --digest sha1' '--digest sha384' '--digest sha512' ''; do
    read -ra words <<< "$options"
    ok "strongSwan: the same again, ${options:-without CA certificates}" swan swan "$d" "$c" "${words[@]}"
    ok '  the same certificate' cmp "$w/swan.pem" "$w/swan.first"
done
refused 'strongSwan: the used challenge with another key' swan swan2 "$d" "$c" "${roots[@]}"

# ---- certmonger ----

# Its daemon on a bus of its own, which knows no service that it could start by itself.
bus=$w/bus
mkdir "$bus" "$bus/requests" "$bus/cas" "$bus/local"
cat > "$bus/conf" <<CONF
<busconfig>
  <type>session</type>
  <listen>unix:path=$bus/socket</listen>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
CONF
export DBUS_SESSION_BUS_ADDRESS=unix:path=$bus/socket
monger_pids=()
monger_cleanup() {
    if ((${#monger_pids[@]} > 0)); then
        kill "${monger_pids[@]}" 2> /dev/null
        wait "${monger_pids[@]}" 2> /dev/null
    fi
    flow_cleanup
}
trap monger_cleanup EXIT
dbus-daemon --config-file="$bus/conf" --nofork --nopidfile > "$bus/out" 2>&1 &
monger_pids+=($!)
ok 'a bus' wait_for 10 test -S "$bus/socket"
CERTMONGER_REQUESTS_DIR=$bus/requests CERTMONGER_CAS_DIR=$bus/cas CERTMONGER_LOCAL_CA_DIR=$bus/local CERTMONGER_CONFIG_DIR=$bus \
    certmonger -s -n > "$bus/log" 2>&1 &
monger_pids+=($!)
ok 'certmonger' wait_for 10 getcert list-cas -s
# -s stands behind the verb.
monger() {
    local verb=$1
    shift
    timeout 60 getcert "$verb" -s "$@"
}
# monger_request NAME DEVICE CHALLENGE: and waits until it is decided.
monger_request() { monger request -c chancery -I "$1" -k "$w/$1.key" -f "$w/$1.pem" -N "CN=$2" -L "$3" -g 2048 -w; }
monger_says() { monger list -i "$1" | sed -n "s/^[[:space:]]*$2: //p"; }
d=monger-$tag
ok 'a device' flow_device "$d"
c=$(challenge "$profile" "$d")
ok 'certmonger: a SCEP CA' monger add-scep-ca -c chancery -u "$url" -N "$w/ca.3.pem"
monger_knows() { monger list-cas -c chancery | grep -q thumbprint; }
ok '  it fetches the certificates' wait_for 20 monger_knows
is '  the user may compare the thumbprint of the root' "$(monger list-cas -c chancery | sed -n 's/.*(SHA1): //p' | tr -d ' ')" \
    "$(openssl x509 -in "$w/ca.3.pem" -noout -fingerprint -sha1 | cut -d = -f 2 | tr -d :)"
refused 'certmonger: a wrong challenge' monger_request mongerbad "$d" wrong
is '  its state' "$(monger_says mongerbad status)" CA_REJECTED
is '  the user is told' "$(monger_says mongerbad ca-error)" 'Integrity check of client request failed at server.'
refused '  and gets nothing' test -e "$w/mongerbad.pem"
refused 'certmonger: another name' monger_request mongerelse "else-$tag" "$c"
is '  the user is told' "$(monger_says mongerelse ca-error)" 'Transaction either is not permitted or is not supported by server.'
ok 'certmonger: enrols' monger_request monger "$d" "$c"
is '  its state' "$(monger_says monger status)" MONITORING
is_enrolled "$w/monger.pem" "$w/monger.key" "$d"
is '  digest and cipher' "$(said_of "$d" digest) $(said_of "$d" cipher)" 'SHA-256 AES-256-CBC'
cp "$w/monger.pem" "$w/monger.first"
ok 'certmonger: resubmit, which sends its certificate'\''s key and its challenge again' monger resubmit -i monger -w
ok '  the same certificate' cmp "$w/monger.pem" "$w/monger.first"

# ---- micromdm's scepclient ----

# It sends single DES and SHA-1, whatever the server says, encrypted for every certificate of GetCACert. The files are its own.
micromdm() {
    mkdir -p "$w/$1"
    (cd "$w/$1" && timeout 60 scepclient -server-url "$url" -cn "$2" -challenge "$3" -organization '' -ou '' -country '' -private-key key.pem \
        -certificate certificate.pem) > "$w/$1/out" 2>&1
}
d=micro-$tag
ok 'a device' flow_device "$d"
refused 'scepclient: single DES' micromdm micro "$d" "$(challenge "$profile" "$d")"
like '  the user is told' "$(cat "$w/micro/out")" 'PKCSReq \(19\) request failed, failInfo: (badAlg \(0\)|badMessageCheck \(1\))'
refused '  and gets nothing' test -e "$w/micro/certificate.pem"
finish
