# scep_lib: a SCEP client of openssl, curl and scep_client for the tests of this folder, and what they set up. To be sourced; it sources tap.sh
# and the running system's environment.
#
#   flow_tool NAME ...                    builds live programs; their paths are then in $NAME
#   scep_ca URL NAME                      GetCACert; the certificates in the order of the answer: $w/NAME.0.pem and so on
#   new_key NAME [BITS]                   $w/NAME.key, once
#   challenge PROFILE DEVICE              prints a new challenge
#   message OUT WORD=VALUE ...            a pkiMessage; words: see request_words and message below
#   say URL WORD=VALUE ...                message, POST, answer: $answer is "pkiStatus failInfo failInfoText" ("-" where absent) or
#                                         "http STATUS"; the certificate is in $w/out.pem, what else the answer said in $w/answer
#   flow_profile NAME WORD ...            a profile of the demo's issuing CA (or --ca), assigned to the group of this script
#   flow_device NAME WORD ...             a device in that group
#   flow_authority NAME                   a root "NAME Root" and an issuing CA below it, deleted at the end; to be called in the script's own
#                                         shell, so not by ok
# shellcheck shell=bash
flow_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../tap.sh
source "$flow_dir/../tap.sh"
use_system
# The command's words and the paths in them are plain: quickstart takes no other.
read -ra chancery_words <<< "$CHANCERY"
chancery() { "${chancery_words[@]}" "$@"; }
w=$tap_work
chmod 0755 "$w"
tag=$EPOCHSECONDS-$$
demo_ca='Chancery Demo Issuing CA'

# Live programs are built where quickstart built, with its flags.
flow_tool() {
    local build=$CHANCERY_DIR/build tool lock
    exec {lock}< "$build"
    flock "$lock"
    if ! make -s -C "$build" "${@/#/tests/flow/}" > "$w/make.log" 2>&1; then
        printf 'Bail out! not built: %s\n' "$*"
        sed 's/^/# /' "$w/make.log"
        exit 1
    fi
    exec {lock}<&-
    for tool in "$@"; do
        # DIR/build is closed to the programs' users, who have to run it too.
        install -m 0755 "$build/tests/flow/$tool" "$w/$tool"
        printf -v "$tool" '%s' "$w/$tool"
    done
}

# ---- client ----

scep_ca() {
    curl -sf --max-time 20 -o "$w/$2.p7" "$1?operation=GetCACert&message=0" &&
        openssl pkcs7 -inform DER -in "$w/$2.p7" -print_certs -out "$w/$2.all" &&
        awk -v base="$w/$2" '/-BEGIN/ { n++ } n { print > (base "." n - 1 ".pem") }' "$w/$2.all"
}

new_key() {
    if [[ -f $w/$1.key ]]; then return; fi
    case ${2:-2048} in
    ec) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$w/$1.key" ;;
    e3) openssl genrsa -3 -out "$w/$1.key" 2048 2> /dev/null ;;
    2048) "$scep_client" key --primes "$w/primes" > "$w/$1.key" ;;
    *) openssl genrsa -out "$w/$1.key" "$2" 2> /dev/null ;;
    esac
}

challenge() { chancery challenge create --profile "$1" --device "$2" | cut -f 3; }

