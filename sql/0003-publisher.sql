-- Chancery, migration 3: what the publisher may call: CRLs that are due, files to write, the audit log's sealing, timed work.

-- ------------------------------------------------------------------------------------------------------------------------- clocks

CREATE FUNCTION chancery.publisher_tick(p_host text, p_boot text, p_wall timestamptz, p_monotonic_ms bigint)
RETURNS TABLE (doubted boolean, detail text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last chancery.clock_tick;
    outrun interval;
BEGIN
    SELECT * INTO last FROM chancery.clock_tick t WHERE t.host = p_host;
    IF FOUND THEN
        -- After a reboot the monotonic clock begins anew: a week of absence is believed, more is asked about.
        outrun := CASE WHEN last.boot = p_boot
                       THEN (p_wall - last.wall) - make_interval(secs => (p_monotonic_ms - last.monotonic_ms) / 1000.0)
                       ELSE (p_wall - last.wall) - interval '7 days' END;
        IF outrun > interval '60 seconds' THEN
            UPDATE chancery.clock_doubt d SET settled = last.wall, noted_at = clock_timestamp(),
                detail = format('host %s: the wall clock went from %s to %s, %s ahead of the monotonic clock', p_host, last.wall, p_wall, outrun)
            WHERE d.settled IS NULL;
            IF FOUND THEN
                PERFORM chancery.audit_add(1, 'system:publisher', 'Doubt Clock', p_host, p_host, jsonb_build_object('from', last.wall, 'to', p_wall));
            END IF;
        END IF;
    END IF;
    INSERT INTO chancery.clock_tick VALUES (p_host, p_boot, p_wall, p_monotonic_ms)
    ON CONFLICT (host) DO UPDATE SET boot = excluded.boot, wall = excluded.wall, monotonic_ms = excluded.monotonic_ms;
    RETURN QUERY SELECT d.settled IS NOT NULL, d.detail FROM chancery.clock_doubt d;
END $$;
COMMENT ON FUNCTION chancery.publisher_tick IS 'Stores a host''s two clocks and says whether time is in doubt.';

-- ------------------------------------------------------------------------------------------------------------------------- leases

CREATE FUNCTION chancery.publisher_lease(p_name text, p_holder text, p_seconds int)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chancery.lease l SET holder = p_holder, until = clock_timestamp() + make_interval(secs => least(greatest(p_seconds, 1), 3600))
    WHERE l.name = p_name AND (l.holder = p_holder OR NOT l.until BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 hour');
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION chancery.publisher_lease IS 'Takes or prolongs a lease; false while another holds it.';

-- --------------------------------------------------------------------------------------------------------------------------- CRLs

-- A CRL is due when there is none, when half its life is over, or when a revocation waits; after a build the next waits as long as
-- five builds take, between a second and a minute, so that many revocations make one build. A decoded certificate's own end stops it.
CREATE FUNCTION chancery.publisher_crl_claim(p_holder text, p_seconds int, p_refresh interval)
RETURNS TABLE (ca_version_id int, crl_shard int, number bigint, waiting boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s record;
BEGIN
    FOR s IN
        SELECT c.ca_version_id, c.crl_shard, c.tenant_id, c.number,
               EXISTS (SELECT FROM chancery.revocation_event e
                       WHERE e.ca_version_id = c.ca_version_id AND e.crl_shard = c.crl_shard AND e.crl_number IS NULL) AS waiting
        FROM chancery.crl_state c
        -- What a clock that ran ahead left behind (a lease, a wait, a build in the future) holds nothing up.
        WHERE NOT c.lease_until BETWEEN clock_timestamp() AND clock_timestamp() + interval '1 hour'
          AND NOT c.retry_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 minutes'
          AND (c.number = 0 OR NOT c.this_update BETWEEN clock_timestamp() - p_refresh AND clock_timestamp() + interval '1 minute'
               OR (NOT c.built_at BETWEEN clock_timestamp() - make_interval(secs => least(greatest(1.0, c.build_ms * 5 / 1000.0), 60.0)) AND clock_timestamp()
                   AND EXISTS (SELECT FROM chancery.revocation_event e
                               WHERE e.ca_version_id = c.ca_version_id AND e.crl_shard = c.crl_shard AND e.crl_number IS NULL)))
        ORDER BY c.this_update NULLS FIRST FOR UPDATE OF c SKIP LOCKED
    LOOP
        PERFORM set_config('chancery.tenant', s.tenant_id::text, true);
        CONTINUE WHEN NOT EXISTS (SELECT FROM chancery.ca_version v WHERE v.ca_version_id = s.ca_version_id AND v.tenant_id = s.tenant_id
                                  AND v.certificate IS NOT NULL AND v.not_after > clock_timestamp());
        UPDATE chancery.crl_state c SET lease_holder = p_holder, lease_until = clock_timestamp() + make_interval(secs => least(greatest(p_seconds, 5), 3600))
        WHERE c.ca_version_id = s.ca_version_id AND c.crl_shard = s.crl_shard;
        RETURN QUERY SELECT s.ca_version_id, s.crl_shard, s.number, s.waiting;
        RETURN;
    END LOOP;
END $$;
COMMENT ON FUNCTION chancery.publisher_crl_claim IS 'Leases one CRL that is due, or returns no row.';

CREATE FUNCTION chancery.publisher_crl_failed(p_ca_version int, p_shard int, p_holder text, p_retry_seconds int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chancery.crl_state c SET lease_holder = NULL, lease_until = '-infinity',
        retry_at = clock_timestamp() + make_interval(secs => least(greatest(p_retry_seconds, 0), 300))
    WHERE c.ca_version_id = p_ca_version AND c.crl_shard = p_shard AND c.lease_holder = p_holder;
END $$;
COMMENT ON FUNCTION chancery.publisher_crl_failed IS 'Gives a lease back after a failed build.';

CREATE FUNCTION chancery.publisher_crl_current()
RETURNS TABLE (ca_version_id int, crl_shard int, path text, number bigint, pieces int, size bigint, sha256 bytea, next_update timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT c.ca_version_id, c.crl_shard, c.path, c.number, c.pieces, c.size, c.sha256, c.next_update FROM chancery.crl_state c
                 WHERE c.number > 0 ORDER BY c.ca_version_id, c.crl_shard;
END $$;
COMMENT ON FUNCTION chancery.publisher_crl_current IS 'Which CRL files ought to be there.';

CREATE FUNCTION chancery.publisher_crl_piece(p_ca_version int, p_shard int, p_number bigint, p_piece int)
RETURNS bytea LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.data FROM chancery.crl_piece c
            WHERE c.ca_version_id = p_ca_version AND c.crl_shard = p_shard AND c.number = p_number AND c.piece = p_piece);
END $$;
COMMENT ON FUNCTION chancery.publisher_crl_piece IS 'One piece of a CRL; NULL when it is gone.';

CREATE FUNCTION chancery.publisher_ca_files()
RETURNS TABLE (path text, certificate bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t int;
BEGIN
    FOR t IN SELECT x.tenant_id FROM chancery.tenant x ORDER BY 1 LOOP
        PERFORM set_config('chancery.tenant', t::text, true);
        RETURN QUERY SELECT r.uuid || '_v' || v.number || '/cert.cer', v.certificate FROM chancery.ca_version v
            JOIN chancery.ca_route r ON r.ca_id = v.ca_id AND r.tenant_id = t
            WHERE v.tenant_id = t AND v.certificate IS NOT NULL;
    END LOOP;
END $$;
COMMENT ON FUNCTION chancery.publisher_ca_files IS 'The certificate of every CA version, deleted CAs included, for the AIA files.';

CREATE FUNCTION chancery.publisher_ra_due(p_before interval)
RETURNS TABLE (tenant_id int, ca_version_id int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t int;
BEGIN
    FOR t IN SELECT x.tenant_id FROM chancery.tenant x ORDER BY 1 LOOP
        PERFORM set_config('chancery.tenant', t::text, true);
        RETURN QUERY SELECT t, v.ca_version_id FROM chancery.ca_version v
            JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = t AND c.deleted_at IS NULL AND c.kind <> 'root'
            WHERE v.tenant_id = t AND v.state IN ('active', 'paused', 'staged') AND v.not_after > clock_timestamp()
              AND NOT EXISTS (SELECT FROM chancery.ra a WHERE a.ca_version_id = v.ca_version_id
                              AND a.not_after > least(clock_timestamp() + p_before, v.not_after - interval '1 second'));
    END LOOP;
END $$;
COMMENT ON FUNCTION chancery.publisher_ra_due IS 'Issuing CA versions whose newest RA certificates end before that long from now, unless they already last as long as the CA.';

CREATE FUNCTION chancery.publisher_partitions()
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m int;
    made int := 0;
BEGIN
    FOR m IN 0..37 LOOP
        made := made + chancery.partition_ensure(now() + make_interval(months => m));
    END LOOP;
    -- A challenge lives 90 days at most: what is counted of older ones serves nobody.
    DELETE FROM chancery.refusal r WHERE r.last_at < (SELECT coalesce(d.settled, now()) FROM chancery.clock_doubt d) - interval '120 days';
    RETURN made;
END $$;
COMMENT ON FUNCTION chancery.publisher_partitions IS 'Keeps the partitions made a year beyond what the longest certificate needs.';

-- ------------------------------------------------------------------------------------------------------------------- audit sealing

-- What is hashed of an entry: each part with its length before it, so that no two entries look the same.
CREATE FUNCTION chancery.audit_canonical(a chancery.audit) RETURNS bytea LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text;
    out bytea := '\x';
BEGIN
    FOREACH part IN ARRAY ARRAY[a.audit_id::text, (extract(epoch FROM a.at) * 1000000)::bigint::text, a.tenant_id::text, a.actor, a.activity, a.object_id,
                                a.object_name, a.details::text] LOOP
        out := out || int4send(octet_length(part)) || convert_to(part, 'UTF8');
    END LOOP;
    RETURN out;
END $$;
COMMENT ON FUNCTION chancery.audit_canonical IS 'The bytes of an audit entry that its hash is of.';

CREATE FUNCTION chancery.audit_head(p_previous bytea, p_batch bigint, p_first bigint, p_last bigint, p_hashes bytea)
RETURNS bytea LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN sha256(convert_to('chancery audit 1', 'UTF8') || p_previous || int8send(p_batch) || int8send(p_first) || int8send(p_last) || p_hashes);
END $$;
COMMENT ON FUNCTION chancery.audit_head IS 'The head of a batch.';

CREATE FUNCTION chancery.publisher_audit_seal(p_holder text, p_limit int)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sealer chancery.audit_sealer;
    last chancery.audit_batch;
    n int;
    first bigint;
BEGIN
    -- One sealer: the row lock holds where two leases should ever overlap.
    SELECT * INTO sealer FROM chancery.audit_sealer FOR UPDATE;
    IF NOT EXISTS (SELECT FROM chancery.lease l WHERE l.name = 'seal' AND l.holder = p_holder AND l.until >= clock_timestamp()) THEN
        RETURN 0;
    END IF;
    SELECT * INTO last FROM chancery.audit_batch b ORDER BY b.batch DESC LIMIT 1;
    first := coalesce(last.last_seq, 0) + 1;
    WITH fresh AS (
        SELECT a.audit_id, sha256(chancery.audit_canonical(a)) AS hash FROM chancery.audit a
        WHERE a.audit_id > sealer.low_audit_id AND NOT EXISTS (SELECT FROM chancery.audit_seal s WHERE s.audit_id = a.audit_id)
        ORDER BY a.audit_id LIMIT least(greatest(p_limit, 1), 10000))
    INSERT INTO chancery.audit_seal (seq, audit_id, hash)
    SELECT first - 1 + row_number() OVER (ORDER BY f.audit_id), f.audit_id, f.hash FROM fresh f;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        INSERT INTO chancery.audit_batch (batch, first_seq, last_seq, head)
        SELECT coalesce(last.batch, 0) + 1, first, first + n - 1,
               chancery.audit_head(coalesce(last.head, '\x'), coalesce(last.batch, 0) + 1, first, first + n - 1, string_agg(s.hash, ''::bytea ORDER BY s.seq))
        FROM chancery.audit_seal s WHERE s.seq BETWEEN first AND first + n - 1;
    END IF;
    -- The low mark rises to the candidate once every transaction of its time is over and everything up to it is sealed.
    IF pg_snapshot_xmin(pg_current_snapshot()) > sealer.candidate_xid AND NOT EXISTS (
        SELECT FROM chancery.audit a WHERE a.audit_id > sealer.low_audit_id AND a.audit_id <= sealer.candidate_id
        AND NOT EXISTS (SELECT FROM chancery.audit_seal s WHERE s.audit_id = a.audit_id)) THEN
        UPDATE chancery.audit_sealer SET low_audit_id = sealer.candidate_id, candidate_id = coalesce((SELECT max(s.audit_id) FROM chancery.audit_seal s), 0),
            candidate_xid = pg_snapshot_xmax(pg_current_snapshot());
    END IF;
    RETURN n;
END $$;
COMMENT ON FUNCTION chancery.publisher_audit_seal IS 'Numbers and chains the next entries; the signer signs the head.';

CREATE FUNCTION chancery.publisher_audit_head()
RETURNS TABLE (batch bigint, last_seq bigint, head bytea, key_id int, signature bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT b.batch, b.last_seq, b.head, b.key_id, b.signature FROM chancery.audit_batch b WHERE b.signature IS NOT NULL
                 ORDER BY b.batch DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION chancery.publisher_audit_head IS 'The newest signed head, to be kept in the journal as well.';

DO $$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS sig, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'chancery' AND p.proname ~ '^(audit_canonical|audit_head|publisher_)' LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO chancery_definer', f.sig);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.sig);
        IF f.proname LIKE 'publisher\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_publisher', f.sig);
        END IF;
    END LOOP;
END $$;
