#!/usr/bin/env bash
# Configuration and secrets that are refused (table bad_conf), with file, line and reason, and by every program before it does anything.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
conf=$CHANCERY_DIR/etc/chancery/chancery.conf
sbin=$(dirname "$(dirname "${chancery_words[0]}")")/sbin
# A copy whose sockets and folders are of no use to anybody: a program that should start after all must not disturb those that run.
sed "s|= $CHANCERY_DIR/run|= $w/run|; s|= $CHANCERY_DIR/secrets|= $w/secrets|; s|= $CHANCERY_DIR/www|= $w/www|; s|= $CHANCERY_DIR/spool|= $w/spool|" "$conf" > "$w/good.conf"
mkdir -p "$w/run/signer" "$w/run/scep" "$w/www" "$w/spool" "$w/secrets"
for name in signer root scep publisher; do
    user=chancery-${name/root/signer}
    install -o "$user" -m 0400 "$CHANCERY_DIR/secrets/$name.conf" "$w/secrets/$name.conf"
done
chown chancery-signer "$w/run/signer" "$w/spool"
chown chancery-scep "$w/run/scep"

# start PROGRAM CONF: as its user; what it says is in $w/said. 124: it ran on.
start() {
    if [[ $1 == chancery ]]; then
        timeout 10 "${chancery_words[0]}" --config "$2" ca list
    else
        timeout 10 setpriv --reuid "chancery-$1" --regid "chancery-$1" --init-groups "$sbin/chancery-$1" --config "$2"
    fi > "$w/said" 2>&1
}
programs=(signer scep publisher chancery)
while IFS='|' read -r why line says; do
    why=$(sed 's/ *$//' <<< "$why") line=$(sed 's/^ //; s/ $//' <<< "$line") says=$(sed 's/^ *//; s/ *$//' <<< "$says")
    if [[ -z $why || $why == \#* ]]; then continue; fi
    if [[ $line =~ @([0-9]+) ]]; then line=${line/"${BASH_REMATCH[0]}"/$(printf "%0${BASH_REMATCH[1]}d" 0)}; fi
    key=${line%% *}
    if [[ $why == *twice || $key == program ]]; then
        cp "$w/good.conf" "$w/bad.conf"
    else
        grep -v "^$key " "$w/good.conf" > "$w/bad.conf"
    fi
    printf '%b\n' "$line" >> "$w/bad.conf"
    at=$(wc -l < "$w/bad.conf")
    printf '# the end\n' >> "$w/bad.conf"
    # The programs share the reader: one of them says it for each line, all of them for the first.
    for program in "${programs[@]}"; do
        start "$program" "$w/bad.conf"
        like "chancery.conf: $why: $program does not start" "$? $(cat "$w/said")" "^[12] .*$w/bad\.conf:$at: .*$(sed 's/"/\\\\*"/g' <<< "$says")"
    done
    programs=(chancery)
done < "$flow_dir/bad_conf"
grep -v '^public_fqdn' "$w/good.conf" > "$w/bad.conf"
start chancery "$w/bad.conf"
like 'chancery.conf: a key that is needed is missing' "$? $(cat "$w/said")" "^1 .*bad\.conf:[0-9]+: .*public_fqdn"
start chancery "$w/nothing.conf"
like 'chancery.conf: no such file' "$? $(cat "$w/said")" '^1 .*nothing\.conf'
start chancery "$w"
like 'chancery.conf: a folder' "$? $(cat "$w/said")" '^1 '
head -c 70000 /dev/zero | tr '\0' '#' | fold -w 70 > "$w/bad.conf"
start chancery "$w/bad.conf"
like 'chancery.conf: larger than a configuration can be' "$? $(cat "$w/said")" '^1 .*bad\.conf'

# ---- secrets ----

# secret WHY PROGRAM WANTED: with $w/secrets as it is now.
secret() {
    start "$2" "$w/good.conf"
    like "secrets: $1: $2 does not start" "$? $(cat "$w/said")" "^1 .*$3"
}
for name in signer scep publisher; do
    chmod 0444 "$w/secrets/$name.conf"
    secret 'readable by others' "$name" "secrets/$name\.conf:"
    chmod 0604 "$w/secrets/$name.conf"
    secret 'readable by others but not by the group' "$name" "secrets/$name\.conf:"
    chmod 0400 "$w/secrets/$name.conf"
done
chmod 0444 "$w/secrets/root.conf"
secret 'the roots'\'' file readable by others' signer 'secrets/root\.conf:'
chmod 0400 "$w/secrets/root.conf"
echo 'colour = blue' >> "$w/secrets/scep.conf"
secret 'an unknown key' scep "secrets/scep\.conf:2: unknown key"
: > "$w/secrets/scep.conf"
secret 'no passphrase' scep 'passphrase|missing'
rm "$w/secrets/scep.conf"
secret 'no file' scep 'secrets/scep\.conf'
ln -s /dev/null "$w/secrets/scep.conf"
secret 'a device' scep 'secrets/scep\.conf'
: > "$w/secrets/root.conf"
secret 'no passphrase for roots' signer 'root_passphrase|missing'
chown chancery-scep "$w/secrets/signer.conf"
secret 'of another user' signer 'secrets/signer\.conf'
is 'none of that was left listening' "$(find "$w/run" -type s)" ''
refused 'and none of the secrets was logged' grep -rqF "$(sed -n 's/^ca_passphrase = //p' "$CHANCERY_DIR/secrets/signer.conf")" "$CHANCERY_DIR/log"

# ---- what the running system's files are ----

for name in signer root scep publisher; do
    is "secrets/$name.conf: of one user, for nobody else" "$(stat -c '%a %U' "$CHANCERY_DIR/secrets/$name.conf")" "400 chancery-${name/root/signer}"
done
refused 'chancery.conf holds no passphrase' grep -qi 'passphrase *=\|password *=' "$conf"
ok 'what runs still runs' chancery status
finish
