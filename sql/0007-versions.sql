-- Chancery, migration 7: the next version of an issuing CA: made and staged, then put into production, where the version before is retired (reference 2.7).
--
-- A staged version answers at an address of its own and is what GetNextCACert announces; it issues nothing before it is activated. A retired one issues
-- nothing more, but its CRL and certificate stay published, its RA certificates still open messages, and its leaves can be renewed and revoked.

CREATE UNIQUE INDEX ca_version_next ON chancery.ca_version (ca_id) WHERE number > 1 AND state IN ('staged', 'signing_required');
COMMENT ON INDEX chancery.ca_version_next IS 'Serves: the version that is to follow; keeps a CA from having two of them.';
CREATE UNIQUE INDEX ca_version_active ON chancery.ca_version (ca_id) WHERE state = 'active';
COMMENT ON INDEX chancery.ca_version_active IS 'Serves: the version in production; keeps a CA from having two of them.';

CREATE OR REPLACE FUNCTION chancery.operator_ca_version(p_tenant int, p_ca int) RETURNS chancery.ca_version LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    version chancery.ca_version;
BEGIN
    SELECT * INTO version FROM chancery.ca_version v
    WHERE v.ca_id = p_ca AND v.tenant_id = p_tenant AND v.state NOT IN ('staged', 'retired', 'decommissioned')
    ORDER BY v.state = 'signing_required', v.number DESC LIMIT 1;
    RETURN version;
END $$;

-- ------------------------------------------------------------------------------------------------------------------------------ signer

