#!/usr/bin/env bash
# The algorithm levels of a profile: every row of algorithm_levels on every level, judged once the challenge has opened; and what is answered.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
flow_tool scep_client scep_open
flow_objects
url=$CHANCERY_SCEP_URL
levels=(modern compatible legacy)
for level in "${levels[@]}"; do
    ok "a profile: $level" flow_profile "$level-$tag" --subject 'CN={{DeviceName}}' --algorithms "$level"
done
ok 'a profile without a word' flow_profile "silent-$tag" --subject 'CN={{DeviceName}}'
like '  is compatible' "$(chancery profile show "silent-$tag")" 'algorithms  *compatible'
ok 'the CA'\''s certificates' scep_ca "$url" ca
new_key small 1024
grep -v -e '^#' -e '^$' "$flow_dir/algorithm_levels" > "$w/levels"
rows=$(wc -l < "$w/levels")
{
    printf 'name,platform\n'
    for ((i = 1; i <= rows; i++)); do printf 'alg%d-%s,linux\n' "$i" "$tag"; done
} > "$w/devices.csv"
ok 'devices' chancery device import "$w/devices.csv" --group "$flow_group"
for level in "${levels[@]}"; do chancery challenge create --profile "$level-$tag" --all > "$w/challenges.$level"; done
challenge_for() { awk -F '\t' -v d="$2" '$1 == d { print $3 }' "$w/challenges.$1"; }
n=0
while IFS='|' read -r what row wanted_modern wanted_compatible wanted_legacy; do
    n=$((n + 1))
    d=alg$n-$tag
    read -r what <<< "$what"
    read -ra words <<< "$row"
    for level in "${levels[@]}"; do
        wanted=wanted_$level
        read -r wanted <<< "${!wanted}"
        # A key for each level and row: one key is for one challenge.
        new_key "$level.$n"
        say "$url" key="$level.$n" cn="$d" o=- challenge="$(challenge_for "$level" "$d")" "${words[@]}"
        is "$level: $what" "$answer" "${wanted/#yes/0 - -}"
        if [[ $wanted == '2 0'* ]]; then like '  audited with both values' "$(audited)" '^AlgorithmNotAllowed (digest|request_digest|cipher|key_transport)$'; fi
    done
done < "$w/levels"

# ---- the answer is no weaker than AES-128 and SHA-1, but for a device that the URL calls old ----

d=answer-$tag
ok 'a device' flow_device "$d"
new_key answer
say "$url" key=answer cn="$d" o=- challenge="$(challenge "legacy-$tag" "$d")" cipher=des digest=md5
is 'single DES and MD5: answered in AES-128 and SHA-256' "$answer $(said digest) $(said cipher)" '0 - - SHA256 AES-128-CBC'
new_key answer2
say "$url/p/legacy" key=answer2 cn="$d" o=- challenge="$(challenge "legacy-$tag" "$d")" cipher=des digest=md5
is 'to the variant legacy: in single DES and SHA-1' "$answer $(said digest) $(said cipher)" '0 - - SHA1 DES-CBC'
like 'the certificate is SHA-2 all the same' "$(openssl x509 -in "$w/out.pem" -noout -text)" 'Signature Algorithm: sha(256|384|512)WithRSA'
finish
