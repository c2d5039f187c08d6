#!/usr/bin/env bash
# Apache in front of the running system's responder, in nginx's place, from the installed template: the same answers as nginx gives (table bad_http, with its
# column for Apache), enrolment by strongSwan and by GET and POST, published files, TLS, and being stopped, killed and left alone by the responder.
# shellcheck source=bad_http_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/bad_http_lib.sh"
flow_tool scep_client scep_open
flow_objects
nginx_url=$CHANCERY_HTTP_URL
# shellcheck source=apache_lib.sh
source "$flow_dir/apache_lib.sh"
apache_begin
is 'every mark of the template is filled' "$(grep -c '@[A-Z_]*@' "$a/apache.conf")" 0
is 'the configuration has no complaint' "$(as_nginx apache2 -t -d "$a" -f "$a/apache.conf" 2>&1)" 'Syntax OK'

# ---- the table that nginx has as well ----

bad_http_start "apache-$tag" "apache-$tag"
bad_http_table apache
bad_http_raw apache
# To the octet: never does a request get through without its URI, which the responder would answer with 400.
line=$(sed -n 's/^#define LIMIT_HTTP_APACHE_LINE \([0-9]*\).*/\1/p' "$flow_dir/../../lib/base/limits.h")
for words_text in '' -I; do
    read -ra words <<< "$words_text"
    found=
    for ((n = line - 24; n <= line + 24; n++)); do
        uri="/scep/$CHANCERY_CA_ID?operation=GetCACaps&x="
        uri+=$(printf "%0$((n - ${#uri}))d" 0)
        found+=$(curl -s -o /dev/null --max-time 10 -w '%{http_code} ' "${words[@]}" "$CHANCERY_HTTP_URL$uri")
    done
    like "lines around the limit, ${words_text:-GET}: 200, then 414" "$found" '^(200 ){5,}(414 ){24,}$'
done
found=
for n in 15000 17000; do
    found+=$(curl -s -o /dev/null --max-time 10 --cacert "$CHANCERY_TLS_CA" -w '%{http_code} ' \
        "$CHANCERY_HTTPS_URL/scep/$CHANCERY_CA_ID?operation=GetCACaps&x=$(printf "%0${n}d" 0)")
done
is 'lines of 15 and 17 kB by HTTPS' "$found" '200 414 '

# ---- as nginx ----

# What both say, but for what is each server's own.
said_by() {
    curl -s --max-time 20 -D "$w/head" -o "$w/body" "$@"
    tr -d '\r' < "$w/head" | sed 's/^\(HTTP[^ ]* [0-9]*\).*/\1/' |
        grep -iE '^(HTTP/|Content-Type|Content-Length|Content-Range|Cache-Control|X-Content-Type-Options|Last-Modified)' | sort -f
    if [[ $1 != -I ]]; then sha256sum < "$w/body"; fi
}
crl=/crl/${CHANCERY_CA_ID}_v1/current.crl cer=/ca/${CHANCERY_CA_ID}_v1/cert.cer scep=/scep/$CHANCERY_CA_ID
while IFS='|' read -r why path words_text; do
    read -ra words <<< "$words_text"
    is "as nginx: $why" "$(said_by "${words[@]}" "$CHANCERY_HTTP_URL$path")" "$(said_by "${words[@]}" "$nginx_url$path")"
done <<TABLE
GetCACaps|$scep?operation=GetCACaps|
GetCACert|$scep?operation=GetCACert&message=x|
GetCACert by HTTP/1.0|$scep?operation=GetCACert|-0 -H Host:
HEAD of GetCACert|$scep?operation=GetCACert|-I
a refusal of the responder|$scep?operation=x|
a method that is not served|$scep?operation=GetCACaps|-X PUT
a path that is not there|/nothing|
a CRL|$crl|
HEAD of a CRL|$crl|-I
a CRL by HTTP/1.0|$crl|-0 -H Host:
the middle of a CRL|$crl|-r 100-199
a CRL by POST|$crl|--data-binary x
a CA certificate|$cer|
a CA certificate of no CA|/ca/none/cert.cer|
the folder of a CA|/ca/${CHANCERY_CA_ID}_v1/|
the folder without a slash|/ca|
what the publisher keeps for itself|/.publisher.lock|
TABLE
like 'a CRL has its type' "$(said_by "$CHANCERY_HTTP_URL$crl")" $'Content-Type: application/pkix-crl\n'
like 'a CA certificate has its type' "$(said_by "$CHANCERY_HTTP_URL$cer")" $'Content-Type: application/pkix-cert\n'
curl -s -D "$w/head" -o "$w/now.crl" "$CHANCERY_HTTP_URL$crl"
known=$(tr -d '\r' < "$w/head" | sed -n 's/^ETag/If-None-Match/p')
is 'a CRL that is known already' "$(curl -s -o /dev/null -w '%{http_code}' -H "$known" "$CHANCERY_HTTP_URL$crl")" 304
ok 'the CRL is one' openssl crl -inform der -in "$w/now.crl" -noout
link=$CHANCERY_DIR/www/crl/link-$tag.crl
ln -s /etc/passwd "$link"
found=$(curl -s -w ' %{http_code}' "$CHANCERY_HTTP_URL/crl/link-$tag.crl")
like 'a link in the publisher'\''s folder is not followed' "$found" $'^There is nothing here.\n 40[34]$'
rm -f "$link"

