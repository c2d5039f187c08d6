#!/usr/bin/env bash
# The audit log: every deed has an entry, and what is done to the log afterwards is found: in a copy of the database an entry is changed, removed,
# inserted, re-sealed, the end cut off, as a superuser with triggers switched off could.
# shellcheck source=scep_lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/scep_lib.sh"
copy=audit_copy_${tag//-/_}
on_server() { psql -X -q -v ON_ERROR_STOP=1 "${CHANCERY_PGCONN/dbname=chancery/dbname=postgres}" -c "$1" 2> /dev/null; }
drop() { on_server "drop database if exists $copy with (force)"; }
trap 'drop; on_server "drop database if exists ${copy}_base with (force)"; flow_cleanup' EXIT

ok 'something to audit' chancery group add --name "audit-$tag" --kind devices
like 'it is listed, newest first' "$(chancery audit list --limit 5 --activity 'Create Group')" "audit-$tag"
like 'with its actor' "$(chancery --json audit list --limit 1 --activity 'Create Group')" '"actor": *"operator:[A-Za-z0-9._@-]+"'
all_sealed() { [[ $(owner_sql -c "select count(*) from chancery.audit a where not exists (select from chancery.audit_seal s where s.audit_id = a.audit_id)
    and a.activity <> 'Verify Audit'") == 0 && $(owner_sql -c 'select count(*) from chancery.audit_batch where signature is null') == 0 ]]; }
ok 'it is sealed and signed within seconds' wait_for 20 all_sealed
like 'audit verify' "$? $(chancery audit verify 2>&1)" '^0 the audit log verifies: [0-9]+ entries, [0-9]+ batches'
head=$(chancery audit head)
like 'audit head' "$head" '^[0-9]+:[0-9a-f]{64}:[0-9a-f]+$'
ok 'audit key' sh -c "$CHANCERY audit key > '$w/key.pem'"
ok '  it is a public key' openssl pkey -pubin -in "$w/key.pem" -noout
ok 'verify with head and key kept elsewhere' chancery audit verify --head "$head" --key "$w/key.pem"
printf '%s\n' "$head" > "$w/head"
ok 'verify with the head from a file' chancery audit verify --head "$w/head"
batch=${head%%:*} rest=${head#*:}
openssl genrsa -out "$w/other.key" 2048 2> /dev/null
openssl pkey -in "$w/other.key" -pubout -out "$w/other.pem"
refused 'verify with another key' chancery audit verify --key "$w/other.pem"
refused 'verify with a head of another batch' chancery audit verify --head "$((batch - 1)):$rest"
refused 'verify with a head that was changed' chancery audit verify --head "$batch:$(tr '0-9a-f' '1-9a-f0' <<< "${rest%%:*}"):${rest#*:}"
refused 'a head that is none' chancery audit verify --head "$batch:xyz:abc"

# ---- a copy, and a configuration for it ----

sed "s/dbname=chancery/dbname=$copy/" "${chancery_words[2]}" > "$w/copy.conf"
chmod 0644 "$w/copy.conf"
on_copy() { "${chancery_words[0]}" --config "$w/copy.conf" "$@"; }
copy_sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "${CHANCERY_PGCONN/dbname=chancery/dbname=$copy}" "$@"; }
# A dump does not need the database to be left alone, as a template would; the copies of the dump are made from such a template.
restore() {
    on_server "create database ${copy}_base" &&
        psql -X -q -v ON_ERROR_STOP=1 "${CHANCERY_PGCONN/dbname=chancery/dbname=${copy}_base}" -f "$w/dump" > /dev/null
}
renew() { drop && on_server "create database $copy template ${copy}_base"; }
dump=$(type -P pg_dump || echo /usr/lib/postgresql/15/bin/pg_dump)
# What has nothing to do with the log stays behind.
bulk=(certificate certificate_name authorization request public_key device delivery group_member crl_piece)
ok 'the database is copied' "$dump" "$CHANCERY_PGCONN" "${bulk[@]/#/--exclude-table-data=chancery.}" --exclude-table-data='chancery.certificate*' \
    --exclude-table-data='chancery.authorization*' -f "$w/dump"
ok '  and restored elsewhere' restore
ok '  and copied again' renew
like 'the copy verifies' "$(on_copy audit verify --head "$head" 2>&1)" '^the audit log verifies'

# found WHAT SQL WANTED [ARGUMENT ...]: the change is made in a transaction of its own, found, and taken back.
found() {
    local what=$1 sql=$2 wanted=$3
    shift 3
    ok "copy: $what" copy_sql -c 'begin' -c 'set session_replication_role = replica' -c "$sql" -c 'commit'
    on_copy audit verify "$@" > "$w/said" 2>&1
    like '  it is found' "$? $(cat "$w/said")" "^1 chancery: .*($wanted)"
    sed 's/^/# /' "$w/said"
    ok '  the copy is renewed' renew
}
# An entry in the middle: number, id.
read -r seq id < <(copy_sql -F ' ' -c 'select seq, audit_id from chancery.audit_seal order by seq offset (select count(*) / 2 from chancery.audit_seal) limit 1')
one="where audit_id = $id"
found 'an actor is changed' "update chancery.audit set actor = 'operator:other' $one" "entry $seq \\(audit id $id\\) was changed"
found 'an activity is changed' "update chancery.audit set activity = activity || '.' $one" "entry $seq \\(audit id $id\\) was changed"
found 'a detail is changed' "update chancery.audit set details = '{\"x\": 1}' $one" "entry $seq \\(audit id $id\\) was changed"
found 'a time is changed' "update chancery.audit set at = at + interval '1 microsecond' $one" "entry $seq \\(audit id $id\\) was changed"
found 'an entry and its sealed hash are changed' "update chancery.audit set actor = 'operator:other' $one; update chancery.audit_seal s set
    hash = sha256(chancery.audit_canonical(a)) from chancery.audit a where a.audit_id = s.audit_id and s.audit_id = $id" "batch [0-9]+ \\(entries [0-9]+ to [0-9]+\\) has another head"
found 'an entry is removed' "delete from chancery.audit $one" "entry $seq is missing: audit id $id is gone"
found 'an entry is removed with its seal' "delete from chancery.audit $one; delete from chancery.audit_seal $one" "entry $seq is missing"
found 'two entries change places' "update chancery.audit_seal set seq = 1000000000 $one; update chancery.audit_seal set seq = seq - 1 where seq = $seq + 1;
    update chancery.audit_seal set seq = $seq + 1 where seq = 1000000000" "(batch [0-9]+ .*has another head|entry $seq )"
found 'an old entry is inserted' "insert into chancery.audit (at, tenant_id, actor, activity, object_id, object_name) values (now() - interval '1 hour', 1,
    'operator:nobody', 'Create Group', '1', 'x')" 'audit id [0-9]+ .* is not sealed'
found 'an entry is inserted with a seal of its own' "with x as (insert into chancery.audit (tenant_id, actor, activity, object_id, object_name) values (1,
    'operator:nobody', 'Create Group', '1', 'x') returning *) insert into chancery.audit_seal select (select max(seq) + 1 from chancery.audit_seal), x.audit_id,
    sha256('x') from x" 'entry [0-9]+ stands behind the last batch'
found 'a batch is removed' "delete from chancery.audit_batch where batch = $((batch - 1))" "batch $((batch - 1)) is missing"
found 'a head is changed' "update chancery.audit_batch set head = sha256(head) where batch = $batch" "batch $batch .*has another head"
found 'a signature is changed' "update chancery.audit_batch set signature = set_byte(signature, 0, get_byte(signature, 0) # 1) where batch = $batch" "batch $batch .*: the signature of its head is wrong"
cut="delete from chancery.audit a using chancery.audit_seal s where s.audit_id = a.audit_id and s.seq >= (select first_seq from chancery.audit_batch
    where batch = $batch); delete from chancery.audit_seal where seq >= (select first_seq from chancery.audit_batch where batch = $batch);
    delete from chancery.audit_batch where batch >= $batch"
found 'the end is cut off, and a head is kept elsewhere' "$cut; delete from chancery.audit a where not exists (select from chancery.audit_seal s where
    s.audit_id = a.audit_id)" "entries were cut off: .* the head kept is of batch $batch" --head "$head"
