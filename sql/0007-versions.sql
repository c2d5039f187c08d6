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

CREATE FUNCTION chancery.signer_ca_version_read(p_tenant int, p_ca text)
RETURNS TABLE (now timestamptz, ca_id int, uuid text, name text, kind text, key_bits int, validity_years int, eku_oids text[], eku_names text[], ra_eku_oids text[],
               names_from_requests boolean, parent text, version_id int, number int, state text, not_before timestamptz, not_after timestamptz, last_number int,
               next_state text, csr_subject text[])
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
               ARRAY[c.subject_cn, coalesce(c.subject_o, ''), coalesce(c.subject_ou, ''), coalesce(c.subject_c, ''), coalesce(c.subject_st, ''), coalesce(c.subject_l, '')];
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

-- As before, and a version that follows another is staged, not active.
CREATE OR REPLACE FUNCTION chancery.signer_byoca_certify(p_tenant int, p_actor text, p_ca_version int, p_certificate bytea, p_chain bytea[], p_serial bytea, p_subject bytea,
    p_ski bytea, p_sha1 bytea, p_sha256 bytea, p_seal bytea, p_not_before timestamptz, p_not_after timestamptz, p_issuer_aia text, p_subject_text text,
    p_issuer_text text, p_root_text text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c chancery.ca;
    v chancery.ca_version;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    -- A deletion takes the CA's row, then the version's.
    SELECT x.* INTO c FROM chancery.ca x JOIN chancery.ca_version w ON w.ca_id = x.ca_id AND w.tenant_id = p_tenant
    WHERE w.ca_version_id = p_ca_version AND x.tenant_id = p_tenant AND x.kind = 'byoca' AND x.deleted_at IS NULL FOR UPDATE OF x;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CA version %s: found none, wanted that of a bring-your-own CA', p_ca_version));
    END IF;
    SELECT * INTO v FROM chancery.ca_version w WHERE w.ca_version_id = p_ca_version AND w.tenant_id = p_tenant FOR UPDATE;
    IF v.state <> 'signing_required' THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s, wanted signing_required', c.name, v.state));
    END IF;
    UPDATE chancery.ca_version w SET state = CASE v.number WHEN 1 THEN 'active' ELSE 'staged' END, state_changed_at = now(), row_version = w.row_version + 1,
        certificate = p_certificate, chain = p_chain, serial = p_serial, subject = p_subject, ski = p_ski, sha1 = p_sha1, sha256 = p_sha256, seal = p_seal,
        not_before = p_not_before, not_after = p_not_after, issuer_aia = p_issuer_aia, subject_text = p_subject_text, issuer_text = p_issuer_text
    WHERE w.ca_version_id = p_ca_version AND w.tenant_id = p_tenant;
    INSERT INTO chancery.crl_state (ca_version_id, crl_shard, tenant_id, path) VALUES (p_ca_version, 0, p_tenant, c.uuid || '_v' || v.number || '/current.crl');
    PERFORM chancery.audit_add(p_tenant, p_actor, 'UploadExternallySignedCertificationAuthorityCertificateAsync CloudCertificationAuthority', c.uuid::text, c.name,
        jsonb_build_object('result', 'Success', 'version', v.number, 'subject', p_subject_text, 'issuer', p_issuer_text, 'root', p_root_text, 'above', cardinality(p_chain),
                           'serial', encode(p_serial, 'hex'), 'sha256', encode(p_sha256, 'hex'), 'not_after', p_not_after));
END $$;

-- ----------------------------------------------------------------------------------------------------------------------- SCEP responder

-- As before, and the RA certificates of retired versions still open messages: a client may have kept them.
CREATE OR REPLACE FUNCTION chancery.scep_endpoint(p_ca uuid, p_staged_version int)
RETURNS TABLE (ca_version_id int, version int, certificate bytea, chain bytea[], generation int, sign_certificate bytea, sign_key bytea,
               encrypt_certificate bytea, encrypt_key bytea, next_version int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    route chancery.ca_route;
BEGIN
    SELECT * INTO route FROM chancery.ca_route r WHERE r.uuid = p_ca;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM set_config('chancery.tenant', route.tenant_id::text, true);
    RETURN QUERY
        SELECT v.ca_version_id, v.number, v.certificate, v.chain, a.generation, a.sign_certificate, s.private, a.encrypt_certificate, e.private,
               CASE WHEN p_staged_version IS NULL THEN chancery.issuing_next_version(route.tenant_id, route.ca_id, v.number) END
        FROM chancery.ca c
        JOIN LATERAL (
            SELECT * FROM chancery.ca_version w
            WHERE w.ca_id = c.ca_id AND w.tenant_id = route.tenant_id AND w.certificate IS NOT NULL
              AND CASE WHEN p_staged_version IS NULL THEN w.state IN ('active', 'paused', 'revoked')
                       ELSE w.state = 'staged' AND w.number = p_staged_version END
            ORDER BY w.number DESC LIMIT 1) v ON true
        JOIN chancery.ca_version o ON o.ca_id = c.ca_id AND o.tenant_id = route.tenant_id
             AND (o.ca_version_id = v.ca_version_id OR p_staged_version IS NULL AND o.state = 'retired' AND o.not_after > now()
                  AND EXISTS (SELECT FROM chancery.ra z WHERE z.ca_version_id = v.ca_version_id))
        JOIN chancery.ra a ON a.ca_version_id = o.ca_version_id
        JOIN chancery.key s ON s.key_id = a.sign_key_id
        JOIN chancery.key e ON e.key_id = a.encrypt_key_id
        WHERE c.ca_id = route.ca_id AND c.tenant_id = route.tenant_id AND c.deleted_at IS NULL AND c.kind <> 'root'
        ORDER BY o.number DESC, a.generation DESC LIMIT 16;
END $$;

-- ---------------------------------------------------------------------------------------------------------------------------- operator

CREATE FUNCTION chancery.op_ca_activate(p_tenant int, p_login text, p_ca text, p_expected int)
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
    SELECT * INTO v FROM chancery.ca_version x WHERE x.ca_version_id = v.ca_version_id AND x.tenant_id = p_tenant FOR UPDATE;
    PERFORM chancery.operator_expect(format('CA "%s"', c.name), v.row_version, p_expected);
    SELECT * INTO n FROM chancery.ca_version x WHERE x.ca_id = c.ca_id AND x.tenant_id = p_tenant AND x.number > v.number
        AND x.state IN ('staged', 'signing_required') FOR UPDATE;
    IF NOT FOUND OR n.state <> 'staged' THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s, wanted a staged version', c.name,
            CASE WHEN n.ca_version_id IS NULL THEN 'no version that is to follow' ELSE 'a version whose certificate is to be signed' END));
    ELSIF v.state <> 'active' THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s, wanted Active', c.name, chancery.operator_ca_word(v.state, NULL)));
    ELSIF n.not_after <= clock_timestamp() THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": the staged version ended at %s', c.name, chancery.operator_time(n.not_after)));
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
             WHERE n.nspname = 'chancery' AND p.proname IN ('signer_ca_version_read', 'signer_ca_version_add', 'op_ca_activate', 'op_ca_versions') LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO chancery_definer', f.sig);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.sig);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f.sig, CASE WHEN f.proname LIKE 'op\_%' THEN 'chancery_operator' ELSE 'chancery_signer' END);
    END LOOP;
END $$;
