#!/usr/bin/env bash
# Bad input to the SCEP URL (tables bad_http, bad_messages) and to the signer's sockets (table bad_frames), each with its answer; after each the next good
# request works, and no worker was lost.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open signer_poke
flow_objects
url=$CHANCERY_SCEP_URL
profile=bad-$tag d=bad-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'the certificates' scep_ca "$url" ca
new_key base
ok 'a device' flow_device "$d"
say "$url" cn="$d" o=- challenge="$(challenge "$profile" "$d")"
is 'a good request' "$answer" '0 - -'
mkdir "$w/f"
cp "$w/message" "$w/f/good.der"
cp "$w/message.csr" "$w/f/request.der"
cp "$w/message.env" "$w/f/envelope.der"
cp "$w/reply" "$w/f/answer.der"

# The request that must work after everything: its certificate was issued, so that it can be sent any number of times.
good() {
    local code
    code=$(post "$url" "$w/f/good.der" "$w/good.reply")
    [[ $code == 200 ]] && "$scep_open" --in "$w/good.reply" --key "$w/base.key" --ra "$w/ca.1.pem" --out "$w/good.pem" > "$w/good.said" 2>&1 &&
        grep -qx pkiStatus=0 "$w/good.said"
}
children() { cat "/proc/$(pid_of "$1")/task/$(pid_of "$1")/children"; }
scep_workers=$(children scep)
signer_workers=$(children signer)
# after WHAT: one line for the request after it, only where it fails.
after() { if ! good; then fail "  the good request after: $1" "$(cat "$w/good.said")"; fi; }

# ---- files ----

cd "$w/f" || exit 1
base64 -w 0 good.der > good.b64
: > empty
printf '0' > one
openssl rand -out random 5000
for n in 262144 262145 300000 5000000; do head -c $n /dev/zero > "zeros$n"; done
cp "$w/ca.2.pem" certificate.pem
openssl x509 -in certificate.pem -outform DER -out certificate.der
{ cat good.der; printf '\0'; } > behind.der
{ printf '\0'; cat good.der; } > before.der
cat good.der good.der > two.der
printf '\x30\x84\xff\xff\xff\xff\x06\x09' > length4g
printf '\x30\x88\xff\xff\xff\xff\xff\xff\xff\xff\x06\x09' > length64
printf '\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80' > endless
# A sequence around another, lengths of four octets, from the inside out; then the same without lengths.
perl -e 'for (my $i = 20000; $i > 0; $i--) { print pack("CCN", 0x30, 0x84, ($i - 1) * 6) }' > deep
head -c 40000 /dev/zero | tr '\0' '\60' | sed 's/00/0\x80/g' > deepber
query=$(sed 's/+/%2B/g; s|/|%2F|g; s/=/%3D/g' good.b64)
cd / || exit 1

# ---- HTTP ----

