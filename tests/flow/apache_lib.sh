# apache_lib: Apache in front of the running system's responder, in nginx's place, from the installed template. To be sourced behind scep_lib.sh.
#
#   apache_begin           starts it, or bails out; from then on the URLs (CHANCERY_HTTP_URL and so on) are Apache's. $a is its folder, $apache_pid the parent
#   apache_start, apache_gone, apache_processes, as_nginx
# shellcheck shell=bash
a=$w/apache

free_port() {
    local p
    for ((;;)); do
        p=$((20000 + RANDOM % 12000))
        if ! (exec 6<> "/dev/tcp/127.0.0.1/$p") 2> /dev/null; then echo "$p"; return; fi
    done
}
apache_configure() {
    http_port=$(free_port) https_port=$(free_port)
    sed -e "s|@DIR@/apache|$a|g; s|@DIR@/log|$a|g; s|@DIR@/etc/chancery|$a|g; s|@DIR@|$CHANCERY_DIR|g" \
        -e "s|@MODULES@|/usr/lib/apache2/modules|; s|@HTTP_PORT@|$http_port|g; s|@HTTPS_PORT@|$https_port|g" \
        "$CHANCERY_DIR/usr/share/chancery/nginx/chancery-apache.conf" > "$a/apache.conf"
    CHANCERY_HTTP_URL=http://127.0.0.1:$http_port
    CHANCERY_HTTPS_URL=https://127.0.0.1:$https_port
    CHANCERY_SCEP_URL=$CHANCERY_HTTP_URL/scep/$CHANCERY_CA_ID
}
# As the user that nginx has, with the group that may connect to the responder's socket, and no other right.
as_nginx() {
    cd / && exec setpriv --reuid chancery-nginx --regid chancery-nginx --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
        env -i PATH="$PATH" LC_ALL=C.UTF-8 "$@"
}
apache_answers() { [[ $(curl -s -o /dev/null --max-time 5 -w '%{http_code}' "$CHANCERY_SCEP_URL?operation=GetCACaps") == 200 ]]; }
apache_gone() { [[ ! -e /proc/$apache_pid || $(sed 's/.*) //; s/ .*//' "/proc/$apache_pid/stat") == Z ]]; }
apache_start() {
    # In a group of its own, as under chancery run.
    (as_nginx setsid apache2 -D FOREGROUND -d "$a" -f "$a/apache.conf" >> "$a.out" 2>&1 < /dev/null) &
    apache_pid=$!
    wait_for 20 apache_up
}
apache_up() { apache_gone || apache_answers; }
# The parent and those that it left, if it was killed: each by its own pid, if it is still one of this configuration.
apache_processes() {
    local p
    for p in /proc/[0-9]*; do
        if tr '\0' ' ' 2> /dev/null < "$p/cmdline" | grep -qF -- "-f $a/apache.conf"; then echo "${p#/proc/}"; fi
    done
}
apache_cleanup() {
    local p
    for p in $(apache_processes); do kill -KILL "$p" 2> /dev/null; done
    wait "$apache_pid" 2> /dev/null
    flow_cleanup
}
trap apache_cleanup EXIT
apache_begin() {
    local attempt
    install -d -m 0750 -o chancery-nginx -g chancery-nginx "$a"
    for ((attempt = 0; attempt < 5; attempt++)); do
        apache_configure
        apache_start
        if apache_answers; then break; fi
    done
    if ! apache_answers; then
        printf 'Bail out! Apache does not run\n'
        cat "$a.out" "$a/apache-error.log" | sed 's/^/# /'
        exit 1
    fi
}
