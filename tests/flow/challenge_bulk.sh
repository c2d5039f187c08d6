#!/usr/bin/env bash
# Twenty thousand devices: imported, a challenge for each; the form of the lines; what is said where a subject cannot be made.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
devices=20000
flow_tool scep_client scep_open
profile=bulk-$tag
# A group of its own: what else runs meanwhile is not to resolve these devices.
flow_objects
ok 'a profile' flow_profile "$profile" --subject 'CN={{DeviceName}},SERIALNUMBER={{SerialNumber}},O=Flow' --san 'dns:{{DeviceName}}.example.org'
# The signer's plans are those of few devices, as on a new system that nobody has analysed yet.
analysing() { owner_sql -c "alter table chancery.device $1 (autovacuum_enabled${2:-})" -c "alter table chancery.delivery $1 (autovacuum_enabled${2:-})"; }
trap 'analysing reset; flow_cleanup' EXIT
analysing set ' = off'
ok 'a device' flow_device "few-$tag" --serial SN0
for ((i = 0; i < 20; i++)); do challenge "$profile" "few-$tag" > /dev/null; done
chancery group remove-member "$flow_group" --device "few-$tag"
awk -v n=$devices -v tag="$tag" 'BEGIN { print "name,platform,serial"; for (i = 1; i <= n; i++) printf "bulk%05d-%s,linux,SN%d\n", i, tag, i }' > "$w/devices.csv"
timed() {
    local from
    from=$(date +%s%N)
    "$@"
    status=$?
    took=$((($(date +%s%N) - from) / 1000000))
}
timed chancery device import "$w/devices.csv" --group "$flow_group" > "$w/imported"
is "$devices devices are imported ($took ms)" "$(cat "$w/imported")" $devices
ok '  in less than two minutes' test $took -lt 120000
timed chancery challenge create --profile "$profile" --all > "$w/challenges" 2> "$w/said"
is "challenges for all of them ($took ms)" "$status $(wc -l < "$w/challenges") $(wc -l < "$w/said")" "0 $devices 0"
ok '  in less than two minutes' test $took -lt 120000
is 'each line is device, subject, challenge' "$(grep -c -P "^bulk\d{5}-$tag\t[^\t]+\t[A-Za-z0-9+/=]{40,255}$" "$w/challenges")" $devices
is 'each device once, in order' "$(cut -f 1 "$w/challenges")" "$(tail -n +2 "$w/devices.csv" | cut -d , -f 1)"
is 'each challenge is another' "$(cut -f 3 "$w/challenges" | sort -u | wc -l)" $devices
like 'the subject is the device'\''s' "$(sed -n 7p "$w/challenges" | cut -f 2)" "CN=bulk00007-$tag"
ok 'the certificates' scep_ca "$CHANCERY_SCEP_URL" ca
for n in 1 10000 $devices; do
    IFS=$'\t' read -r device _ challenge < <(sed -n "${n}p" "$w/challenges")
    new_key "$device"
    say "$CHANCERY_SCEP_URL" csr=tool key="$device" cn="$device" o=Flow serial="SN$n" challenge="$challenge"
    is "device $n enrols" "$answer" '0 - -'
done
out=$(chancery --json challenge create --profile "$profile" --device "$device")
like 'as JSON' "$out" "^\[.*\"device_id\": *[0-9]+.*\"device\": *\"$device\".*\"subject\": *\".*SN$n.*\".*\"challenge\": *\"[A-Za-z0-9+/=]+\""
like 'by id' "$(chancery challenge create --profile "$profile" --device "$(sed -n 's/.*"device_id": *\([0-9]*\).*/\1/p' <<< "$out")")" "^$device"$'\t'

# ---- where there is no subject ----

ok 'a device without serial number' flow_device "none-$tag"
chancery challenge create --profile "$profile" --device "none-$tag" > "$w/out" 2> "$w/said"
like 'no challenge for it' "$? $(cat "$w/out")" '^1 $'
like '  device and variable are named' "$(cat "$w/said")" "^chancery: device none-$tag( \\([0-9]+\\))?: .*[Ss]erial_?[Nn]umber"
timed chancery challenge create --profile "$profile" --all > "$w/challenges" 2> "$w/said"
is 'for all: the others get theirs, and the end says so' "$status $(wc -l < "$w/challenges") $(grep -c "device none-$tag.*:" "$w/said")" "1 $devices 1"
chancery --json challenge create --profile "$profile" --device "none-$tag" > "$w/out" 2> "$w/said"
like 'as JSON: an empty list' "$? $(tr -d ' \n' < "$w/out")" '^1 (\[\])?$'
ok 'a device of nobody' chancery device add --name "alone-$tag" --platform linux
refused 'no challenge for a device that the profile is not delivered to' chancery challenge create --profile "$profile" --device "alone-$tag"
refused 'nor for one that does not exist' chancery challenge create --profile "$profile" --device "nobody-$tag"
refused 'nor of a profile that does not exist' chancery challenge create --profile "nobody-$tag" --all
refused 'nor for neither a device nor all' chancery challenge create --profile "$profile"
refused 'nor for both' chancery challenge create --profile "$profile" --device "$device" --all
ok 'a device of another platform' chancery device add --name "mac-$tag" --platform macos --serial 1 --group "$flow_group"
refused 'no challenge for another platform' chancery challenge create --profile "$profile" --device "mac-$tag"
timed chancery profile delete "$profile"
is "the profile is deleted ($took ms)" "$status" 0
finish