-- As before, and a name that is another CA's id, or a CA of several versions, is no reason to find two.
CREATE OR REPLACE FUNCTION chancery.signer_ca_context(p_tenant int, p_parent text)
RETURNS TABLE (now timestamptz, cas bigint, ca_limit int, parent_id int, parent_version int, parent_kind text, parent_deleted boolean, parent_state text,
               parent_bits int, parent_hash text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT clock_timestamp(), (SELECT count(*) FROM chancery.ca x WHERE x.tenant_id = p_tenant AND x.deleted_at IS NULL), t.ca_limit,
               c.ca_id, v.ca_version_id, c.kind, c.deleted_at IS NOT NULL, v.state, c.key_bits, c.hash
        FROM chancery.tenant t
        LEFT JOIN chancery.ca c ON c.tenant_id = p_tenant AND p_parent IS NOT NULL AND c.deleted_at IS NULL AND (lower(c.name) = lower(p_parent) OR c.uuid::text = lower(p_parent))
        LEFT JOIN chancery.ca_version v ON v.ca_id = c.ca_id AND v.tenant_id = p_tenant AND v.state IN ('active', 'paused', 'revoked')
        WHERE t.tenant_id = p_tenant
        ORDER BY c.uuid::text = lower(p_parent) DESC, v.number DESC LIMIT 1;
END $$;

CREATE FUNCTION chancery.signer_ca_version_read(p_tenant int, p_ca text)
RETURNS TABLE (now timestamptz, ca_id int, uuid text, name text, kind text, key_bits int, validity_years int, eku_oids text[], eku_names text[], ra_eku_oids text[],
               names_from_requests boolean, parent text, version_id int, number int, state text, not_before timestamptz, not_after timestamptz, last_number int,
               next_state text, csr bytea, csr_seal bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c chancery.ca;
    v chancery.ca_version;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    c := chancery.operator_ca(p_tenant, p_ca, false);
    v := chancery.operator_ca_version(p_tenant, c.ca_id);
    RETURN QUERY
        SELECT clock_timestamp(), c.ca_id, c.uuid::text, c.name, c.kind, c.key_bits, c.validity_years, c.eku_oids, c.eku_names, c.ra_eku_oids, c.names_from_requests,
               (SELECT p.uuid::text FROM chancery.ca p WHERE p.ca_id = c.parent_ca_id AND p.tenant_id = p_tenant), v.ca_version_id, v.number, v.state,
               v.not_before, v.not_after, (SELECT max(x.number) FROM chancery.ca_version x WHERE x.ca_id = c.ca_id AND x.tenant_id = p_tenant),
               (SELECT x.state FROM chancery.ca_version x WHERE x.ca_id = c.ca_id AND x.tenant_id = p_tenant AND x.number > v.number
                AND x.state IN ('staged', 'signing_required')),
               v.csr, v.csr_seal;
END $$;
COMMENT ON FUNCTION chancery.signer_ca_version_read IS 'What the next version of a CA has to be: its fixed properties, its version in production, and whether one is staged already.';

CREATE FUNCTION chancery.signer_ca_version_add(p_tenant int, p_actor text, p_ca int, p_number int, p_issuer_version int, p_key_bits int, p_key bytea, p_spki bytea,
    p_certificate bytea, p_chain bytea[], p_serial bytea, p_subject bytea, p_ski bytea, p_sha1 bytea, p_sha256 bytea, p_spki_sha256 bytea, p_seal bytea,
    p_not_before timestamptz, p_not_after timestamptz, p_subject_text text, p_csr bytea, p_csr_seal bytea, p_crl_url text, p_aia_url text)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c chancery.ca;
    key_id int;
    version int;
    parent_state text;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    -- One at a time, and not while the CA is being deleted.
    SELECT * INTO c FROM chancery.ca x WHERE x.ca_id = p_ca AND x.tenant_id = p_tenant AND x.deleted_at IS NULL AND x.kind <> 'root' FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CA %s: not found', p_ca));
    END IF;
    IF EXISTS (SELECT FROM chancery.ca_version v WHERE v.ca_id = p_ca AND v.tenant_id = p_tenant AND v.state = 'revoked') THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found revoked', c.name));
    END IF;
    IF p_certificate IS NOT NULL THEN
        PERFORM chancery.partition_ensure(p_not_after);
        PERFORM pg_advisory_xact_lock_shared(20001, p_issuer_version);
        SELECT v.state INTO parent_state FROM chancery.ca_version v JOIN chancery.ca p ON p.ca_id = v.ca_id AND p.tenant_id = p_tenant
        WHERE v.ca_version_id = p_issuer_version AND v.tenant_id = p_tenant AND p.ca_id = c.parent_ca_id AND p.deleted_at IS NULL;
        IF parent_state IS DISTINCT FROM 'active' THEN
            PERFORM chancery.refuse('WrongState', format('root CA: found %s, wanted active', coalesce(parent_state, 'none')));
        END IF;
    END IF;
    INSERT INTO chancery.key (tenant_id, purpose, generation, platform, algorithm, wrapped_by, private, spki)
    VALUES (p_tenant, 'ca', p_number, 'software', 'RSA-' || p_key_bits, 'ca', p_key, p_spki) RETURNING key.key_id INTO key_id;
    INSERT INTO chancery.ca_version (ca_id, tenant_id, number, state, key_id, issuer_version_id, certificate, chain, serial, subject, ski, sha1, sha256, seal,
                                     not_before, not_after, csr, csr_seal, crl_url, aia_url)
    VALUES (p_ca, p_tenant, p_number, CASE WHEN p_certificate IS NULL THEN 'signing_required' ELSE 'staged' END, key_id, p_issuer_version, p_certificate, p_chain,
            p_serial, p_subject, p_ski, p_sha1, p_sha256, p_seal, p_not_before, p_not_after, p_csr, p_csr_seal, p_crl_url, p_aia_url)
    RETURNING ca_version_id INTO version;
    IF p_certificate IS NOT NULL THEN
        INSERT INTO chancery.certificate (not_after, tenant_id, ca_version_id, serial, kind, not_before, subject, spki_sha256, sha1, sha256, der)
        VALUES (p_not_after, p_tenant, p_issuer_version, p_serial, 'ca', p_not_before, p_subject_text, p_spki_sha256, p_sha1, p_sha256, p_certificate);
        INSERT INTO chancery.crl_state (ca_version_id, crl_shard, tenant_id, path) VALUES (version, 0, p_tenant, c.uuid || '_v' || p_number || '/current.crl');
    END IF;
    PERFORM chancery.audit_add(p_tenant, p_actor, 'Patch CloudCertificationAuthority', c.uuid::text, c.name,
        jsonb_strip_nulls(jsonb_build_object('renew', p_number, 'not_after', p_not_after, 'serial', encode(p_serial, 'hex'))));
    RETURN version;
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('CA "%s": a version that is to follow exists', c.name));
END $$;
COMMENT ON FUNCTION chancery.signer_ca_version_add IS 'Records the next version of a CA: staged with its certificate, or, of a bring-your-own CA, with the request for one.';

-- ---------------------------------------------------------------------------------------------------------------------------- operator

-- As before, but the version's row is locked without its key. New RA certificates share the version's advisory lock and then refer to its row; a change
-- of state that held the whole row and waited for that lock ended one of the two as a deadlock.
CREATE OR REPLACE FUNCTION chancery.op_ca_change(p_tenant int, p_login text, p_ca text, p_action text, p_reason int, p_expected int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    v chancery.ca_version;
    wanted text;
    next_state text;
    children bigint;
BEGIN
    -- Issuing CAs are made while this row is shared; the version's row keeps two changes of state apart.
    SELECT * INTO c FROM chancery.ca x WHERE x.ca_id = c.ca_id AND x.tenant_id = p_tenant AND x.deleted_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CA "%s": not found', p_ca));
    END IF;
    v := chancery.operator_ca_version(p_tenant, c.ca_id);
    SELECT * INTO v FROM chancery.ca_version x WHERE x.ca_version_id = v.ca_version_id AND x.tenant_id = p_tenant FOR NO KEY UPDATE;
    PERFORM chancery.operator_expect(format('CA "%s"', c.name), v.row_version, p_expected);
    SELECT t.to_state INTO next_state FROM chancery.ca_transition t WHERE t.kind = c.kind AND t.action = p_action AND t.from_state = v.state;
    IF NOT FOUND THEN
        SELECT string_agg(chancery.operator_ca_word(t.from_state, NULL), ' or ' ORDER BY t.from_state) INTO wanted
        FROM chancery.ca_transition t WHERE t.kind = c.kind AND t.action = p_action;
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s, wanted %s', c.name,
            CASE WHEN wanted IS NULL THEN 'a root' ELSE chancery.operator_ca_word(v.state, NULL) END,
            coalesce(wanted, 'an issuing CA: roots are neither paused nor revoked, but deleted')));
    END IF;
    IF p_action = 'delete' THEN
        SELECT count(*) INTO children FROM chancery.ca x WHERE x.parent_ca_id = c.ca_id AND x.tenant_id = p_tenant AND x.deleted_at IS NULL;
        IF children > 0 THEN
            PERFORM chancery.refuse('WrongState', format('CA "%s": found %s issuing CAs below it, wanted none', c.name, children));
        END IF;
        UPDATE chancery.ca x SET deleted_at = now(), deleted_by = actor, row_version = x.row_version + 1 WHERE x.ca_id = c.ca_id AND x.tenant_id = p_tenant;
    ELSIF p_action = 'revoke' THEN
        PERFORM chancery.operator_ca_revoke(p_tenant, actor, c, coalesce(p_reason, 5));
    ELSE
        UPDATE chancery.ca_version x SET state = next_state, state_changed_at = now(), row_version = x.row_version + 1
        WHERE x.ca_version_id = v.ca_version_id AND x.tenant_id = p_tenant;
    END IF;
    PERFORM chancery.audit_add(p_tenant, actor,
        CASE p_action WHEN 'revoke' THEN 'RevokeCloudCertificationAuthorityCertificateAsync CloudCertificationAuthority'
                      WHEN 'delete' THEN 'Delete CloudCertificationAuthority'
                      ELSE 'ChangeCloudCertificationAuthorityStatusAsync CloudCertificationAuthority' END,
        c.uuid::text, c.name,
        jsonb_strip_nulls(jsonb_build_object('from', v.state, 'to', CASE p_action WHEN 'delete' THEN 'deleted' ELSE next_state END, 'version', v.number,
                                             'reason', CASE p_action WHEN 'revoke' THEN chancery.operator_reason_word(coalesce(p_reason, 5)) END)));
