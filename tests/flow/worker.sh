#!/usr/bin/env bash
# A worker that dies is replaced, its program stays, and who enrols next is served: each worker of the signer's lanes and of the responder in turn.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
profile=worker-$tag
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}}'
ok 'GetCACert' scep_ca "$CHANCERY_SCEP_URL" ca
# The children of a program, whatever has become of others in between; a dead one that nobody has waited for yet is none.
children() { ps -o pid=,stat= --ppid "$(pid_of "$1")" | awk '$2 !~ /^Z/ { print $1 }' | sort; }
complete() { [[ $(children "$1" | wc -l) == "$2" ]] && ! children "$1" | grep -qx "$3"; }

for program in signer scep; do
    main=$(pid_of "$program")
    mapfile -t workers < <(children "$program")
    ok "$program has workers" test "${#workers[@]}" -gt 1
    for worker in "${workers[@]}"; do
        kill -KILL "$worker"
        ok "$program: a killed worker is replaced" wait_for 10 complete "$program" "${#workers[@]}" "$worker"
    done
    is "$program itself was not restarted" "$(pid_of "$program")" "$main"
    ok "$program: the deaths are in the log" grep -q 'event=worker-died' "$CHANCERY_DIR/log/$program.log"
    ok "$program: the next device enrols" flow_enrol "$profile" "$program-$tag"
done
finish
