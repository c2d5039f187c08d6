# clients_lib: SCEP clients that are not ours, as Debian has them: strongSwan's pki, certmonger, micromdm's scepclient. To be sourced; it sources scep_lib.sh.
# Each function takes its SCEP URL from $url. Keys and certificates are $w/NAME.key and $w/NAME.pem.
#
#   clients_start                                the CA's certificates, for each client as it wants them
#   said_of DEVICE WORD                          what the responder logged of that device's last request: type, digest, cipher
#   is_enrolled CERTIFICATE KEY DEVICE           four tests
#   aged CERTIFICATE INTERVAL                    the certificate is older by that much: a change that no program could make
#   swan_key NAME                                a key
#   swan KEY DEVICE CHALLENGE OPTION ...         strongSwan
#   swan_renew OLD KEY DEVICE OPTION ...         the same by the certificate OLD, without a challenge
#   swan_told KEY                                what the user saw the last time with that key, without lines about plugins
#   monger_start                                 certmonger's daemon on a bus of its own
#   monger VERB WORD ...                         getcert; monger_request, monger_says, monger_is: see below
#   micromdm NAME DEVICE CHALLENGE               scepclient; $w/NAME has its key.pem, certificate.pem, and what the user sees: out
# shellcheck shell=bash
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"

said_of() { grep -F "subject=\"CN=$1\"" "$CHANCERY_DIR/log/scep.log" | tail -n 1 | grep -o " $2=[^ ]*" | cut -d = -f 2 | tr -d '"'; }
is_enrolled() {
    ok '  the certificate verifies' openssl verify -x509_strict -CAfile "$w/ca.3.pem" -untrusted "$w/ca.2.pem" "$1"
    ok '  also by GnuTLS' certtool --verify --load-ca-certificate "$w/ca.2.pem" --infile "$1"
    is '  it is of its key' "$(openssl x509 -in "$1" -noout -pubkey)" "$(openssl pkey -in "$2" -pubout)"
    is '  and of its device' "$(openssl x509 -in "$1" -noout -subject -nameopt RFC2253)" "subject=CN=$3"
}
aged() {
    owner_sql -c 'set session_replication_role = replica' -c "update chancery.certificate set not_before = not_before - interval '$2'
        where serial = '\\x$(serial_of "$1")'"
}
clients_start() {
    ok 'the certificates' scep_ca "$url" ca
    swan_roots=(--cacert "$w/ca.2.pem" --cacert "$w/ca.3.pem")
}

# ---- strongSwan ----

swan_key() { pki --gen --type rsa --size 2048 --outform pem > "$w/$1.key" 2> /dev/null; }
swan_any() {
    local key=$1 name=$2
    shift 2
    pki --scep --url "$url" --in "$w/$key.key" --dn "CN=$name" --cacert-enc "$w/ca.0.pem" --cacert-sig "$w/ca.1.pem" --outform pem "$@" \
        > "$w/$key.pem" 2> "$w/$key.err"
}
swan_told() { grep -v -e '^plugin ' -e '^TPM ' "$w/$1.err"; }
swan() { swan_any "$1" "$2" --password "$3" "${@:4}"; }
swan_renew() { swan_any "$2" "$3" --cert "$w/$1.pem" --key "$w/$1.key" "${swan_roots[@]}" "${@:4}"; }

# ---- certmonger ----

monger_pids=()
monger_cleanup() {
    if ((${#monger_pids[@]} > 0)); then
        kill "${monger_pids[@]}" 2> /dev/null
        wait "${monger_pids[@]}" 2> /dev/null
    fi
    flow_cleanup
}
trap monger_cleanup EXIT
# A bus that knows no service that it could start by itself.
monger_start() {
    local bus=$w/bus
    mkdir "$bus" "$bus/requests" "$bus/cas" "$bus/local"
    cat > "$bus/conf" <<CONF
<busconfig>
  <type>session</type>
  <listen>unix:path=$bus/socket</listen>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
CONF
    export DBUS_SESSION_BUS_ADDRESS=unix:path=$bus/socket
    dbus-daemon --config-file="$bus/conf" --nofork --nopidfile > "$bus/out" 2>&1 &
    monger_pids+=($!)
    ok 'a bus' wait_for 30 test -S "$bus/socket"
    CERTMONGER_REQUESTS_DIR=$bus/requests CERTMONGER_CAS_DIR=$bus/cas CERTMONGER_LOCAL_CA_DIR=$bus/local CERTMONGER_CONFIG_DIR=$bus \
        certmonger -s -n > "$bus/log" 2>&1 &
    monger_pids+=($!)
    ok 'certmonger' wait_for 60 getcert list-cas -s
}
# -s stands behind the verb.
monger() {
    local verb=$1
    shift
    timeout 60 getcert "$verb" -s "$@"
}
# monger_ca NAME: a CA of that name at $url, whose certificates are there.
monger_knows() { monger list-cas -c "$1" | grep -q thumbprint; }
monger_ca() { monger add-scep-ca -c "$1" -u "$url" -N "$w/ca.3.pem" && wait_for 20 monger_knows "$1"; }
# monger_request CA NAME DEVICE CHALLENGE OPTION ...: with -w it waits until it is decided.
monger_request() { monger request -c "$1" -I "$2" -k "$w/$2.key" -f "$w/$2.pem" -N "CN=$3" -L "$4" -g 2048 "${@:5}"; }
monger_says() { monger list -i "$1" | sed -n "s/^[[:space:]]*$2: //p"; }
monger_is() { [[ $(monger_says "$1" status) == "$2" ]]; }

# ---- micromdm's scepclient ----

# It sends single DES and SHA-1, whatever the server says, encrypted for every certificate of GetCACert.
micromdm() {
    mkdir -p "$w/$1"
    (cd "$w/$1" && timeout 60 scepclient -server-url "$url" -cn "$2" -challenge "$3" -organization '' -ou '' -country '' -private-key key.pem \
        -certificate certificate.pem) > "$w/$1/out" 2>&1
}