END $$;

CREATE FUNCTION chancery.op_ca_activate(p_tenant int, p_login text, p_ca text, p_expected int, p_last_days int)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    v chancery.ca_version;
    n chancery.ca_version;
BEGIN
    SELECT * INTO c FROM chancery.ca x WHERE x.ca_id = c.ca_id AND x.tenant_id = p_tenant AND x.deleted_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CA "%s": not found', p_ca));
    END IF;
    v := chancery.operator_ca_version(p_tenant, c.ca_id);
    SELECT * INTO v FROM chancery.ca_version x WHERE x.ca_version_id = v.ca_version_id AND x.tenant_id = p_tenant FOR NO KEY UPDATE;
    PERFORM chancery.operator_expect(format('CA "%s"', c.name), v.row_version, p_expected);
    SELECT * INTO n FROM chancery.ca_version x WHERE x.ca_id = c.ca_id AND x.tenant_id = p_tenant AND x.number > v.number
        AND x.state IN ('staged', 'signing_required') FOR NO KEY UPDATE;
    IF NOT FOUND OR n.state <> 'staged' THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s, wanted a staged version', c.name,
            CASE WHEN n.ca_version_id IS NULL THEN 'no version that is to follow' ELSE 'a version whose certificate is to be signed' END));
    ELSIF v.state <> 'active' THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s, wanted Active', c.name, chancery.operator_ca_word(v.state, NULL)));
    ELSIF n.not_after < clock_timestamp() + make_interval(days => p_last_days) THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": the staged version ends at %s, wanted %s days left: with less it issues nothing', c.name,
            chancery.operator_time(n.not_after), p_last_days));
    ELSIF NOT EXISTS (SELECT FROM chancery.ra a WHERE a.ca_version_id = n.ca_version_id) THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": the staged version has no RA certificates yet', c.name));
    END IF;
    UPDATE chancery.ca_version x SET state = 'retired', state_changed_at = now(), row_version = x.row_version + 1
    WHERE x.ca_version_id = v.ca_version_id AND x.tenant_id = p_tenant;
    UPDATE chancery.ca_version x SET state = 'active', state_changed_at = now(), row_version = x.row_version + 1
    WHERE x.ca_version_id = n.ca_version_id AND x.tenant_id = p_tenant;
    PERFORM chancery.audit_add(p_tenant, actor, 'ChangeCloudCertificationAuthorityStatusAsync CloudCertificationAuthority', c.uuid::text, c.name,
        jsonb_build_object('activated', n.number, 'retired', v.number));
    RETURN n.number;
