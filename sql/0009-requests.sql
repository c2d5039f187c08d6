-- Chancery, migration 9: requests that wait, once more.
--
-- A certificate whose renewal was asked for under one revision of a profile can be renewed under the next: the request is one for each authorization and
-- revision, since what waits under an earlier revision can be approved no more. That a certificate has one successor is the authorization's to keep.
ALTER TABLE chancery.request DROP CONSTRAINT request_source_kind_source_id_source_expires_key;
ALTER TABLE chancery.request ADD CONSTRAINT request_source UNIQUE (source_kind, source_id, source_expires, profile_revision_id);

DROP FUNCTION chancery.signer_request_of(int, text, bigint, timestamptz);
CREATE FUNCTION chancery.signer_request_of(p_tenant int, p_kind text, p_id bigint, p_expires timestamptz, p_revision bigint)
RETURNS TABLE (request_id bigint, state text, spki_sha256 bytea, content_sha256 bytea, expired boolean, certificate bytea, valid boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT q.request_id, q.state, q.spki_sha256, q.content_sha256, q.expires_at <= clock_timestamp(), x.der,
               q.not_after > clock_timestamp() AND NOT EXISTS (
                   SELECT FROM chancery.revocation w WHERE w.ca_version_id = q.ca_version_id AND w.serial = q.serial)
        FROM chancery.request q
        LEFT JOIN chancery.certificate x ON x.ca_version_id = q.ca_version_id AND x.serial = q.serial AND x.not_after = q.not_after AND x.tenant_id = p_tenant
        WHERE q.source_kind = p_kind AND q.source_id = p_id AND q.source_expires = p_expires AND q.profile_revision_id = p_revision
          AND q.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.signer_request_of IS 'The request that an authorization led to under a revision of the profile, and its certificate where there is one. No row: none yet.';
ALTER FUNCTION chancery.signer_request_of OWNER TO chancery_definer;
REVOKE ALL ON FUNCTION chancery.signer_request_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chancery.signer_request_of TO chancery_signer;

-- Whoever takes an approval back decided last: the row names that person and time, the audit log both.
DROP TRIGGER request_immutable ON chancery.request;
CREATE TRIGGER request_immutable BEFORE UPDATE OR DELETE ON chancery.request FOR EACH ROW
    EXECUTE FUNCTION chancery.keep_immutable('state', 'row_version', 'decided_at', 'decided_by', '+ca_version_id', '+serial', '+not_after');
CREATE OR REPLACE FUNCTION chancery.op_request_decide(p_tenant int, p_login text, p_request bigint, p_approve boolean, p_content text, p_expected int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    q chancery.request;
    word text;
BEGIN
    SELECT * INTO q FROM chancery.request x WHERE x.request_id = p_request AND x.tenant_id = p_tenant FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('request %s: not found', p_request));
    END IF;
    PERFORM chancery.operator_expect(format('request %s', p_request), q.row_version, p_expected);
    word := chancery.operator_request_word(q.state, q.expires_at);
    -- An approval that has led to nothing yet can be taken back.
    IF word <> 'pending' AND NOT (word = 'approved' AND NOT p_approve) THEN
        PERFORM chancery.refuse('WrongState', format('request %s: found %s, wanted pending', p_request, word));
    END IF;
    IF p_content IS NOT NULL AND lower(p_content) <> encode(q.content_sha256, 'hex') THEN
        PERFORM chancery.refuse('Stale', format('request %s: found content %s, wanted %s', p_request, encode(q.content_sha256, 'hex'), lower(left(p_content, 64))));
    END IF;
    IF p_approve AND NOT EXISTS (
        SELECT FROM chancery.profile_revision r JOIN chancery.profile p ON p.profile_id = r.profile_id AND p.tenant_id = p_tenant
        WHERE r.profile_revision_id = q.profile_revision_id AND r.tenant_id = p_tenant AND r.revision = p.revision AND p.deleted_at IS NULL) THEN
        PERFORM chancery.refuse('WrongState', format('request %s: its profile has another revision by now, or is deleted; the device has to ask anew', p_request));
    END IF;
    UPDATE chancery.request x SET state = CASE WHEN p_approve THEN 'approved' ELSE 'rejected' END, decided_at = now(), decided_by = actor,
        row_version = x.row_version + 1
    WHERE x.request_id = p_request AND x.tenant_id = p_tenant;
    PERFORM chancery.audit_add(p_tenant, actor, CASE WHEN p_approve THEN 'Approve CertificateRequest' ELSE 'Reject CertificateRequest' END, p_request::text, q.subject,
        jsonb_build_object('from', q.state, 'content', encode(q.content_sha256, 'hex'), 'key', encode(q.spki_sha256, 'hex'), 'device', q.device_id,
                           'revision', q.profile_revision_id));
END $$;

-- As before; what is open is found by its index, however many requests have been issued.
CREATE OR REPLACE FUNCTION chancery.op_request_list(p_tenant int, p_login text, p_state text, p_limit int, p_before bigint)
RETURNS TABLE (id bigint, state text, profile text, device text, subject text, created_at text, expires_at text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    open boolean := coalesce(p_state, '') IN ('pending', 'approved', 'expired');
BEGIN
    RETURN QUERY
        SELECT q.request_id, chancery.operator_request_word(q.state, q.expires_at), p.name, d.name, q.subject, chancery.operator_time(q.created_at),
               chancery.operator_time(q.expires_at)
        FROM (SELECT * FROM chancery.request o WHERE open AND o.tenant_id = p_tenant AND o.state IN ('pending', 'approved')
              UNION ALL SELECT * FROM chancery.request o WHERE NOT open AND o.tenant_id = p_tenant) q
        JOIN chancery.profile_revision r ON r.profile_revision_id = q.profile_revision_id AND r.tenant_id = p_tenant
        JOIN chancery.profile p ON p.profile_id = r.profile_id AND p.tenant_id = p_tenant
        JOIN chancery.device d ON d.device_id = q.device_id AND d.tenant_id = p_tenant
        WHERE (p_state IS NULL OR chancery.operator_request_word(q.state, q.expires_at) = p_state)
          AND (p_before IS NULL OR q.request_id < p_before)
        ORDER BY q.request_id DESC LIMIT nullif(p_limit, 0);
END $$;
