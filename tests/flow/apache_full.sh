#!/usr/bin/env bash
# The scripts of renewal, approval, look-ups and real clients once more, through Apache.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
# shellcheck source=apache_lib.sh
source "$flow_dir/apache_lib.sh"
apache_begin
for name in CHANCERY_HTTP_URL CHANCERY_HTTPS_URL CHANCERY_SCEP_URL; do printf '%s=%q\n' "$name" "${!name}"; done > "$w/front"
through_apache() { CHANCERY_FRONT=$w/front bash "$flow_dir/$1.sh" < /dev/null; }
# report NAME: its lines, as this script's own.
report() {
    local line last=
    while read -r line; do
        last=$line
        case $line in
        'ok '*) pass "$1: ${line#ok * - }" ;;
        'not ok '*) fail "$1: ${line#not ok * - }" ;;
        \#*) printf '%s\n' "$line" ;;
        esac
    done < "$w/$1.log"
    like "$1: came to its end" "$last" '^1\.\.[1-9]'
}
# At the same time: each has devices and profiles of its own.
scripts=(clients clients_renew renew approval look_up)
pids=()
for script in "${scripts[@]}"; do
    through_apache "$script" > "$w/$script.log" 2>&1 &
    pids+=($!)
done
wait "${pids[@]}"
for script in "${scripts[@]}"; do report "$script"; done
like 'messages went through Apache' "$(grep -c 'POST "/scep/' "$a/apache-access.log")" '^[0-9]{3,}$'
refused 'nothing is wrong by its own word' grep -E ':(emerg|alert|crit|error)\]' "$a/apache-error.log"
finish
