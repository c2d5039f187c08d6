#!/usr/bin/env bash
# quickstart and the supervisor: what quickstart refuses, again on what runs, stop, start with the same data, a killed supervisor.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
# The tree that built it, and its flags: another would be a new build.
read -r src flags < "$CHANCERY_DIR/build/.configured"
export CHANCERY_CONFIGURE_FLAGS=${flags:-}
quickstart() { "$src/quickstart" "$@"; }
port=${CHANCERY_HTTP_URL##*:}

# ---- refusals: "OBJECT: found ...; wanted ..." and nothing done ----

# not_made WHY WANTED ARGUMENT ...
not_made() {
    local why=$1 wanted=$2
    shift 2
    quickstart "$@" > "$w/said" 2>&1
    like "quickstart refuses $why" "$? $(cat "$w/said")" "^1 quickstart: .*$wanted.*: found .*; wanted "
}
mkdir -m 0755 "$w/open" "$w/other"
mkdir -m 0700 "$w/closed"
touch "$w/other/file" "$w/file"
not_made 'a folder that others cannot enter' "$w/closed" --dir "$w/closed/chancery"
not_made 'a folder below such a one' "$w/closed" --dir "$w/closed/more/chancery"
not_made 'a name that is too long for a socket' "$w/open/0*" --dir "$w/open/$(printf '%0100d' 0)"
not_made 'a folder with something else in it' "$w/other" --dir "$w/other"
not_made 'a file' "$w/file" --dir "$w/file"
not_made 'a name with a space' '--dir' --dir "$w/open/a b"
not_made 'a name with a quote' '--dir' --dir "$w/open/a'b"
not_made 'an empty name' '--dir' --dir ''
not_made 'no name' '--dir' --dir
not_made 'a port that is in use' "127.0.0.1:$port" --dir "$w/open/c" --port-base "$port"
not_made 'a port that is none' '--port-base' --port-base http
not_made 'a port below 1024' '--port-base' --port-base 80
not_made 'an unknown word' 'argument' --help-me
not_made 'to stop what it did not make' "$w/other" stop --dir "$w/other"
is 'nothing was made of that' "$(find "$w/open" "$w/closed" -mindepth 1)" ''

# ---- again on what runs ----

pids() { cat "$CHANCERY_DIR/run/pids"; }
counts() { owner_sql -c "select (select count(*) from chancery.ca) || ' CAs, ' || (select count(*) from chancery.device) || ' devices, ' ||
    (select count(*) from chancery.profile) || ' profiles, ' || (select count(*) from chancery.key) || ' keys'"; }
profile=supervise-$tag d=supervise-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'the certificates' scep_ca "$CHANCERY_SCEP_URL" ca
ok 'a device' flow_device "$d"
new_key base
say "$CHANCERY_SCEP_URL" cn="$d" o=- challenge="$(challenge "$profile" "$d")"
is 'a certificate' "$answer" '0 - -'
cp "$w/out.pem" "$w/first.pem"
cp "$w/message" "$w/first.message"
before_pids=$(pids) before_counts=$(counts)
cp "$CHANCERY_DIR/run/env" "$w/env"
quickstart --dir "$CHANCERY_DIR" > "$w/said" 2>&1
is 'quickstart again' $? 0
like '  it says that nothing changed' "$(cat "$w/said")" 'nothing changed'
like '  and goes through the main job again' "$(cat "$w/said")" 'certificate revoked'
is '  the same processes' "$(pids)" "$before_pids"
is '  nothing was made twice' "$(counts)" "$before_counts"
ok '  the same environment' cmp "$CHANCERY_DIR/run/env" "$w/env"
chancery run > "$w/said" 2>&1
like 'a second supervisor is refused' "$? $(cat "$w/said")" '^1 .*another supervisor'
is '  which disturbs nothing' "$(pids)" "$before_pids"

# ---- stop, and start again ----

# Not one of ours, though a file says so.
sleep 300 &
stranger=$!
is_gone() { [[ ! -e /proc/$1 || $(sed 's/.*) //' "/proc/$1/stat" 2> /dev/null) == [ZX]* ]]; }
quickstart stop --dir "$CHANCERY_DIR" > "$w/said" 2>&1
is 'quickstart stop' $? 0
left=
for word in $before_pids; do if ! is_gone "${word#*=}"; then left+="$word "; fi; done
is '  every process is gone' "$left" ''
is '  no socket is left' "$(find "$CHANCERY_DIR/run" -type s)" ''
refused '  the port is free' curl -s --max-time 2 "$CHANCERY_HTTP_URL"
quickstart stop --dir "$CHANCERY_DIR" > "$w/said" 2>&1
like '  a second time: nothing runs' "$? $(cat "$w/said")" '^0 .*Nothing runs'
printf 'run=%d signer=%d\n' $stranger $stranger > "$CHANCERY_DIR/run/pids"
quickstart stop --dir "$CHANCERY_DIR" > "$w/said" 2>&1
like '  process ids of somebody else: nothing runs' "$? $(cat "$w/said")" '^0 .*Nothing runs'
ok '  and the stranger lives' kill -0 $stranger
kill $stranger
refused '  nothing is reached while it is stopped' chancery status
quickstart --dir "$CHANCERY_DIR" > "$w/said" 2>&1
is 'quickstart starts it again' $? 0
is '  with the same data' "$(counts)" "$before_counts"
ok '  and the same environment' cmp "$CHANCERY_DIR/run/env" "$w/env"
# again WHAT: the request from before all that.
again() {
    open_answer "$(post "$CHANCERY_SCEP_URL" "$w/first.message" "$w/reply")" "$w/reply" "$w/base.key" "$w/ca.1.pem"
    is "$1: a request from before" "$answer" '0 - -'
    ok '  has the same certificate' cmp "$w/out.pem" "$w/first.pem"
}
again 'started again'

# ---- the supervisor killed ----

before_pids=$(pids)
kill -9 "$(pid_of run)"
all_gone() {
    local word
    for word in $before_pids; do is_gone "${word#*=}" || return 1; done
}
ok 'the supervisor is killed: every program ends' wait_for 20 all_gone
quickstart --dir "$CHANCERY_DIR" > "$w/said" 2>&1
is 'quickstart starts it again' $? 0
again 'after a killed supervisor'
for name in postgres signer scep publisher nginx; do
    is "$name runs as its own user" "$(stat -c %U "/proc/$(pid_of $name)")" "chancery-$name"
    like '  without new privileges' "$(cat "/proc/$(pid_of $name)/status")" $'NoNewPrivs:\t1'
    like '  without core dumps' "$(cat "/proc/$(pid_of $name)/limits")" 'Max core file size +0 +0'
done
ok 'the audit log verifies' wait_for 20 chancery audit verify
finish