# The certification request. Words (value "-": absent): key cn o ou serial challenge san ku eku basic hash, order=reverse of the RDNs,
# csr=tool made by scep_client instead of openssl, with challenge-tag and csr-break.
request() {
    local out=$1 part rdns=() ext=()
    if [[ ${m[cn]} != - ]]; then rdns+=("CN=${m[cn]}"); fi
    for part in o ou; do
        if [[ ${m[$part]} != - ]]; then rdns+=("${part^^}=${m[$part]}"); fi
    done
    if [[ -v m[serial] ]]; then rdns+=("serialNumber=${m[serial]}"); fi
    if [[ ${m[order]} == reverse ]]; then mapfile -t rdns < <(printf '%s\n' "${rdns[@]}" | tac); fi
    if [[ ${m[san]} != - ]]; then ext+=("subjectAltName=${m[san]}"); fi
    if [[ ${m[ku]} != - ]]; then ext+=("keyUsage=${m[ku]}"); fi
    if [[ ${m[eku]} != - ]]; then ext+=("extendedKeyUsage=${m[eku]}"); fi
    if [[ ${m[basic]} != - ]]; then ext+=("basicConstraints=${m[basic]}"); fi
    if [[ ${m[csr]} == tool ]]; then
        local words=(--key "$w/${m[key]}.key" --digest "${m[hash]}")
        for part in "${rdns[@]}"; do words+=(--rdn "$part"); done
        for part in "${ext[@]}"; do words+=(--ext "$part"); done
        if [[ ${m[challenge]} != - ]]; then words+=(--challenge "${m[challenge]}"); fi
        if [[ -v m[challenge-tag] ]]; then words+=(--challenge-tag "${m[challenge-tag]}"); fi
        if [[ -v m[csr-break] ]]; then words+=(--break "${m[csr-break]}"); fi
        "$scep_client" csr "${words[@]}" > "$out"
        return
    fi
    # -subj would drop the attributes of the file, the challenge among them: the subject stands in the file.
    {
        printf '[req]\nprompt = no\nstring_mask = utf8only\nutf8 = yes\ndistinguished_name = name\n'
        if [[ ${m[challenge]} != - ]]; then printf 'attributes = attributes\n'; fi
        if ((${#ext[@]} > 0)); then printf 'req_extensions = extensions\n'; fi
        printf '[name]\n'
        printf '%s\n' "${rdns[@]}"
        printf '[attributes]\nchallengePassword = %s\n[extensions]\n' "${m[challenge]}"
        printf '%s\n' "${ext[@]}"
    } > "$out.cnf"
    openssl req -new -config "$out.cnf" -key "$w/${m[key]}.key" "-${m[hash]}" -outform DER -out "$out" 2> "$out.err"
}

# Further words: to (recipients' certificates), ra (who must have signed the answer), cipher, oaep=yes or a digest, content (a file in the request's place), signkey, cert (of the
# signer), digest (of the message), and scep_client's type, transaction, nonce, twice, values, break, without, signers, *-tag.
message() {
    local out=$1 word words=() cms=() to
    declare -gA m=([key]=base [cn]=- [o]=Flow [ou]=- [challenge]=- [san]=- [ku]=- [eku]=- [basic]=- [hash]=sha256 [csr]=openssl
        [order]=given [to]="$w/ca.0.pem" [ra]="$w/ca.1.pem" [cipher]=aes128 [digest]=sha256)
    shift
    for word in "$@"; do m[${word%%=*}]=${word#*=}; done
    if [[ -z ${m[content]:-} ]]; then
        request "$out.csr" || return 1
        m[content]=$out.csr
    fi
    if [[ -v m[oaep] ]]; then cms+=(-keyopt rsa_padding_mode:oaep); fi
    if [[ ${m[oaep]:-yes} != yes ]]; then cms+=(-keyopt "rsa_oaep_md:${m[oaep]}" -keyopt "rsa_mgf1_md:${m[oaep]}"); fi
    if [[ ${m[cipher]} == des ]]; then cms+=(-provider legacy -provider default); fi
    if [[ ${m[cipher]} == none ]]; then
        cp "${m[content]}" "$out.env"
    else
        read -ra to <<< "${m[to]}"
        # -keyopt belongs to the -recip before it.
        openssl cms -encrypt -binary -in "${m[content]}" -outform DER -out "$out.env" "-${m[cipher]}" -recip "${to[0]}" "${cms[@]}" "${to[@]:1}" \
            2> "$out.err" || return 1
    fi
    for word in type transaction nonce twice values break without signers type-tag transaction-tag nonce-tag digest cert; do
        if [[ -v m[$word] ]]; then words+=("--$word" "${m[$word]}"); fi
    done
    "$scep_client" sign --in "$out.env" --key "$w/${m[signkey]:-${m[key]}}.key" "${words[@]}" > "$out"
}

# open_answer CODE FILE KEY [RA]: sets $answer.
open_answer() {
    local ra=()
    rm -f "$w/out.pem" "$w/answer"
    if [[ $1 != 200 ]]; then
        answer="http $1"
        return
    fi
    if [[ -n ${4:-} ]]; then ra=(--ra "$4"); fi
    if ! "$scep_open" --in "$2" --key "$3" --out "$w/out.pem" "${ra[@]}" > "$w/answer" 2> "$w/answer.err"; then
        answer="unreadable $(head -n 1 "$w/answer.err")"
        return
    fi
    answer="$(said pkiStatus) $(said failInfo) $(said failInfoText)"
}
# What the last answer said of a name; "-" where nothing.
said() {
    local value
    value=$(sed -n "s/^$1=//p" "$w/answer")
    printf '%s' "${value:--}"
}

post() {
    curl -s --max-time 30 -o "$3" -w '%{http_code}' -H 'Content-Type: application/x-pki-message' --data-binary "@$2" "$1?operation=PKIOperation"
}

# The transaction id of a say is known, so that its log lines and audit entry can be found.
say() {
    local url=$1 code
    shift
    transaction=$(openssl rand -hex 16)
    if ! message "$w/message" "transaction=$transaction" "nonce=$(openssl rand -hex 16)" "$@"; then
        answer="no message: $(cat "$w"/message*.err)"
        return
    fi
    code=$(post "$url" "$w/message" "$w/reply")
    # The answer is sealed to whoever signed.
    open_answer "$code" "$w/reply" "$w/${m[signkey]:-${m[key]}}.key" "${m[ra]}"
}

# The lines of a program's log with the transaction of the last say.
logged() { grep -F "txn=$transaction " "$CHANCERY_DIR/log/$1.log"; }
# "reason field" of the audit entry of the last refusal; the values found and wanted have to be there.
audited() {
    owner_sql -v t="$transaction" <<< "select details->>'reason' || ' ' || (details->>'field') || case when details ? 'found' and
        details->>'wanted' <> '' then '' else ' without values' end from chancery.audit where activity = 'Refuse LeafCertificate'
        and details->>'transaction' = :'t'"
}

# ---- what the tests set up ----

flow_group=flow-$tag
flow_objects() {
    if ! chancery group add --name "$flow_group" --kind devices > /dev/null; then
        printf 'Bail out! no group could be made\n'
        exit 1
    fi
}
flow_profile() {
    local name=$1 ca=$demo_ca
    shift
    if [[ ${1:-} == --ca ]]; then ca=$2; shift 2; fi
    chancery profile add --name "$name" --ca "$ca" --platform linux --validity '30 days' --eku 'Client auth' "$@" > /dev/null &&
        chancery assign add --profile "$name" --group "$flow_group" > /dev/null
}
flow_device() {
    local name=$1
    shift
    chancery device add --name "$name" --platform linux --group "$flow_group" "$@" > /dev/null
}

flow_authorities=()
shown() { chancery ca show "$1" | sed -n "s/^$2  *//p"; }
# The CA limit is not what is tested here: room is made for two more.
flow_room() {
    owner_sql -c "update chancery.tenant set ca_limit = greatest(ca_limit, (select count(*) from chancery.ca where deleted_at is null) + 3)
        where tenant_id = 1"
}
flow_authority() {
    flow_limit=${flow_limit:-$(owner_sql -c 'select ca_limit from chancery.tenant where tenant_id = 1')}
    flow_room
    flow_authorities+=("$1")
    chancery ca create-root --name "$1 Root" --cn "$1 Root" --key RSA-2048 --years 5 --eku 'Client auth' --eku 'Server auth' > /dev/null &&
        chancery ca create-issuing --parent "$1 Root" --name "$1" --cn "$1" --years 2 --eku 'Client auth' > /dev/null
}
flow_authority_end() {
    local serial
    case $(shown "$1" status) in
    '') ;;
    Active) chancery ca pause "$1" ;;
    esac
    if [[ $(shown "$1" status) == Paused ]]; then
        while read -r serial; do chancery certificate revoke "$serial" --ca "$1"; done < <(
            chancery --json certificate list --ca "$1" --status active --limit 0 | sed -n 's/.*"serial": *"\([0-9a-f]*\)".*/\1/p')
        chancery ca revoke "$1"
    fi
    chancery ca delete "$1"
    chancery ca delete "$1 Root"
}
flow_cleanup() {
    local name
    for name in "${flow_authorities[@]}"; do flow_authority_end "$name" > /dev/null 2>&1; done
    if [[ -n ${flow_limit:-} ]]; then owner_sql -c "update chancery.tenant set ca_limit = $flow_limit where tenant_id = 1"; fi
    tap_cleanup
}
trap flow_cleanup EXIT

# flow_enrol PROFILE DEVICE: a new device, a new key, a certificate in $w/DEVICE.pem; the profile's subject is the device's name alone.
flow_enrol() {
    flow_device "$2" || return 1
    new_key "$2"
    say "$CHANCERY_SCEP_URL" key="$2" cn="$2" o=- challenge="$(challenge "$1" "$2")"
    [[ $answer == '0 - -' ]] && mv "$w/out.pem" "$w/$2.pem"
}
serial_of() { openssl x509 -in "$1" -noout -serial | cut -d = -f 2; }
# uri_in CERTIFICATE EXTENSION: the first URI in it.
uri_in() { openssl x509 -in "$1" -noout -ext "$2" | sed -n 's/.*URI:\([^ ]*\).*/\1/p' | head -n 1; }
fetch() { curl -sf --max-time 10 -o "$2" "$1"; }
