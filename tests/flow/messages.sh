#!/usr/bin/env bash
# Messages of every kind that clients make, and of many that they should not, written octet by octet by scep_try, each with its answer (tables
# messages_good, messages_lenient, messages_refused); a good one in every spelling of HTTP (http_good), and cut before every octet of each layer.
# After each the next good request works.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_try scep_client scep_open
flow_objects
url=$CHANCERY_SCEP_URL http=${CHANCERY_HTTP_URL#http://}
profile=messages-$tag
names=(--subject 'CN={{DeviceName}}' --san 'dns:{{DeviceName}}.example.org')
ok 'a profile' flow_profile "$profile" "${names[@]}"
ok 'a profile of lenience and old algorithms' flow_profile "lenient-$tag" "${names[@]}" --algorithms legacy --variant lenient
ok 'the certificates' scep_ca "$url" ca
for key in base own other; do new_key $key; done
new_key 512 512
new_key 1024 1024
new_key e3 e3
new_key ec ec
openssl genpkey -quiet -algorithm ED25519 -out "$w/ed25519.key"
openssl req -x509 -new -key "$w/other.key" -subj '/O=Flow/CN=Stranger' -days 30 -out "$w/stranger.pem" 2> /dev/null
openssl x509 -in "$w/ca.2.pem" -outform DER -out "$w/ca.2.der"
: > "$w/empty"
openssl rand -out "$w/random" 700

# The good request, and a device for each row that gets a certificate, all in one import.
rows() { grep -v -e '^#' -e '^ *$' "$flow_dir/$1"; }
count=$(rows messages_good | wc -l)
{
    printf 'name,platform\n'
    for ((i = 0; i <= count; i++)); do printf 'm%d-%s,linux\n' "$i" "$tag"; done
    printf 'open-%s,linux\n' "$tag"
} > "$w/devices.csv"
is 'devices' "$(chancery device import "$w/devices.csv" --group "$flow_group")" $((count + 2))
for p in "$profile" "lenient-$tag"; do chancery challenge create --profile "$p" --all > "$w/challenges.$p"; done
challenge_of() { awk -F '\t' -v d="$1" '$1 == d { print $3 }' "$w/challenges.${2:-$profile}"; }
try() { "$scep_try" "$@" --dir "$w" --host "${http%:*}" --port "${http#*:}" --path "/scep/$CHANCERY_CA_ID" --ra ca.1.pem --good good.der --good-key base; }
make() { "$scep_try" make --dir "$w" --words "$*"; }
make "rdn=CN=m0-$tag" "challenge=$(challenge_of "m0-$tag")" > "$w/good.der"
code=$(post "$url" "$w/good.der" "$w/reply")
open_answer "$code" "$w/reply" "$w/base.key" "$w/ca.1.pem"
is 'the good request' "$answer" '0 - -'
children() { cat "/proc/$(pid_of "$1")/task/$(pid_of "$1")/children"; }
scep_workers=$(children scep)
signer_workers=$(children signer)

# filled DEVICE CHALLENGE LINE KEY: the marks of a row, and the words that it does not have itself.
filled() {
    local why words wanted number
    IFS='|' read -r why words wanted <<< "$3"
    if [[ $words != *' rdn='* ]]; then words+=" rdn=CN=@D"; fi
    if [[ $words != *' challenge='* ]]; then words+=" challenge=@C"; fi
    if [[ $words != *' key='* ]]; then words+=" key=$4"; fi
    words=${words//@D/"$1"}
    words=${words//@U/"${1^^}"}
    words=${words//@C/"$2"}
    while [[ $words =~ =@([0-9]+) ]]; do
        number=${BASH_REMATCH[1]}
        words=${words/"=@$number"/=$(zeros "$number")}
    done
    printf '%s|%s|%s\n' "$why" "$words" "$wanted"
}
# told WHAT < the lines of scep_try
told() {
    local why found wanted
    while IFS=$'\t' read -r why found wanted; do is "$1: $why" "$found" "$wanted"; done
}

zeros() { printf "%0$1d" 0; }

# Windows speaks nothing newer than TLS 1.2; macOS does not renew where a client certificate is asked for (Q9, Q12).
for v in 2 3; do
    openssl s_client -connect "${CHANCERY_HTTPS_URL#https://}" "-tls1_$v" -msg < /dev/null > "$w/tls" 2> /dev/null
    ok "HTTPS by TLS 1.$v" grep -q 'ServerHello' "$w/tls"
    refused '  no client certificate is asked for' grep -q CertificateRequest "$w/tls"
done

# ---- HTTP ----

declare -A marks
marks_make() {
    local raw escaped
    raw=$(base64 -w 0 "$w/good.der")
    escaped=${raw//+/%2B} escaped=${escaped//\//%2F} escaped=${escaped//=/%3D}
    marks=([@raw]=$raw [@Q]=$escaped [@macos]=${raw//=/%3D} [@lower]=${escaped//%2F/%2f} [@bare]=${raw%%=*} [@double]=${escaped//%/%25}
        [@lines]=$(sed 's/.\{64\}/&%0A/g' <<< "$raw") [@crlf]=$(sed 's/.\{76\}/&%0D%0A/g' <<< "$raw") [@end]=$escaped%0A
        [@tabs]=$(sed 's/.\{50\}/&%09/g' <<< "$raw") [@url]=$(tr '+/' '-_' <<< "$raw") [@each]=$(printf %s "$raw" | od -An -v -tx1 | tr -d '\n' | tr ' ' %)
        [@space]=${raw//+/%20} [@U]=$url [@H]=$CHANCERY_HTTP_URL [@A]=$http [@I]=$CHANCERY_CA_ID [@J]=${CHANCERY_CA_ID^^} [@F]=$w/good.der
        [@T]=$CHANCERY_TLS_CA [@S]=${CHANCERY_HTTPS_URL#https://} [@8000]=$(zeros 8000))
    marks[@urlbare]=${marks[@url]%%=*}
}
marks_make
is 'the message in base64 holds each character that is spelled in more ways than one' "$(tr -d -c '+/=' <<< "${marks[@raw]}" | fold -w 1 | sort -u | tr -d '\n')" +/=
while IFS='|' read -r why line; do
    read -r why <<< "$why"
    IFS=' ' read -ra words <<< "$line"
    for i in "${!words[@]}"; do
        while [[ ${words[i]} =~ @[A-Za-z0-9]+ && -v marks[${BASH_REMATCH[0]}] ]]; do words[i]=${words[i]/"${BASH_REMATCH[0]}"/"${marks[${BASH_REMATCH[0]}]}"}; done
    done
    code=$(curl -s -g --max-time 20 -o "$w/reply" -D "$w/head" -w '%{http_code}' "${words[@]}")
    open_answer "$code" "$w/reply" "$w/base.key" "$w/ca.1.pem"
    is "http: $why" "$answer" '0 - -'
    is '  its type, its length, and not in chunks' "$(tr -d '\r' < "$w/head" | sed -n -e 's/^Content-Type: *//p' -e 's/^Transfer-Encoding.*/chunked/p') $(tr -d '\r' < "$w/head" |
        sed -n 's/^Content-Length: *//p')" "application/x-pki-message $(stat -c %s "$w/reply")"
done < <(rows http_good)

# ---- refusals ----

d=open-$tag c=$(challenge_of "open-$tag")
before=$(owner_sql -c "select count(*) from chancery.certificate where kind = 'leaf' and device_id = (select device_id from chancery.device where name = '$d')")
while IFS= read -r line; do filled "$d" "$c" "$line" own; done < <(rows messages_refused) > "$w/refused"
told refused < <(try rows --table refused)
is 'none of it led to a certificate' "$(owner_sql -c "select count(*) from chancery.certificate where kind = 'leaf' and device_id =
    (select device_id from chancery.device where name = '$d')")" "$before"

# ---- every octet ----

# swept WORD...: how often each answer came, and the good request after it where that failed.
swept() {
    local why found rest lines
    mapfile -t lines < <(try "$@" --words "key=own rdn=CN=$d challenge=$c")
    IFS=$'\t' read -r why found rest <<< "${lines[0]}"
    printf '%s' "$found"
    printf '%s\n' "${lines[@]:1}"
}
like 'a message cut before each octet: 400 every time' "$(swept cut --layer message)" '^http 400: [0-9]{4}$'
like 'an envelope cut before each octet, sealed and signed anew: badMessageCheck' "$(swept cut --layer envelope)" '^2 1 -: [0-9]{3,4}$'
like 'a request cut before each octet, sealed and signed anew: badMessageCheck' "$(swept cut --layer request)" '^2 1 -: [0-9]{3,4}$'
make "key=own rdn=CN=$d challenge=$c" > "$w/whole"
code=$(post "$url" "$w/whole" "$w/reply")
open_answer "$code" "$w/reply" "$w/own.key" "$w/ca.1.pem"
is 'the whole message after all that' "$answer" '0 - -'
# Its certificate is there now; it is given again where the octet says nothing: in version numbers, in the certificate of the message beside its key.
found=$(swept flip --step 7)
like 'a message with each seventh octet changed: 400, FAILURE without a word, or the certificate that is there' "$found" \
    '^((http 400|2 1 -|2 2 -|0 - - SHA256 AES-128-CBC): [0-9]+(; )?)+$'
unseen=$(sed -n 's/.*0 - - SHA256 AES-128-CBC: \([0-9]*\).*/\1/p' <<< "$found")
ok "  the certificate not often ($unseen times)" test "$unseen" -lt 100

# ---- what must work ----

granted() {
    local i=0 line
    while IFS= read -r line; do
        i=$((i + 1))
        filled "m$i-$tag" "$(challenge_of "m$i-$tag" "$2")" "$line" new
    done < <(rows "$1") > "$w/granted"
    told enrolled < <(try rows --table granted)
}
granted messages_good "$profile"
granted messages_lenient "lenient-$tag"
refused 'no transaction id has forged a line of the log' grep -qv -e '^time=' "$CHANCERY_DIR/log/scep.log"
is 'no worker of chancery-scep was lost' "$(children scep)" "$scep_workers"
is 'no worker of chancery-signer was lost' "$(children signer)" "$signer_workers"
finish