# Everything sealed anew by somebody who has the database, but not the signer's key.
found 'the chain is made anew from a changed entry on' "update chancery.audit set actor = 'operator:other' $one; update chancery.audit_seal s set
    hash = sha256(chancery.audit_canonical(a)) from chancery.audit a where a.audit_id = s.audit_id and s.audit_id = $id;
    do \$\$ declare b chancery.audit_batch; previous bytea := ''; begin for b in select * from chancery.audit_batch order by batch loop
    previous := chancery.audit_head(previous, b.batch, b.first_seq, b.last_seq, (select string_agg(s.hash, ''::bytea order by s.seq) from
    chancery.audit_seal s where s.seq between b.first_seq and b.last_seq)); update chancery.audit_batch x set head = previous where x.batch = b.batch;
    end loop; end \$\$" 'batch [0-9]+ .*: the signature of its head is wrong'
openssl pkey -pubin -in "$w/other.pem" -outform DER -out "$w/other.der"
found 'the audit key is exchanged' "update chancery.key set spki = '\\x$(od -An -v -tx1 "$w/other.der" | tr -d ' \n')' where purpose = 'audit'" 'the signature of its head is wrong'
like 'the copy as it was verifies again' "$(on_copy audit verify --head "$head" --key "$w/key.pem" 2>&1)" '^the audit log verifies'
finish
