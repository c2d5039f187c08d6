-- Chancery, migration 6: bring your own CA. A CA is made with a key and a request (state signing_required); the certificate that an external CA made
-- of it comes later, once, and with it the state active.
--
-- Its certificate is not among chancery.certificate: that is what our CAs have signed, and this one was signed, numbered and is revoked elsewhere.

ALTER TABLE chancery.ca_version
    ADD COLUMN csr_seal bytea CHECK (octet_length(csr_seal) = 28),
    ADD COLUMN issuer_aia text CHECK (length(issuer_aia) BETWEEN 8 AND 1024),
    ADD COLUMN subject_text text CHECK (length(subject_text) <= 32768),
    ADD COLUMN issuer_text text CHECK (length(issuer_text) <= 32768),
    DROP CONSTRAINT ca_version_csr_check,
    ADD CONSTRAINT ca_version_csr_check CHECK (octet_length(csr) BETWEEN 64 AND 65536),
    ADD CONSTRAINT ca_version_csr_sealed CHECK ((csr IS NULL) = (csr_seal IS NULL));
COMMENT ON COLUMN chancery.ca_version.csr IS 'Of a bring-your-own CA: the request (PKCS#10) that an external CA makes a certificate of.';
COMMENT ON COLUMN chancery.ca_version.csr_seal IS 'The signer''s authentication code over request, addresses and fixed properties until the certificate''s own seal is there.';
COMMENT ON COLUMN chancery.ca_version.issuer_aia IS 'Where a bring-your-own CA''s certificate says that its issuer''s is found: HTTP before LDAP (reference 2.E12). aia_url is where this one is published.';
COMMENT ON COLUMN chancery.ca_version.subject_text IS 'Of a bring-your-own CA: the subject that the external CA gave it, RFC 4514 text for people; issuer_text likewise.';

DROP TRIGGER ca_version_immutable ON chancery.ca_version;
CREATE TRIGGER ca_version_immutable BEFORE UPDATE OR DELETE ON chancery.ca_version FOR EACH ROW
    EXECUTE FUNCTION chancery.keep_immutable('state', 'state_changed_at', 'staged_until', 'row_version', '+certificate', '+chain', '+serial',
        '+subject', '+ski', '+sha1', '+sha256', '+seal', '+not_before', '+not_after', '+issuer_version_id', '+issuer_aia', '+subject_text', '+issuer_text');

-- ------------------------------------------------------------------------------------------------------------------------------ signer

CREATE FUNCTION chancery.signer_byoca_create(p_tenant int, p_actor text, p_uuid uuid, p_name text, p_description text, p_subject text[], p_key_bits int,
    p_eku_oids text[], p_eku_names text[], p_ra_eku_oids text[], p_names_from_requests boolean, p_scep_uri text, p_crl_url text, p_aia_url text,
    p_key bytea, p_spki bytea, p_csr bytea, p_csr_seal bytea, p_subject_text text)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n bigint;
    allowed int;
    ca int;
    version int;
    key_id int;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    -- The limit is counted under the tenant's lock, so that two at once cannot both be the last.
    SELECT t.ca_limit INTO allowed FROM chancery.tenant t WHERE t.tenant_id = p_tenant FOR UPDATE;
    SELECT count(*) INTO n FROM chancery.ca c WHERE c.tenant_id = p_tenant AND c.deleted_at IS NULL;
    IF n >= allowed THEN
        PERFORM chancery.refuse('LimitReached', format('CAs: found %s, allowed %s (root, issuing and bring-your-own together)', n, allowed));
    END IF;
    INSERT INTO chancery.key (tenant_id, purpose, generation, platform, algorithm, wrapped_by, private, spki)
    VALUES (p_tenant, 'ca', 1, 'software', 'RSA-' || p_key_bits, 'ca', p_key, p_spki) RETURNING key.key_id INTO key_id;
    INSERT INTO chancery.ca (tenant_id, uuid, kind, name, description, subject_cn, subject_o, subject_ou, subject_c, subject_st, subject_l, key_bits,
                             eku_oids, eku_names, ra_eku_oids, names_from_requests, key_platform, scep_uri, created_by)
    VALUES (p_tenant, p_uuid, 'byoca', p_name, p_description, p_subject[1], nullif(p_subject[2], ''), nullif(p_subject[3], ''), nullif(p_subject[4], ''),
            nullif(p_subject[5], ''), nullif(p_subject[6], ''), p_key_bits, p_eku_oids, p_eku_names, p_ra_eku_oids, p_names_from_requests, 'software',
            p_scep_uri, p_actor) RETURNING ca.ca_id INTO ca;
    INSERT INTO chancery.ca_route VALUES (p_uuid, p_tenant, ca);
    INSERT INTO chancery.ca_version (ca_id, tenant_id, number, state, key_id, csr, csr_seal, crl_url, aia_url)
    VALUES (ca, p_tenant, 1, 'signing_required', key_id, p_csr, p_csr_seal, p_crl_url, p_aia_url) RETURNING ca_version.ca_version_id INTO version;
    PERFORM chancery.audit_add(p_tenant, p_actor, 'Create CloudCertificationAuthority', p_uuid::text, p_name,
        jsonb_build_object('kind', 'byoca', 'subject', p_subject_text, 'key', 'RSA-' || p_key_bits, 'ekus', to_jsonb(p_eku_oids)));
    RETURN version;
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('CA "%s": a CA of this name exists', p_name));
END $$;
COMMENT ON FUNCTION chancery.signer_byoca_create IS 'Records a new bring-your-own CA with its key and request. p_subject: CN, O, OU, C, ST, L.';

