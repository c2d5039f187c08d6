#!/usr/bin/env bash
# What the database decides about time: clocks in doubt, leases, when a CRL is due, when an expired entry may go. Everything is rolled back.
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
# shellcheck source=../tap.sh
source ../tap.sh
use_system
# sql STATEMENT...: in one transaction that is rolled back; prints the last statement's value.
sql() {
    local arguments=() s
    for s in "$@"; do arguments+=(-c "$s"); done
    psql -X -q -A -t -v ON_ERROR_STOP=1 "$CHANCERY_PGCONN" -c BEGIN "${arguments[@]}" -c ROLLBACK 2>&1 | grep -v '^CONTEXT:\|^PL/pgSQL\|^SQL statement' | tail -n 1
}
tick() { printf "SELECT doubted FROM chancery.publisher_tick('h', '%s', '2030-01-01 00:00:00+00'::timestamptz + interval '%s', %d)" "$1" "$2" "$3"; }

while IFS='|' read -r wanted boot wall mono why; do
    is "clock:$why" "$(sql "$(tick a '0 s' 1000)" "$(tick "$boot" "$wall" "$mono")")" "${wanted// /}"
done <<'CASES'
f |a|10 s|11000| both clocks went on alike
f |a|60 s|1000| a minute is forgiven
t |a|62 s|1000| more is not: the wall clock outran the monotonic one
t |a|1 hour|11000| an hour forward
t |a|1 year|11000| a year forward
f |a|-1 hour|11000| backward undoes nothing that cannot be undone
f |b|6 days|5| after a reboot the monotonic clock begins anew: a week of absence is believed
t |b|8 days|5| more is asked about
CASES
is "clock: doubt stays until an operator confirms" "$(sql "$(tick a '0 s' 1000)" "$(tick a '1 year' 2000)" "$(tick a '1 year 10 s' 12000)")" t
is "clock: the operator ends it" "$(sql "$(tick a '0 s' 1000)" "$(tick a '1 year' 2000)" "SELECT chancery.op_clock_confirm(1, 'root')" "SELECT settled IS NULL FROM chancery.clock_doubt")" t

is "lease: one holder" "$(sql "UPDATE chancery.lease SET until = '-infinity'" "SELECT chancery.publisher_lease('upkeep', 'a', 60)" "SELECT chancery.publisher_lease('upkeep', 'b', 60)")" f
is "lease: the holder prolongs it" "$(sql "UPDATE chancery.lease SET until = '-infinity'" "SELECT chancery.publisher_lease('upkeep', 'a', 60)" "SELECT chancery.publisher_lease('upkeep', 'a', 60)")" t
is "lease: it expires by itself" "$(sql "UPDATE chancery.lease SET holder = 'a', until = now() - interval '1 s'" "SELECT chancery.publisher_lease('upkeep', 'b', 60)")" t

version=$(owner_sql -c "SELECT min(ca_version_id) FROM chancery.crl_state")
idle="UPDATE chancery.crl_state SET lease_until = '-infinity', retry_at = '-infinity', this_update = now(), built_at = now() - interval '1 hour', number = 1"
quiet="UPDATE chancery.revocation_event SET crl_number = 1 WHERE crl_number IS NULL"
event="INSERT INTO chancery.revocation_event (tenant_id, ca_version_id, crl_shard, serial, action, reason, actor) VALUES (1, $version, 0, '\\x01', 'revoke', 1, 'test')"
claim="SELECT count(*) FROM chancery.publisher_crl_claim('test', 60, '3 days 12 hours')"
while IFS='|' read -r wanted change why; do
    is "CRL due:$why" "$(sql "$quiet" "$idle" "${change//:event/$event}" "$claim")" "${wanted// /}"
done <<'CASES'
0 |SELECT 1| nothing is
1 |UPDATE chancery.crl_state SET number = 0 WHERE crl_shard = 0| there is none yet
1 |UPDATE chancery.crl_state SET this_update = now() - interval '3 days 12 hours 1 second'| half of its life is over
0 |UPDATE chancery.crl_state SET this_update = now() - interval '3 days 11 hours'| not before
1 |:event| a revocation waits
0 |:event; UPDATE chancery.crl_state SET built_at = now()| but a second lies between two builds at least
0 |:event; UPDATE chancery.crl_state SET built_at = now() - interval '8 s', build_ms = 2000| and as long as five builds take
1 |:event; UPDATE chancery.crl_state SET built_at = now() - interval '11 s', build_ms = 2000| then it is due
0 |:event; UPDATE chancery.crl_state SET lease_until = now() + interval '10 s'| while somebody builds, nobody else does
0 |:event; UPDATE chancery.crl_state SET retry_at = now() + interval '10 s'| after a failure it waits
CASES

begin="SELECT drop_before FROM chancery.signer_crl_begin($version, 0, interval '7 days')"
leased="UPDATE chancery.crl_state SET lease_until = now() + interval '1 minute'"
is "entries go only after a CRL published past their end: none was" "$(sql "$leased, this_update = NULL" "$begin")" "-infinity"
is "entries up to the last published thisUpdate may go" "$(sql "SET timezone = 'UTC'" "$leased, this_update = '2026-01-01 00:00:00+00'" "$begin")" "2026-01-01 00:00:00+00"
is "never on the word of a clock in doubt" "$(sql "SET timezone = 'UTC'" "UPDATE chancery.clock_doubt SET settled = '2025-06-01 00:00:00+00'" "$leased, this_update = '2026-01-01 00:00:00+00'" "$begin")" "2025-06-01 00:00:00+00"
is "a build without a lease is refused" "$(sql "UPDATE chancery.crl_state SET lease_until = '-infinity'" "$begin" | grep -c 'nobody holds its lease')" 1
is "numbers rise also when the clock went back" "$(sql "$leased, number = 99999999999" "SELECT number FROM chancery.signer_crl_begin($version, 0, interval '7 days')")" 100000000000
is "a build marks the waiting events with its number" "$(sql "$quiet" "$leased, number = 99999999999" "$event" "SELECT 1 FROM chancery.signer_crl_begin($version, 0, interval '7 days')" "SELECT count(*) FROM chancery.revocation_event WHERE crl_number = 100000000000")" 1
is "a number that does not rise is refused" "$(sql "$leased, number = 7" "SELECT chancery.signer_crl_finish($version, 0, 7, now(), now(), 0, 1, sha256(''), 1, 1)" | grep -c 'wanted above 7')" 1
finish
