#!/usr/bin/env bash
# Bad input to the SCEP URL (tables bad_http, bad_messages) and to the signer's sockets (table bad_frames), each with its answer; after each the next good
# request works, and no worker was lost.
# shellcheck source=bad_http_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/bad_http_lib.sh"
flow_tool scep_client scep_open signer_poke
flow_objects
url=$CHANCERY_SCEP_URL
profile=bad-$tag d=bad-$tag
bad_http_start "$profile" "$d"
children() { cat "/proc/$(pid_of "$1")/task/$(pid_of "$1")/children"; }
scep_workers=$(children scep)
signer_workers=$(children signer)
bad_http_table
bad_http_raw

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
algorithms='u:0 u:0 u:0 b:0 u:5 b:0'
origin="t:$CHANCERY_CA_ID u:0 t:txn $algorithms"
claims='l:0 b:0 l:0 b:0 u:0 b:0 l:0'
enrolment="$origin t:c29tZXRoaW5n x:$spki $claims"
while IFS='|' read -r why lane user tokens wanted; do
    why=$(trim "$why") wanted=$(trim "$wanted") lane=$(trim "$lane") user=$(trim "$user")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    tokens=${tokens//@E/$enrolment}
    tokens=${tokens//@O/$origin}
    tokens=${tokens//@A/$algorithms}
    read -ra words <<< "${tokens//@M/$claims}"
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
