-- Chancery, migration 10: a revoked CA gets no further version, and changes of state stand out of the way of new RA certificates.

-- As before, and not for a CA that was revoked while its next version waited for the certificate.
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

CREATE OR REPLACE FUNCTION chancery.op_ca_activate(p_tenant int, p_login text, p_ca text, p_expected int)
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
