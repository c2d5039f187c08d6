# bad_http_lib: bad input by HTTP (table bad_http, and raw bytes), each with its answer, after which the next good request must work. To be sourced; it
# sources scep_lib.sh, and goes by CHANCERY_HTTP_URL, CHANCERY_HTTPS_URL and CHANCERY_SCEP_URL.
#
#   bad_http_start PROFILE DEVICE     makes both, enrols the device, and makes the files of the table in $w/f
#   good, after WHAT                  the request that must work after everything
#   fill                              the marks of the tables in $words
#   bad_http_table [apache]           the table; with "apache" its last column where there is one
#   bad_http_raw [apache]             what curl does not send
# shellcheck shell=bash
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"

trim() { sed 's/^ *//; s/ *$//' <<< "$1"; }

# ---- the good request, and files ----

# Its certificate was issued, so that it can be sent any number of times.
good() {
    local code
    code=$(post "$CHANCERY_SCEP_URL" "$w/f/good.der" "$w/good.reply")
    [[ $code == 200 ]] && "$scep_open" --in "$w/good.reply" --key "$w/base.key" --ra "$w/ca.1.pem" --out "$w/good.pem" > "$w/good.said" 2>&1 &&
        grep -qx pkiStatus=0 "$w/good.said"
}
# One line for the request after it, only where it fails.
after() { if ! good; then fail "  the good request after: $1" "$(cat "$w/good.said")"; fi; }

bad_http_start() {
    ok 'a profile' flow_profile "$1" --subject 'CN={{DeviceName}}'
    ok 'the certificates' scep_ca "$CHANCERY_SCEP_URL" ca
    new_key base
    ok 'a device' flow_device "$2"
    say "$CHANCERY_SCEP_URL" cn="$2" o=- challenge="$(challenge "$1" "$2")"
    is 'a good request' "$answer" '0 - -'
    mkdir "$w/f"
    cp "$w/message" "$w/f/good.der"
    cp "$w/message.csr" "$w/f/request.der"
    cp "$w/message.env" "$w/f/envelope.der"
    cp "$w/reply" "$w/f/answer.der"
    cp "$w/ca.2.pem" "$w/f/certificate.pem"
    (cd "$w/f" && bad_http_files)
    query=$(sed 's/+/%2B/g; s|/|%2F|g; s/=/%3D/g' "$w/f/good.b64")
    root_id=$(chancery ca show 'Chancery Demo Root CA' | sed -n 's/^id  *//p')
}

bad_http_files() {
    local n
    base64 -w 0 good.der > good.b64
    : > empty
    printf '0' > one
    openssl rand -out random 5000
    for n in 250000 262144 262145 300000 5000000; do head -c $n /dev/zero > "zeros$n"; done
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
}

# ---- the table ----

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
        word=${word//@A/${CHANCERY_HTTP_URL#*//}}
        word=${word//@S/${CHANCERY_HTTPS_URL#*//}}
        word=${word//@T/$CHANCERY_TLS_CA}
        word=${word//@C/${c:-}}
        word=${word//@K/${spki:-}}
        while [[ $word =~ @([0-9]+) ]]; do word=${word//"${BASH_REMATCH[0]}"/$(printf "%0${BASH_REMATCH[1]}d" 0)}; done
        words[i]=$word
    done
}

bad_http_table() {
    local why words_text wanted other code words
    while IFS='|' read -r why words_text wanted other; do
        why=$(trim "$why") wanted=$(trim "$wanted") other=$(trim "$other")
        if [[ -z $why || $why == \#* ]]; then continue; fi
        if [[ ${1:-} == apache && -n $other ]]; then wanted=$other; fi
        read -ra words <<< "$words_text"
        fill
        code=$(curl -s -g --max-time 20 -o "$w/body" -D "$w/head" -w '%{http_code}' "${words[@]}")
        is "http: $why" "$code" "$wanted"
        if [[ $code =~ ^[45] && -s $w/body ]]; then
            like '  a line of plain text' "$(grep -i '^content-type' "$w/head") $(cat "$w/body")" $'^[^:]*: text/plain\r [^<>]*$'
        fi
        after "$why"
    done < "$flow_dir/bad_http"
}

# ---- raw bytes ----

# By cat, in one piece: the shell would send line by line, and be cut off with the answer unread.
raw() {
    local address=${CHANCERY_HTTP_URL#*//}
    printf '%b' "$1" > "$w/raw"
    exec 5<> "/dev/tcp/${address%:*}/${address#*:}" && cat "$w/raw" >&5 && timeout 20 head -n 1 <&5 | tr -d '\r' | cut -d ' ' -f 2
    exec 5>&-
}

# why | method, operation and version | headers and what follows | status | Apache's where it is another. @P stands for the path of the CA's SCEP URL.
raw_table='
no HTTP | hello | | 400
a TLS greeting | \x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 | | 400
control characters in the line | GET @P=GetCACaps\x01 HTTP/1.1 | Host: x\r\n | 400
an absolute URI | GET http://other@P=GetCACaps HTTP/1.1 | Host: x\r\n | 200
an absolute URI of another scheme | GET HTTPS://other:8@P=GetCACaps HTTP/1.1 | Host: x\r\n | 200
an absolute URI without a path | GET http://other?x=@P=GetCACaps HTTP/1.1 | Host: x\r\n | 404
two lengths | POST @P=PKIOperation HTTP/1.1 | Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx | 400
a negative length | POST @P=PKIOperation HTTP/1.1 | Host: x\r\nContent-Length: -1\r\n\r\nx | 400
a chunk that is none | POST @P=PKIOperation HTTP/1.1 | Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n | 400
length and chunks | POST @P=PKIOperation HTTP/1.1 | Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n | 400
'
bad_http_raw() {
    local why line rest wanted other i fd begun stalled=() address=${CHANCERY_HTTP_URL#*//} path=/scep/$CHANCERY_CA_ID?operation
    while IFS='|' read -r why line rest wanted other; do
        why=$(trim "$why") wanted=$(trim "$wanted") other=$(trim "$other")
        if [[ -z $why ]]; then continue; fi
        if [[ ${1:-} == apache && -n $other ]]; then wanted=$other; fi
        line=$(trim "${line//@P/$path}") rest=$(trim "$rest")
        is "http: $why" "$(raw "$line\\r\\n$rest\\r\\n")" "$wanted"
        after "$why"
    done <<< "$raw_table"
    # More of them than there are responders. The last is waited for.
    for ((i = 0; i < 2 * $(nproc) + 8; i++)); do
        exec {fd}<> "/dev/tcp/${address%:*}/${address#*:}"
        stalled+=("$fd")
        printf 'POST %s=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0123456789' "$path" >&"$fd"
    done
    begun=$SECONDS
    ok 'http: while bodies do not come on, others are served' good
    ok '  at once' test $((SECONDS - begun)) -le 4
    is 'http: a body that does not come on: the connection is closed' "$(timeout 20 cat <&"$fd" > "$w/raw"; echo $?)" 0
    for fd in "${stalled[@]}"; do exec {fd}>&-; done
    after 'a body that does not come on'
    exec 5<> "/dev/tcp/${address%:*}/${address#*:}"
    printf 'POST %s=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n0123456789' "$path" >&5
    exec 5>&-
    after 'a client that leaves'
}