CREATE FUNCTION chancery.signer_byoca_read(p_tenant int, p_ca text)
RETURNS TABLE (now timestamptz, uuid text, name text, kind text, state text, ca_version_id int, number int, key_bits int, names_from_requests boolean,
               crl_url text, aia_url text, csr bytea, csr_seal bytea, platform text, private bytea, pkcs11_uri text, wrapped_by text, spki bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT clock_timestamp(), c.uuid::text, c.name, c.kind, v.state, v.ca_version_id, v.number, c.key_bits, c.names_from_requests,
               v.crl_url, v.aia_url, v.csr, v.csr_seal, k.platform, k.private, k.pkcs11_uri, k.wrapped_by, k.spki
        FROM chancery.ca c
        JOIN chancery.ca_version v ON v.ca_id = c.ca_id AND v.tenant_id = p_tenant
        JOIN chancery.key k ON k.key_id = v.key_id AND k.purpose = 'ca' AND k.tenant_id = p_tenant
        WHERE c.tenant_id = p_tenant AND c.deleted_at IS NULL AND (c.uuid::text = lower(p_ca) OR lower(c.name) = lower(p_ca))
        ORDER BY c.uuid::text = lower(p_ca) DESC, v.state = 'signing_required' DESC, v.number DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION chancery.signer_byoca_read IS 'What the certificate of a bring-your-own CA is judged by: its request and key. The version that waits for one, where there is one.';

CREATE FUNCTION chancery.signer_byoca_certify(p_tenant int, p_actor text, p_ca_version int, p_certificate bytea, p_chain bytea[], p_serial bytea, p_subject bytea,
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
    IF EXISTS (SELECT FROM chancery.ca_version w WHERE w.ca_id = c.ca_id AND w.tenant_id = p_tenant AND w.state = 'revoked') THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found Revoked, wanted a CA that goes on', c.name));
    END IF;
    SELECT * INTO v FROM chancery.ca_version w WHERE w.ca_version_id = p_ca_version AND w.tenant_id = p_tenant FOR NO KEY UPDATE;
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
COMMENT ON FUNCTION chancery.signer_byoca_certify IS 'Puts the certificate of a bring-your-own CA in, once, after the signer has judged and sealed it: the CA is active.';

CREATE FUNCTION chancery.signer_byoca_refused(p_tenant int, p_actor text, p_ca uuid, p_result text, p_detail text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c chancery.ca;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    SELECT * INTO c FROM chancery.ca x WHERE x.uuid = p_ca AND x.tenant_id = p_tenant;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CA "%s": not found', p_ca));
    END IF;
    PERFORM chancery.audit_add(p_tenant, p_actor, 'UploadExternallySignedCertificationAuthorityCertificateAsync CloudCertificationAuthority', c.uuid::text, c.name,
        jsonb_build_object('result', p_result, 'detail', p_detail));
END $$;
COMMENT ON FUNCTION chancery.signer_byoca_refused IS 'Records an upload that the signer refused; the CA stays as it is.';

-- ---------------------------------------------------------------------------------------------------------------------------- operator

CREATE FUNCTION chancery.op_ca_csr(p_tenant int, p_login text, p_ca text)
RETURNS TABLE (name text, csr bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    request bytea;
BEGIN
    SELECT v.csr INTO request FROM chancery.ca_version v WHERE v.ca_id = c.ca_id AND v.tenant_id = p_tenant AND v.csr IS NOT NULL
    ORDER BY v.number DESC LIMIT 1;
    IF request IS NULL THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found a CA whose certificate was made here, wanted a bring-your-own CA', c.name));
    END IF;
    PERFORM chancery.audit_add(p_tenant, actor, 'Get CloudCertificationAuthority', c.uuid::text, c.name, '{"csr": true}');
    RETURN QUERY SELECT c.name, request;
END $$;
COMMENT ON FUNCTION chancery.op_ca_csr IS 'The newest request of a bring-your-own CA, and its name, which the file is named by.';

CREATE FUNCTION chancery.op_ca_external(p_tenant int, p_login text, p_ca text)
RETURNS TABLE (certificate bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
BEGIN
    RETURN QUERY SELECT v.certificate FROM chancery.ca_version v
        WHERE v.ca_id = c.ca_id AND v.tenant_id = p_tenant AND c.kind = 'byoca' AND v.certificate IS NOT NULL ORDER BY v.number;
END $$;
COMMENT ON FUNCTION chancery.op_ca_external IS 'The certificates of a CA that its own, external issuer would have to revoke; none for CAs that were signed here.';

DROP FUNCTION chancery.op_ca_show(int, text, text);
CREATE FUNCTION chancery.op_ca_show(p_tenant int, p_login text, p_ca text)
RETURNS TABLE (name text, description text, id text, status text, version int, serial text, thumbprint text, thumbprint_sha256 text, type text, ca_keys text,
               extended_key_usages text[], validity_years int, not_before text, not_after text, common_name text, organization text,
               organizational_unit text, country text, state text, locality text, certificate_subject text, certificate_issuer text,
               key_size_and_algorithm text, crl_distribution_point text, aia text, published_certificate text,
               scep_uri text, root_common_name text, names_from_requests boolean, ra_extended_key_usages text[], scope_tags text[], actions text[],
               created_at text, created_by text, row_version int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    v chancery.ca_version := chancery.operator_ca_version(p_tenant, c.ca_id);
BEGIN
    PERFORM chancery.audit_add(p_tenant, actor, 'Get CloudCertificationAuthority', c.uuid::text, c.name, '{}');
    RETURN QUERY
        SELECT c.name, c.description, c.uuid::text, chancery.operator_ca_word(v.state, v.not_after), v.number, encode(v.serial, 'hex'),
               upper(encode(v.sha1, 'hex')), upper(encode(v.sha256, 'hex')), CASE c.kind WHEN 'root' THEN 'Root' ELSE 'Issuing' END, c.key_platform,
               (SELECT array_agg(CASE WHEN n.name = '' THEN n.oid ELSE format('%s (%s)', n.name, n.oid) END ORDER BY n.i)
                FROM unnest(c.eku_oids, c.eku_names) WITH ORDINALITY n (oid, name, i)),
               c.validity_years, chancery.operator_time(v.not_before), chancery.operator_time(v.not_after),
               c.subject_cn, c.subject_o, c.subject_ou, c.subject_c, c.subject_st, c.subject_l, v.subject_text, v.issuer_text,
               format('RSA-%s', c.key_bits) || coalesce(' and ' || c.hash, ''), v.crl_url,
               CASE c.kind WHEN 'byoca' THEN v.issuer_aia ELSE v.aia_url END, v.aia_url, c.scep_uri,
               CASE c.kind WHEN 'root' THEN c.subject_cn WHEN 'byoca' THEN 'External root CA'
                    ELSE (SELECT p.subject_cn FROM chancery.ca p WHERE p.ca_id = c.parent_ca_id AND p.tenant_id = p_tenant) END,
               c.names_from_requests, c.ra_eku_oids, c.scope_tags,
               ARRAY(SELECT t.action FROM chancery.ca_transition t WHERE t.kind = c.kind AND t.from_state = v.state ORDER BY t.action),
               chancery.operator_time(c.created_at), c.created_by, v.row_version;
END $$;
COMMENT ON FUNCTION chancery.op_ca_show IS 'All properties of a CA (reference 2.G24), with the actions that its state allows. aia: of a bring-your-own CA what its certificate says (2.E12).';

DO $$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS sig, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'chancery' AND p.proname ~ '^(signer_byoca_|op_ca_(csr|external|show)$)' LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO chancery_definer', f.sig);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.sig);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f.sig, CASE WHEN f.proname LIKE 'op\_%' THEN 'chancery_operator' ELSE 'chancery_signer' END);
    END LOOP;
END $$;