# ---- TLS ----

tls() { openssl s_client -connect "127.0.0.1:$https_port" -CAfile "$CHANCERY_TLS_CA" -verify_return_error "$@" < /dev/null > "$w/tls" 2>&1; }
ok 'TLS 1.2' tls -tls1_2
like '  no client certificate is asked for' "$(cat "$w/tls")" 'No client certificate CA names sent'
ok 'TLS 1.3' tls -tls1_3 -msg
refused '  nor there' grep -q CertificateRequest "$w/tls"
refused 'TLS 1.1' tls -tls1_1 -cipher DEFAULT@SECLEVEL=0
is 'GetCACert by HTTPS' "$(curl -s --cacert "$CHANCERY_TLS_CA" "$CHANCERY_HTTPS_URL$scep?operation=GetCACert" | sha256sum)" \
    "$(curl -s "$nginx_url$scep?operation=GetCACert" | sha256sum)"

# ---- enrolment ----

profile=apache2-$tag d=get-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'a device' flow_device "$d"
new_key get
ok 'a message' message "$w/get.der" key=get cn="$d" o=- challenge="$(challenge "$profile" "$d")" transaction="get-$tag" nonce="$(openssl rand -hex 16)"
code=$(curl -s -o "$w/reply" -w '%{http_code}' -G --data-urlencode "message=$(base64 "$w/get.der")" "$CHANCERY_SCEP_URL/pkiclient.exe?operation=PKIOperation")
open_answer "$code" "$w/reply" "$w/get.key" "$w/ca.1.pem"
is 'enrolment by GET' "$answer" '0 - -'
is '  the address of the client is in the log' "$(grep -F "txn=get-$tag " "$CHANCERY_DIR/log/scep.log" | grep -c 'event=enrolled remote=127.0.0.1 ')" 1
code=$(curl -s -o "$w/reply" -w '%{http_code}' --cacert "$CHANCERY_TLS_CA" --data-binary "@$w/get.der" "$CHANCERY_HTTPS_URL$scep?operation=PKIOperation")
open_answer "$code" "$w/reply" "$w/get.key" "$w/ca.1.pem"
is 'the same by POST, over HTTPS' "$answer" '0 - -'
d=swan-$tag
ok 'a device' flow_device "$d"
pki --gen --type rsa --size 2048 --outform pem > "$w/swan.key" 2> /dev/null
swan() {
    pki --scep --url "$CHANCERY_SCEP_URL" --in "$w/swan.key" --dn "CN=$d" --password "$1" --cacert-enc "$w/ca.0.pem" --cacert-sig "$w/ca.1.pem" \
        --cacert "$w/ca.2.pem" --cacert "$w/ca.3.pem" --outform pem > "$w/swan.pem"
}
refused 'strongSwan: a wrong challenge' swan secret
ok 'strongSwan: enrols' swan "$(challenge "$profile" "$d")"
ok '  the certificate verifies' openssl verify -CAfile "$w/ca.3.pem" -untrusted "$w/ca.2.pem" "$w/swan.pem"
refused 'no message is in the access log' grep -qiE 'message=|operation=' "$a/apache-access.log"

# ---- the responder goes and comes; Apache is stopped, and killed ----

scep_new() { [[ -n $(pid_of scep) && $(pid_of scep) != "$scep_pid" ]]; }
# It is away for a moment only, which may pass between two requests: then once more.
found=
for ((i = 0; i < 5; i++)); do
    scep_pid=$(pid_of scep)
    kill -TERM "$scep_pid"
    until [[ $found == *' 503' ]] || scep_new; do
        found=$(curl -s --max-time 20 -w ' %{content_type} %{http_code}' "$CHANCERY_SCEP_URL?operation=GetCACaps")
    done
    if [[ $found == *' 503' ]]; then break; fi
done
is 'without the responder: a line of text' "$found" $'The service does not answer; try again.\n text/plain 503'
ok 'the supervisor starts it again' wait_for 20 scep_new
ok '  and Apache finds it' wait_for 10 good
for i in 1 2 3 4 5 6 7 8 9 10; do after "the responder's return"; done
for signal in TERM WINCH; do
    kill "-$signal" "$apache_pid"
    ok "SIG$signal: the parent goes" wait_for 20 apache_gone
    is '  with all of its processes' "$(apache_processes)" ''
    refused '  and its pid file' test -e "$a/apache.pid"
    apache_start
    ok '  started again' good
done
kill -KILL "$apache_pid"
# What is left has the port: the supervisor kills the group.
kill -KILL -- "-$apache_pid"
wait "$apache_pid" 2> /dev/null
apache_all_gone() { [[ -z $(apache_processes) ]]; }
ok 'killed, and its group' wait_for 20 apache_all_gone
apache_start
ok '  started again' good
refused 'nothing is wrong by its own word' grep -E ':(emerg|alert|crit)\]' "$a/apache-error.log"
finish