END $$;
COMMENT ON FUNCTION chancery.op_ca_activate IS 'Puts the staged version of a CA into production and retires the one before; the SCEP URI stays.';

DROP FUNCTION chancery.op_ca_certificate(int, text, text);
CREATE FUNCTION chancery.op_ca_certificate(p_tenant int, p_login text, p_ca text, p_version int)
RETURNS TABLE (certificate bytea, chain bytea[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    v chancery.ca_version := chancery.operator_ca_version(p_tenant, c.ca_id);
BEGIN
    IF p_version IS NOT NULL THEN
        SELECT * INTO v FROM chancery.ca_version x WHERE x.ca_id = c.ca_id AND x.number = p_version AND x.tenant_id = p_tenant;
        IF NOT FOUND THEN
            PERFORM chancery.refuse('NotFound', format('CA "%s": found no version %s', c.name, p_version));
        END IF;
    END IF;
    IF v.certificate IS NULL THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found Signing required, wanted a certificate', c.name));
    END IF;
    PERFORM chancery.audit_add(p_tenant, actor, 'Get CloudCertificationAuthority', c.uuid::text, c.name, jsonb_build_object('certificate', v.number));
    RETURN QUERY SELECT v.certificate, v.chain;
END $$;
COMMENT ON FUNCTION chancery.op_ca_certificate IS 'The certificate of a version of a CA and those above it, nearest first; without a number that of the version in production.';

CREATE FUNCTION chancery.op_ca_versions(p_tenant int, p_login text, p_ca text)
RETURNS TABLE (version int, status text, serial text, not_before text, not_after text, thumbprint text, crl_distribution_point text, scep_uri text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
BEGIN
    PERFORM chancery.audit_add(p_tenant, actor, 'Get CloudCertificationAuthority', c.uuid::text, c.name, '{"versions": true}');
    RETURN QUERY
        SELECT v.number, chancery.operator_ca_word(v.state, v.not_after), encode(v.serial, 'hex'), chancery.operator_time(v.not_before),
               chancery.operator_time(v.not_after), upper(encode(v.sha1, 'hex')), v.crl_url,
               CASE v.state WHEN 'staged' THEN c.scep_uri || '/v' || v.number WHEN 'active' THEN c.scep_uri WHEN 'paused' THEN c.scep_uri END
        FROM chancery.ca_version v WHERE v.ca_id = c.ca_id AND v.tenant_id = p_tenant ORDER BY v.number DESC;
END $$;
COMMENT ON FUNCTION chancery.op_ca_versions IS 'The versions of a CA, newest first.';

DO $$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS sig, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'chancery' AND p.proname IN ('signer_ca_version_read', 'signer_ca_version_add', 'op_ca_activate', 'op_ca_certificate', 'op_ca_versions') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO chancery_definer', f.sig);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.sig);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f.sig, CASE WHEN f.proname LIKE 'op\_%' THEN 'chancery_operator' ELSE 'chancery_signer' END);
    END LOOP;
END $$;