http=${CHANCERY_HTTP_URL#http://} https=${CHANCERY_HTTPS_URL#https://}
root_id=$(chancery ca show 'Chancery Demo Root CA' | sed -n 's/^id  *//p')
# Puts the values of the marks into $words.
fill() {
    local i word
    for i in "${!words[@]}"; do
        word=${words[i]}
        word=${word//@U/$CHANCERY_SCEP_URL}
        word=${word//@H/$CHANCERY_HTTP_URL}
        word=${word//@F/$w/f}
        word=${word//@Q/$query}
        word=${word//@q/${query:0:1000}}
        word=${word//@I/$CHANCERY_CA_ID}
        word=${word//@J/${CHANCERY_CA_ID^^}}
        word=${word//@i/${CHANCERY_CA_ID%?}}
        word=${word//@R/$root_id}
        word=${word//@A/$http}
        word=${word//@S/$https}
        word=${word//@T/$CHANCERY_TLS_CA}
        word=${word//@C/${c:-}}
        word=${word//@K/${spki:-}}
        while [[ $word =~ @([0-9]+) ]]; do word=${word//"${BASH_REMATCH[0]}"/$(printf "%0${BASH_REMATCH[1]}d" 0)}; done
        words[i]=$word
    done
}
trim() { sed 's/^ *//; s/ *$//' <<< "$1"; }
while IFS='|' read -r why words_text wanted; do
    why=$(trim "$why") wanted=$(trim "$wanted")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    read -ra words <<< "$words_text"
    fill
    code=$(curl -s -g --max-time 20 -o "$w/body" -D "$w/head" -w '%{http_code}' "${words[@]}")
    is "http: $why" "$code" "$wanted"
    if [[ $code =~ ^[45] && -s $w/body ]]; then
        like '  a line of plain text' "$(grep -i '^content-type' "$w/head") $(cat "$w/body")" $'^[^:]*: text/plain\r [^<>]*$'
    fi
    after "$why"
done < "$flow_dir/bad_http"

# Raw bytes, which curl does not send; by cat, in one piece: the shell would send line by line, and be cut off with the answer unread.
raw() {
    printf '%b' "$1" > "$w/raw"
    exec 5<> "/dev/tcp/${http%:*}/${http#*:}" && cat "$w/raw" >&5 && timeout 20 head -n 1 <&5 | tr -d '\r' | cut -d ' ' -f 2
    exec 5>&-
}
path=/scep/$CHANCERY_CA_ID?operation
is 'http: no HTTP' "$(raw 'hello\r\n\r\n')" 400
after 'no HTTP'
is 'http: a TLS greeting' "$(raw '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n')" 400
after 'a TLS greeting'
is 'http: control characters in the line' "$(raw "GET $path=GetCACaps\\x01 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")" 400
after 'control characters'
is 'http: two lengths' "$(raw "POST $path=PKIOperation HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\nContent-Length: 2\\r\\n\\r\\nx")" 400
after 'two lengths'
is 'http: a negative length' "$(raw "POST $path=PKIOperation HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: -1\\r\\n\\r\\nx")" 400
after 'a negative length'
is 'http: a chunk that is none' "$(raw "POST $path=PKIOperation HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n")" 400
after 'a chunk that is none'
is 'http: length and chunks' "$(raw "POST $path=PKIOperation HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 5\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n")" 400
after 'length and chunks'
exec 5<> "/dev/tcp/${http%:*}/${http#*:}"
printf 'POST %s=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0123456789' "$path" >&5
ok 'http: while a body does not come on, others are served' good
is 'http: a body that does not come on: the connection is closed' "$(timeout 20 cat <&5; echo $?)" 0
exec 5>&-
after 'a body that does not come on'
exec 5<> "/dev/tcp/${http%:*}/${http#*:}"
printf 'POST %s=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0123456789' "$path" >&5
exec 5>&-
after 'a client that leaves'

# ---- messages cut and changed ----

size=$(stat -c %s "$w/f/good.der")
wrong=
for ((i = 1; i < size; i += size / 48)); do
    head -c $i "$w/f/good.der" > "$w/cut"
    code=$(post "$url" "$w/cut" "$w/reply")
    if [[ $code != 400 ]]; then wrong+="$i: $code; "; fi
done
is 'a message cut at 48 places: 400 each time' "$wrong" ''
after 'cut messages'
wrong=
granted=0
for ((i = 0; i < size; i += size / 150)); do
    { head -c $i "$w/f/good.der"; head -c $((i + 1)) "$w/f/good.der" | tail -c 1 | tr '\000-\377' '\001-\377\000'; tail -c +$((i + 2)) "$w/f/good.der"; } > "$w/cut"
    code=$(post "$url" "$w/cut" "$w/reply")
    open_answer "$code" "$w/reply" "$w/base.key" "$w/ca.1.pem"
    case $answer in
    'http 400' | '2 1 -' | '2 2 -') ;;
    '0 - -') granted=$((granted + 1)) ;;
    *) wrong+="$i: $answer; " ;;
    esac
done
is 'a message changed in one octet at 150 places: 400 or FAILURE without a word' "$wrong" ''
# Not signed, and of no consequence: the version numbers, the digest algorithms' parameters, the signer's certificate beside its key.
ok "  the certificate only where the octet says nothing ($granted times)" test $granted -lt 30
after 'changed messages'

# ---- messages wrong inside ----

d2=inside-$tag
ok 'a device' flow_device "$d2"
new_key stranger
openssl req -x509 -new -key "$w/stranger.key" -subj /CN=stranger -days 30 -out "$w/stranger.pem" 2> /dev/null
for i in 1 2 3 4 5 6 7 8; do openssl req -x509 -new -key "$w/stranger.key" -subj "/CN=stranger $i" -days 30 -out "$w/stranger$i.pem" 2> /dev/null; done
size=$(stat -c %s "$w/f/request.der")
head -c $((size - 1)) "$w/f/request.der" > "$w/f/cut"
{ cat "$w/f/request.der"; printf '\0'; } > "$w/f/behind"
c=$(challenge "$profile" "$d2")
new_key inside
while IFS='|' read -r why words_text wanted; do
    why=$(trim "$why") wanted=$(trim "$wanted")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    word=${words_text// /}
    word=${word/@X/$w/stranger.pem}
    word=${word/@9/$(printf '%s ' "$w"/stranger[1-8].pem)$w/ca.0.pem}
    word=${word/@2/$w/stranger.pem $w/ca.0.pem}
    word=${word/@cut/$w/f/cut}
    word=${word/@behind/$w/f/behind}
    word=${word/@empty/$w/f/empty}
    word=${word/@zeros/$w/f/zeros200000}
    head -c 200000 /dev/zero > "$w/f/zeros200000"
    say "$url" key=inside cn="$d2" o=- challenge="$c" "$word"
    is "message: $why" "$answer" "$wanted"
    after "$why"
done < "$flow_dir/bad_messages"
is 'no worker of chancery-scep was lost' "$(children scep)" "$scep_workers"

# ---- the signer's sockets ----

declare -A sockets=([leaf]=leaf [crl]=crl [admin]=admin)
d3=frame-$tag
ok 'a device' flow_device "$d3"
c=$(challenge "$profile" "$d3")
new_key frame
spki=$(openssl pkey -in "$w/frame.key" -pubout -outform DER | od -An -v -tx1 | tr -d ' \n')
spki=$(printf '%08x' $((${#spki} / 2)))$spki
poke() {
    local user=$1 socket=$CHANCERY_DIR/run/signer/${sockets[$2]}.sock
    shift 2
    if [[ $user == root ]]; then
        "$signer_poke" "$socket" "$@"
    else
        setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$signer_poke" "$socket" "$@"
    fi 2> "$w/poke.err" || { if grep -q 'Permission denied' "$w/poke.err"; then echo unreachable; else cat "$w/poke.err"; fi; }
}
enrolment="t:$CHANCERY_CA_ID u:0 t:c29tZXRoaW5n x:$spki l:0 b:0 l:0 b:0 u:0 b:0 l:0 t:txn u:1 u:0 b:0"
while IFS='|' read -r why lane user tokens wanted; do
    why=$(trim "$why") wanted=$(trim "$wanted") lane=$(trim "$lane") user=$(trim "$user")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    read -ra words <<< "${tokens//@E/$enrolment}"
    fill
    found=$(poke "$user" "$lane" "${words[@]}")
    if [[ $wanted == - ]]; then
        like "signer, $lane, $user: $why: some answer" "$found" '^[A-Z][A-Za-z]+'
    else
        like "signer, $lane, $user: $why" "$found" "^$wanted"
    fi
    after "$why"
done < "$flow_dir/bad_frames"
coproc holder { "$signer_poke" "$CHANCERY_DIR/run/signer/leaf.sock" hold 300; }
holder_pid=$!
read -r -t 20 line <&"${holder[0]}"
is '300 connections that say nothing or half a length' "$line" holding
served=0
for i in 1 2 3 4 5 6 7 8 9 10; do if good; then served=$((served + 1)); fi; done
is '  while they stand, requests are served' $served 10
exec {holder[1]}>&-
wait $holder_pid
say "$url" key=frame cn="$d3" o=- challenge="$c"
is 'the challenge that was poked about with still enrols' "$answer" '0 - -'
is 'no worker of chancery-signer was lost' "$(children signer)" "$signer_workers"
finish
