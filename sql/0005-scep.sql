-- Chancery, migration 5: the rest of SCEP: renewal by the certificate before, requests that wait for approval, look-ups, and the settings of
-- profiles that these need.
--
-- What is spent for a certificate is an authorization: of kind challenge (id and end are sealed in it) or predecessor (the certificate's id and its
-- end). A request that waits names the one that it will spend; it is spent when the certificate is issued, and the request's row keeps other keys out
-- until then.

ALTER TABLE chancery.profile_revision
    ADD COLUMN algorithms text NOT NULL DEFAULT 'compatible' CHECK (algorithms IN ('modern', 'compatible', 'legacy')),
    ADD COLUMN renewal boolean NOT NULL DEFAULT false,
    ADD COLUMN approval text NOT NULL DEFAULT 'automatic' CHECK (approval IN ('automatic', 'manual')),
    ADD COLUMN variant text NOT NULL DEFAULT '' CHECK (variant ~ '^[a-z-]{0,32}$');
COMMENT ON COLUMN chancery.profile_revision.algorithms IS 'Which algorithms its devices'' messages may use (lib/policy/algorithms.h).';
COMMENT ON COLUMN chancery.profile_revision.renewal IS 'Whether a certificate may be renewed by itself alone, inside the threshold.';
COMMENT ON COLUMN chancery.profile_revision.approval IS 'manual: each certificate waits until somebody approves it.';
COMMENT ON COLUMN chancery.profile_revision.variant IS 'What the SCEP URI says of the client (lib/policy/variant.h); empty: nothing.';

CREATE TABLE chancery.request (
    request_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    source_kind text NOT NULL CHECK (source_kind IN ('challenge', 'predecessor')),
    source_id bigint NOT NULL,
    source_expires timestamptz NOT NULL,
    ca_id int NOT NULL REFERENCES chancery.ca,
    device_id bigint NOT NULL REFERENCES chancery.device,
    user_id bigint REFERENCES chancery.person,
    profile_revision_id bigint NOT NULL REFERENCES chancery.profile_revision,
    transaction text NOT NULL CHECK (length(transaction) BETWEEN 1 AND 1020),
    spki bytea NOT NULL CHECK (octet_length(spki) BETWEEN 32 AND 1024),
    spki_sha256 bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
    subject text NOT NULL CHECK (length(subject) <= 8192),
    sans text[] NOT NULL CHECK (cardinality(sans) <= 500),
    key_usage int NOT NULL CHECK (key_usage IN (1, 4, 5)),
    eku_oids text[] NOT NULL CHECK (cardinality(eku_oids) BETWEEN 1 AND 500),
    validity int NOT NULL CHECK (validity BETWEEN 1 AND 731),
    validity_unit text NOT NULL CHECK (validity_unit IN ('days', 'months', 'years')),
    key_size int NOT NULL CHECK (key_size BETWEEN 2048 AND 4096),
    content_sha256 bytea NOT NULL CHECK (octet_length(content_sha256) = 32),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'rejected', 'issued')),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    decided_at timestamptz,
    decided_by text CHECK (length(decided_by) <= 128),
    ca_version_id int,
    serial bytea CHECK (octet_length(serial) = 16),
    not_after timestamptz,
    expired_before int NOT NULL,
    row_version int NOT NULL DEFAULT 1,
    CONSTRAINT request_source UNIQUE (source_kind, source_id, source_expires, profile_revision_id, expired_before),
    CHECK ((state = 'issued') = (serial IS NOT NULL)),
    CHECK ((serial IS NULL) = (not_after IS NULL)),
    CHECK ((serial IS NULL) = (ca_version_id IS NULL)),
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL))
);
COMMENT ON TABLE chancery.request IS 'Requests under profiles whose approval is manual. The row holds what would be issued; an approval is of that, and of the profile''s revision.';
COMMENT ON COLUMN chancery.request.expired_before IS 'How many requests of this authorization and revision nobody decided in time: one lives at a time, and what nobody looked at stands in nobody''s way. That a certificate has one successor is the authorization''s to keep.';
COMMENT ON COLUMN chancery.request.transaction IS 'The client''s transaction id in printable form: with the key it finds the request again, and authorises nothing.';
COMMENT ON COLUMN chancery.request.content_sha256 IS 'Of all that is to be issued, as the signer computed it; what it computes when it issues has to be the same.';
CREATE INDEX request_by_transaction ON chancery.request (ca_id, transaction);
COMMENT ON INDEX chancery.request_by_transaction IS 'Serves: polling by transaction and key.';
CREATE INDEX request_open ON chancery.request (tenant_id, request_id) WHERE state IN ('pending', 'approved');
COMMENT ON INDEX chancery.request_open IS 'Serves: the list of what waits.';
-- Whoever takes an approval back decided last: the row names that person and time, the audit log both.
CREATE TRIGGER request_immutable BEFORE UPDATE OR DELETE ON chancery.request FOR EACH ROW
    EXECUTE FUNCTION chancery.keep_immutable('state', 'row_version', 'decided_at', 'decided_by', '+ca_version_id', '+serial', '+not_after');
ALTER TABLE chancery.request OWNER TO chancery_tables;
REVOKE ALL ON chancery.request FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON chancery.request TO chancery_definer;
ALTER TABLE chancery.request ENABLE ROW LEVEL SECURITY;
ALTER TABLE chancery.request FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON chancery.request USING (tenant_id = (SELECT nullif(current_setting('chancery.tenant', true), '')::int));

-- ------------------------------------------------------------------------------------------------------------------ SCEP responder

DROP FUNCTION chancery.scep_endpoint(uuid, int);
CREATE FUNCTION chancery.scep_endpoint(p_ca uuid, p_staged_version int)
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
COMMENT ON FUNCTION chancery.scep_endpoint IS 'What answers at a SCEP URI: the CA''s certificates and its RA generations, newest first, keys still encrypted, and the number of the version that is staged to follow. No row: no such endpoint.';

CREATE FUNCTION chancery.issuing_next_version(p_tenant int, p_ca int, p_after int) RETURNS int LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT max(v.number) FROM chancery.ca_version v
            WHERE v.ca_id = p_ca AND v.tenant_id = p_tenant AND v.state = 'staged' AND v.number > p_after AND v.certificate IS NOT NULL
              AND EXISTS (SELECT FROM chancery.ra a WHERE a.ca_version_id = v.ca_version_id));
END $$;
COMMENT ON FUNCTION chancery.issuing_next_version IS 'The version of a CA that is staged to follow another, once its RA certificates are there; NULL: none.';

CREATE FUNCTION chancery.scep_crl(p_ca uuid, p_staged_version int, p_serial bytea, p_most bigint)
RETURNS TABLE (url text, number bigint, size bigint, crl bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    route chancery.ca_route;
    month timestamptz := chancery.operator_serial_month(p_serial);
    of_version int;
    of_shard int := 0;
BEGIN
    SELECT * INTO route FROM chancery.ca_route r WHERE r.uuid = p_ca;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM set_config('chancery.tenant', route.tenant_id::text, true);
    -- The CRL is that of the version and shard which the certificate is of; where the number is none of this CA's, the version in production.
    SELECT x.ca_version_id, x.crl_shard INTO of_version, of_shard FROM chancery.certificate x
    WHERE x.serial = p_serial AND x.not_after >= month AND x.not_after < month + interval '32 days' AND x.tenant_id = route.tenant_id
      AND x.ca_version_id IN (SELECT v.ca_version_id FROM chancery.ca_version v WHERE v.ca_id = route.ca_id AND v.tenant_id = route.tenant_id);
    IF of_version IS NULL THEN
        SELECT v.ca_version_id, 0 INTO of_version, of_shard FROM chancery.ca_version v
        WHERE v.ca_id = route.ca_id AND v.tenant_id = route.tenant_id AND v.certificate IS NOT NULL
          AND CASE WHEN p_staged_version IS NULL THEN v.state IN ('active', 'paused', 'revoked') ELSE v.state = 'staged' AND v.number = p_staged_version END
        ORDER BY v.number DESC LIMIT 1;
    END IF;
    RETURN QUERY
        SELECT CASE WHEN v.crl_shards = 0 THEN v.crl_url ELSE v.crl_url || '/' || s.crl_shard || '.crl' END, s.number, s.size,
               CASE WHEN s.size <= p_most THEN (SELECT string_agg(p.data, ''::bytea ORDER BY p.piece) FROM chancery.crl_piece p
                    WHERE p.ca_version_id = s.ca_version_id AND p.crl_shard = s.crl_shard AND p.number = s.number) END
        FROM chancery.crl_state s JOIN chancery.ca_version v ON v.ca_version_id = s.ca_version_id AND v.tenant_id = route.tenant_id
        WHERE s.ca_version_id = of_version AND s.crl_shard = of_shard AND s.tenant_id = route.tenant_id;
END $$;
COMMENT ON FUNCTION chancery.scep_crl IS 'The newest CRL that covers a serial number of this CA; without its bytes where it is larger than p_most, number 0 where none was built.';

-- ------------------------------------------------------------------------------------------------------------------- signer: issuing

DROP FUNCTION chancery.signer_enrol_read(int, bigint, bigint, bigint, int, bytea);
CREATE FUNCTION chancery.signer_enrol_read(p_tenant int, p_device bigint, p_user bigint, p_revision bigint, p_ca_version int, p_spki_sha256 bytea)
RETURNS TABLE (now timestamptz, ca_uuid text, version int, ca_state text, ca_deleted boolean, device_state text, user_state text,
               delivery_id bigint, delivery_state text, delivery_challenge bigint,
               profile_name text, platform text, profile_deleted boolean, profile_ca_id int, version_ca_id int,
               for_user boolean, subject_format text, san_types text[], san_formats text[], validity int, validity_unit text,
               key_usage int, key_size_min int, eku_oids text[], strict boolean,
               attribute_names text[], attribute_values text[], key_device bigint,
               algorithms text, renewal boolean, approval text, renewal_threshold int, variant text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT clock_timestamp(), c.uuid::text, v.number, v.state, c.deleted_at IS NOT NULL, d.state, u.state,
               y.delivery_id, y.state, y.challenge_id,
               p.name, p.platform, p.deleted_at IS NOT NULL, p.ca_id, v.ca_id,
               r.for_user, r.subject_format, r.san_types, r.san_formats, r.validity, r.validity_unit, r.key_usage, r.key_size_min, r.eku_oids, r.strict,
               a.names, a.vals,
               (SELECT k.device_id FROM chancery.public_key k WHERE k.tenant_id = p_tenant AND k.spki_sha256 = p_spki_sha256),
               r.algorithms, r.renewal, r.approval, r.renewal_threshold, r.variant
        FROM (SELECT 1) one
        LEFT JOIN chancery.ca_version v ON v.ca_version_id = p_ca_version AND v.tenant_id = p_tenant
        LEFT JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant
        LEFT JOIN chancery.device d ON d.device_id = p_device AND d.tenant_id = p_tenant
        LEFT JOIN chancery.person u ON u.user_id = p_user AND u.tenant_id = p_tenant
        LEFT JOIN chancery.profile_revision r ON r.profile_revision_id = p_revision AND r.tenant_id = p_tenant
        LEFT JOIN chancery.profile p ON p.profile_id = r.profile_id AND p.tenant_id = p_tenant
        LEFT JOIN chancery.delivery y ON y.profile_revision_id = p_revision AND y.device_id = p_device
              AND coalesce(y.user_id, 0) = coalesce(p_user, 0) AND y.tenant_id = p_tenant
        LEFT JOIN LATERAL chancery.registry_attributes(d, u) a ON true;
END $$;
COMMENT ON FUNCTION chancery.signer_enrol_read IS 'The one read of an enrolment: one row, columns NULL where the authorization names something that is not there. It does not look whether the authorization is spent: the write finds that out by the primary key.';

-- The write of an enrolment names these: the functions that used them come after.
DROP FUNCTION chancery.signer_enrol_write(int, bigint, timestamptz, bigint, bigint, bigint, bigint, int, bytea, bytea, timestamptz, timestamptz, int, text,
                                          text[], text[], bytea, bytea, bytea, text);
DROP FUNCTION chancery.signer_enrol_spent(int, bigint, timestamptz);
CREATE FUNCTION chancery.signer_enrol_spent(p_tenant int, p_kind text, p_id bigint, p_expires timestamptz)
RETURNS TABLE (spki_sha256 bytea, certificate bytea, valid boolean, issuer bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT t.spki_sha256, x.der, t.not_after > clock_timestamp() AND NOT EXISTS (
                   SELECT FROM chancery.revocation w WHERE w.ca_version_id = t.ca_version_id AND w.serial = t.serial),
               (SELECT v.certificate FROM chancery.ca_version v WHERE v.ca_version_id = t.ca_version_id AND v.tenant_id = p_tenant)
        FROM chancery.authorization t
        JOIN chancery.certificate x ON x.ca_version_id = t.ca_version_id AND x.serial = t.serial AND x.not_after = t.not_after AND x.tenant_id = p_tenant
        WHERE t.kind = p_kind AND t.id = p_id AND t.expires_at = p_expires AND t.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.signer_enrol_spent IS 'What a spent authorization led to; no row where it is not spent. Asked where an enrolment is about to be refused: a repeated request is answered also when the authorization has ended since.';

CREATE FUNCTION chancery.issuing_predecessor_check(p_tenant int, p_certificate bigint, p_not_after timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- op_certificate_revoke takes this lock alone: a revocation that commits first wins, and one that comes later finds the successor recorded.
    PERFORM pg_advisory_xact_lock_shared(20004, (p_certificate % 2147483647)::int);
    IF p_not_after <= clock_timestamp() OR EXISTS (
        SELECT FROM chancery.certificate x JOIN chancery.revocation w ON w.ca_version_id = x.ca_version_id AND w.serial = x.serial
        WHERE x.certificate_id = p_certificate AND x.not_after = p_not_after AND x.tenant_id = p_tenant) THEN
        PERFORM chancery.refuse('PredecessorNotValid', format('certificate %s: found revoked, on hold or expired, wanted valid', p_certificate));
    END IF;
END $$;
COMMENT ON FUNCTION chancery.issuing_predecessor_check IS 'Refuses a renewal whose certificate was revoked or has ended by now.';

CREATE FUNCTION chancery.issuing_request_check(p_tenant int, p_request bigint, p_spki_sha256 bytea, p_content_sha256 bytea) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    q chancery.request;
BEGIN
    SELECT * INTO q FROM chancery.request x WHERE x.request_id = p_request AND x.tenant_id = p_tenant FOR UPDATE;
    IF q.state IS DISTINCT FROM 'approved' OR q.expires_at <= clock_timestamp() THEN
        PERFORM chancery.refuse('RequestNotApproved', format('request %s: found %s, wanted approved', p_request, coalesce(q.state, 'none')));
    ELSIF q.spki_sha256 <> p_spki_sha256 OR q.content_sha256 IS DISTINCT FROM p_content_sha256 THEN
        PERFORM chancery.refuse('ApprovedContentChanged', format('request %s: found another content than what was approved', p_request));
    END IF;
END $$;
COMMENT ON FUNCTION chancery.issuing_request_check IS 'Refuses to issue what was not approved exactly so.';

CREATE FUNCTION chancery.signer_enrol_write(p_tenant int, p_kind text, p_id bigint, p_expires timestamptz, p_device bigint, p_user bigint, p_revision bigint,
    p_delivery bigint, p_ca_version int, p_spki_sha256 bytea, p_serial bytea, p_not_before timestamptz, p_not_after timestamptz, p_crl_shard int,
    p_subject text, p_name_kinds text[], p_names text[], p_sha1 bytea, p_sha256 bytea, p_der bytea, p_transaction text, p_request bigint, p_content_sha256 bytea)
RETURNS bytea LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    state text;
    delivery record;
    spent record;
    owner bigint;
    device_name text;
    certificate bigint;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    -- Under lock, as of now: what the read saw may have changed since, and what committed in between wins.
    PERFORM pg_advisory_xact_lock_shared(20001, p_ca_version);
    SELECT v.state INTO state FROM chancery.ca_version v JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant AND c.deleted_at IS NULL
    WHERE v.ca_version_id = p_ca_version AND v.tenant_id = p_tenant;
    IF state IS DISTINCT FROM 'active' THEN
        PERFORM chancery.refuse(CASE state WHEN 'paused' THEN 'CertificationAuthorityPaused' WHEN 'revoked' THEN 'CertificationAuthorityRevoked'
                                ELSE 'CertificationAuthorityNotActive' END, format('CA version %s: found %s, wanted active', p_ca_version, state));
    END IF;
    SELECT d.state, d.name INTO state, device_name FROM chancery.device d WHERE d.device_id = p_device AND d.tenant_id = p_tenant FOR SHARE;
    IF state IS DISTINCT FROM 'enrolled' THEN
        PERFORM chancery.refuse('BadDeviceIdInChallenge', format('device %s: found %s, wanted enrolled', p_device, state));
    END IF;
    IF p_user IS NOT NULL THEN
        SELECT u.state INTO state FROM chancery.person u WHERE u.user_id = p_user AND u.tenant_id = p_tenant FOR SHARE;
        IF state IS DISTINCT FROM 'active' THEN
            PERFORM chancery.refuse('BadUserIdInChallenge', format('user %s: found %s, wanted active', p_user, state));
        END IF;
    END IF;
    SELECT y.state, y.challenge_id INTO delivery FROM chancery.delivery y
    WHERE y.delivery_id = p_delivery AND y.device_id = p_device AND y.profile_revision_id = p_revision AND y.tenant_id = p_tenant FOR SHARE;
    IF delivery.state IS DISTINCT FROM 'current' THEN
        PERFORM chancery.refuse('ScepProfileNoLongerTargetedToTheClient', format('delivery %s: found %s, wanted current', p_delivery, delivery.state));
    END IF;

    INSERT INTO chancery.authorization (kind, id, expires_at, tenant_id, state, spki_sha256, ca_version_id, serial, not_after)
    VALUES (p_kind, p_id, p_expires, p_tenant, 'issued', p_spki_sha256, p_ca_version, p_serial, p_not_after)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO spent FROM chancery.signer_enrol_spent(p_tenant, p_kind, p_id, p_expires);
        IF spent.spki_sha256 IS DISTINCT FROM p_spki_sha256 THEN
            PERFORM chancery.refuse(CASE p_kind WHEN 'challenge' THEN 'BadCertificateRequestIdInChallenge' ELSE 'PredecessorAlreadyRenewed' END,
                                    format('%s %s: already used with another key', p_kind, p_id));
        END IF;
        IF NOT spent.valid THEN
            PERFORM chancery.refuse('CertificateAlreadyRevoked', format('%s %s: its certificate is revoked or expired', p_kind, p_id));
        END IF;
        RETURN spent.certificate;
    END IF;
    -- What may go on: an approval, exactly as it was given; else the certificate before, while it is valid, or the newest challenge.
    IF p_request IS NOT NULL THEN
        PERFORM chancery.issuing_request_check(p_tenant, p_request, p_spki_sha256, p_content_sha256);
    ELSIF p_kind = 'challenge' AND delivery.challenge_id IS DISTINCT FROM p_id THEN
        PERFORM chancery.refuse('BadCertificateRequestIdInChallenge', format('challenge %s: replaced by %s', p_id, delivery.challenge_id));
    END IF;
    IF p_kind = 'predecessor' THEN
        PERFORM chancery.issuing_predecessor_check(p_tenant, p_id, p_expires);
    END IF;

    INSERT INTO chancery.public_key (tenant_id, spki_sha256, device_id) VALUES (p_tenant, p_spki_sha256, p_device) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT k.device_id INTO owner FROM chancery.public_key k WHERE k.tenant_id = p_tenant AND k.spki_sha256 = p_spki_sha256;
        IF owner IS DISTINCT FROM p_device THEN
            PERFORM chancery.refuse('RegisteredKeyMismatch', format('public key: found certified for device %s, wanted device %s', owner, p_device));
        ELSIF p_kind = 'predecessor' THEN
            PERFORM chancery.refuse('KeyNotNew', format('public key: found certified for device %s before, wanted a new one', owner));
        END IF;
    END IF;

    certificate := nextval('chancery.certificate_id');
    INSERT INTO chancery.certificate (certificate_id, not_after, tenant_id, ca_version_id, serial, kind, crl_shard, not_before, device_id, user_id,
                                      profile_revision_id, subject, spki_sha256, sha1, sha256, der)
    VALUES (certificate, p_not_after, p_tenant, p_ca_version, p_serial, 'leaf', p_crl_shard, p_not_before, p_device, p_user, p_revision, p_subject,
            p_spki_sha256, p_sha1, p_sha256, p_der);
    INSERT INTO chancery.certificate_name (certificate_id, not_after, kind, name)
    SELECT certificate, p_not_after, n.kind, n.name FROM unnest(p_name_kinds, p_names) AS n (kind, name);
    IF p_request IS NOT NULL THEN
        UPDATE chancery.request q SET state = 'issued', ca_version_id = p_ca_version, serial = p_serial, not_after = p_not_after, row_version = q.row_version + 1
        WHERE q.request_id = p_request AND q.tenant_id = p_tenant;
    END IF;
    PERFORM chancery.audit_add(p_tenant, 'device:' || p_device, 'Issue LeafCertificate', encode(p_serial, 'hex'), p_subject,
        jsonb_strip_nulls(jsonb_build_object('certificate', certificate, 'device', device_name, 'revision', p_revision, 'ca_version', p_ca_version, p_kind, p_id,
                                             'request', p_request, 'transaction', p_transaction)));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chancery.signer_enrol_write IS 'The one write of an enrolment: authorization, certificate and audit in one transaction. NULL: recorded; else the certificate that this authorization led to before.';

ALTER TABLE chancery.refusal ADD COLUMN kind text NOT NULL DEFAULT 'challenge' CHECK (kind IN ('challenge', 'predecessor'));
ALTER TABLE chancery.refusal RENAME COLUMN challenge_id TO authorization_id;
ALTER TABLE chancery.refusal DROP CONSTRAINT refusal_pkey;
ALTER TABLE chancery.refusal ADD PRIMARY KEY (kind, authorization_id, reason);
COMMENT ON TABLE chancery.refusal IS 'How often an authorization was refused for a reason: the first hundred are audited, all are counted, so that one leaked challenge cannot fill the audit log.';

DROP FUNCTION chancery.signer_enrol_refused(int, bigint, text, text, text, text, bigint, text);
CREATE FUNCTION chancery.signer_enrol_refused(p_tenant int, p_device bigint, p_reason text, p_field text, p_found text, p_wanted text, p_kind text, p_id bigint,
    p_transaction text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    times bigint;
BEGIN
    INSERT INTO chancery.refusal AS r (kind, authorization_id, reason, tenant_id) VALUES (p_kind, p_id, p_reason, p_tenant)
    ON CONFLICT (kind, authorization_id, reason) DO UPDATE SET count = r.count + 1, last_at = clock_timestamp() RETURNING r.count INTO times;
    IF times > 100 THEN
        RETURN;
    END IF;
    PERFORM chancery.audit_add(p_tenant, 'device:' || p_device, 'Refuse LeafCertificate', p_id::text, p_reason,
        jsonb_build_object('authorization', p_kind, 'reason', p_reason, 'field', p_field, 'found', left(p_found, 1024), 'wanted', left(p_wanted, 1024),
                           'transaction', p_transaction));
END $$;
COMMENT ON FUNCTION chancery.signer_enrol_refused IS 'Records a refusal after the authorization was known, with both values, for the operator: the first hundred of an authorization and reason, then it counts.';

-- ------------------------------------------------------------------------------------------------------------------- signer: renewal

CREATE FUNCTION chancery.signer_predecessor_find(p_ca uuid, p_serial bytea, p_sha256 bytea)
RETURNS TABLE (tenant_id int, certificate_id bigint, not_before timestamptz, not_after timestamptz, revoked boolean, device_id bigint, user_id bigint,
               profile_revision_id bigint, ca_version_id int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    route chancery.ca_route;
    month timestamptz := chancery.operator_serial_month(p_serial);
BEGIN
    SELECT * INTO route FROM chancery.ca_route r WHERE r.uuid = p_ca;
    IF NOT FOUND OR month IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('chancery.tenant', route.tenant_id::text, true);
    -- Of any version of the CA, a retired one among them; what follows is issued by the one in production, as the profile says now.
    RETURN QUERY
        SELECT route.tenant_id, x.certificate_id, x.not_before, x.not_after,
               EXISTS (SELECT FROM chancery.revocation w WHERE w.ca_version_id = x.ca_version_id AND w.serial = x.serial),
               x.device_id, x.user_id, n.profile_revision_id,
               (SELECT v.ca_version_id FROM chancery.ca_version v WHERE v.ca_id = route.ca_id AND v.tenant_id = route.tenant_id
                AND v.state IN ('active', 'paused', 'revoked') ORDER BY v.number DESC LIMIT 1)
        FROM chancery.certificate x
        JOIN chancery.profile_revision r ON r.profile_revision_id = x.profile_revision_id AND r.tenant_id = route.tenant_id
        JOIN chancery.profile p ON p.profile_id = r.profile_id AND p.tenant_id = route.tenant_id
        JOIN chancery.profile_revision n ON n.profile_id = p.profile_id AND n.revision = p.revision AND n.tenant_id = route.tenant_id
        WHERE x.serial = p_serial AND x.not_after >= month AND x.not_after < month + interval '32 days' AND x.tenant_id = route.tenant_id
          AND x.kind = 'leaf' AND x.sha256 = p_sha256
          AND x.ca_version_id IN (SELECT v.ca_version_id FROM chancery.ca_version v WHERE v.ca_id = route.ca_id AND v.tenant_id = route.tenant_id);
END $$;
COMMENT ON FUNCTION chancery.signer_predecessor_find IS 'A leaf certificate of this CA by serial number and SHA-256, with whom it is for and the profile''s current revision. No row: this CA did not issue it.';

-- ------------------------------------------------------------------------------------------------------ signer: requests, look-ups

CREATE FUNCTION chancery.signer_request_of(p_tenant int, p_kind text, p_id bigint, p_expires timestamptz, p_revision bigint)
RETURNS TABLE (request_id bigint, state text, spki_sha256 bytea, content_sha256 bytea, expired boolean, certificate bytea, valid boolean,
               issuer bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT q.request_id, q.state, q.spki_sha256, q.content_sha256, q.expires_at <= clock_timestamp(), x.der,
               q.not_after > clock_timestamp() AND NOT EXISTS (
                   SELECT FROM chancery.revocation w WHERE w.ca_version_id = q.ca_version_id AND w.serial = q.serial),
               (SELECT v.certificate FROM chancery.ca_version v WHERE v.ca_version_id = q.ca_version_id AND v.tenant_id = p_tenant)
        FROM chancery.request q
        LEFT JOIN chancery.certificate x ON x.ca_version_id = q.ca_version_id AND x.serial = q.serial AND x.not_after = q.not_after AND x.tenant_id = p_tenant
        WHERE q.source_kind = p_kind AND q.source_id = p_id AND q.source_expires = p_expires AND q.profile_revision_id = p_revision
          AND q.tenant_id = p_tenant
        ORDER BY q.request_id DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION chancery.signer_request_of IS 'The newest request that an authorization led to under a revision of the profile, and its certificate and that one''s issuer where there is one. No row: none yet.';

CREATE FUNCTION chancery.signer_request_find(p_ca uuid, p_transaction text, p_spki_sha256 bytea)
RETURNS TABLE (tenant_id int, source_kind text, source_id bigint, source_expires timestamptz, device_id bigint, user_id bigint, profile_revision_id bigint,
               ca_version_id int, spki bytea)
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
        SELECT route.tenant_id, q.source_kind, q.source_id, q.source_expires, q.device_id, q.user_id, q.profile_revision_id,
               (SELECT v.ca_version_id FROM chancery.ca_version v WHERE v.ca_id = route.ca_id AND v.tenant_id = route.tenant_id
                AND v.state IN ('active', 'paused', 'revoked') ORDER BY v.number DESC LIMIT 1), q.spki
        FROM chancery.request q
        WHERE q.transaction = p_transaction AND q.ca_id = route.ca_id AND q.tenant_id = route.tenant_id
          -- A renewal's poll is signed as the renewal was: by the certificate before.
          AND (q.spki_sha256 = p_spki_sha256 OR q.source_kind = 'predecessor' AND EXISTS (
                SELECT FROM chancery.certificate x WHERE x.certificate_id = q.source_id AND x.not_after = q.source_expires AND x.tenant_id = route.tenant_id
                AND x.spki_sha256 = p_spki_sha256))
        ORDER BY q.request_id DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION chancery.signer_request_find IS 'The newest request of a transaction, for who holds the key to be certified or the key of the certificate that is to be renewed. No row: none.';

CREATE FUNCTION chancery.signer_request_add(p_tenant int, p_kind text, p_id bigint, p_expires timestamptz, p_ca_version int, p_device bigint, p_user bigint,
    p_revision bigint, p_transaction text, p_spki bytea, p_spki_sha256 bytea, p_subject text, p_sans text[], p_key_usage int, p_eku_oids text[], p_validity int,
    p_validity_unit text, p_key_size int, p_content_sha256 bytea, p_days int)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    id bigint;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    INSERT INTO chancery.request AS q (tenant_id, source_kind, source_id, source_expires, ca_id, device_id, user_id, profile_revision_id, transaction, spki, spki_sha256,
                                       subject, sans, key_usage, eku_oids, validity, validity_unit, key_size, content_sha256, expires_at,
                                       expired_before)
    SELECT p_tenant, p_kind, p_id, p_expires, v.ca_id, p_device, p_user, p_revision, p_transaction, p_spki, p_spki_sha256, p_subject, p_sans, p_key_usage, p_eku_oids,
           p_validity, p_validity_unit, p_key_size, p_content_sha256, now() + make_interval(days => p_days),
           (SELECT count(*) FROM chancery.request o WHERE o.source_kind = p_kind AND o.source_id = p_id AND o.source_expires = p_expires
            AND o.profile_revision_id = p_revision AND o.tenant_id = p_tenant AND o.state IN ('pending', 'approved') AND o.expires_at <= now())
    FROM chancery.ca_version v WHERE v.ca_version_id = p_ca_version AND v.tenant_id = p_tenant
    ON CONFLICT DO NOTHING RETURNING q.request_id INTO id;
    IF id IS NOT NULL THEN
        PERFORM chancery.audit_add(p_tenant, 'device:' || p_device, 'Create CertificateRequest', id::text, p_subject,
            jsonb_build_object('revision', p_revision, p_kind, p_id, 'content', encode(p_content_sha256, 'hex'), 'transaction', p_transaction));
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION chancery.signer_request_add IS 'Records a request that waits for approval. NULL: this authorization has one that lives.';

CREATE FUNCTION chancery.signer_certificate_find(p_ca uuid, p_serial bytea, p_spki_sha256 bytea)
RETURNS TABLE (certificate bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    route chancery.ca_route;
    month timestamptz := chancery.operator_serial_month(p_serial);
BEGIN
    SELECT * INTO route FROM chancery.ca_route r WHERE r.uuid = p_ca;
    IF NOT FOUND OR month IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('chancery.tenant', route.tenant_id::text, true);
    RETURN QUERY
        SELECT x.der FROM chancery.certificate x
        WHERE x.serial = p_serial AND x.not_after >= month AND x.not_after < month + interval '32 days' AND x.tenant_id = route.tenant_id AND x.kind = 'leaf'
          AND x.ca_version_id IN (SELECT v.ca_version_id FROM chancery.ca_version v WHERE v.ca_id = route.ca_id AND v.tenant_id = route.tenant_id)
          AND (x.spki_sha256 = p_spki_sha256 OR EXISTS (
                SELECT FROM chancery.certificate y WHERE y.spki_sha256 = p_spki_sha256 AND y.device_id = x.device_id AND y.tenant_id = route.tenant_id
                AND y.kind = 'leaf' AND y.not_after > clock_timestamp()
                AND NOT EXISTS (SELECT FROM chancery.revocation w WHERE w.ca_version_id = y.ca_version_id AND w.serial = y.serial)));
END $$;
COMMENT ON FUNCTION chancery.signer_certificate_find IS 'A leaf certificate of this CA for who holds its key, or the key of a valid certificate of the same device. No row: there is none, or it is not theirs.';

CREATE FUNCTION chancery.signer_next_ca(p_ca uuid)
RETURNS TABLE (tenant_id int, ca_version_id int, next_version_id int, sign_certificate bytea, encrypt_certificate bytea)
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
        SELECT route.tenant_id, v.ca_version_id, n.ca_version_id, a.sign_certificate, a.encrypt_certificate
        FROM chancery.ca_version v
        JOIN chancery.ca_version n ON n.ca_id = v.ca_id AND n.tenant_id = route.tenant_id
             AND n.number = chancery.issuing_next_version(route.tenant_id, route.ca_id, v.number)
        JOIN chancery.ra a ON a.ca_version_id = n.ca_version_id
        WHERE v.ca_id = route.ca_id AND v.tenant_id = route.tenant_id AND v.state IN ('active', 'paused')
        ORDER BY v.number DESC, a.generation DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION chancery.signer_next_ca IS 'The version of a CA in production, and the one that is staged to follow with its newest RA certificates. No row: none is staged.';

-- ------------------------------------------------------------------------------------------------------------------------ operator

-- As before, and the lock that a renewal by this certificate takes.
CREATE OR REPLACE FUNCTION chancery.op_certificate_revoke(p_tenant int, p_login text, p_serial bytea, p_ca text, p_reason int, p_invalidity timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    x chancery.certificate := chancery.operator_certificate(p_tenant, p_serial, p_ca);
    held int;
BEGIN
    IF x.kind = 'ca' THEN
        PERFORM chancery.refuse('WrongState', format('certificate %s: found a CA''s, which is revoked with its CA', encode(p_serial, 'hex')));
    ELSIF x.not_after < clock_timestamp() THEN
        PERFORM chancery.refuse('WrongState', format('certificate %s: found expired, wanted active', encode(p_serial, 'hex')));
    ELSIF p_invalidity > clock_timestamp() THEN
        PERFORM chancery.refuse('BadInput', format('invalidity date: found %s, wanted a time in the past', chancery.operator_time(p_invalidity)));
    END IF;
    PERFORM pg_advisory_xact_lock(20004, (x.certificate_id % 2147483647)::int);
    INSERT INTO chancery.revocation (ca_version_id, serial, tenant_id, crl_shard, revoked_at, reason, invalidity_date, not_after)
    VALUES (x.ca_version_id, x.serial, p_tenant, x.crl_shard, now(), p_reason, p_invalidity, x.not_after) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT r.reason INTO held FROM chancery.revocation r WHERE r.ca_version_id = x.ca_version_id AND r.serial = x.serial AND r.tenant_id = p_tenant FOR UPDATE;
        IF held IS DISTINCT FROM 6 OR p_reason = 6 THEN
            PERFORM chancery.refuse('WrongState', format('certificate %s: found %s, wanted active', encode(p_serial, 'hex'),
                CASE held WHEN 6 THEN 'on hold' ELSE format('revoked (%s)', chancery.operator_reason_word(held)) END));
        END IF;
        UPDATE chancery.revocation r SET reason = p_reason, invalidity_date = p_invalidity
        WHERE r.ca_version_id = x.ca_version_id AND r.serial = x.serial AND r.tenant_id = p_tenant;
    END IF;
    INSERT INTO chancery.revocation_event (tenant_id, ca_version_id, crl_shard, serial, action, reason, actor)
    VALUES (p_tenant, x.ca_version_id, x.crl_shard, x.serial, CASE p_reason WHEN 6 THEN 'hold' ELSE 'revoke' END, p_reason, actor);
    PERFORM chancery.audit_add(p_tenant, actor, 'RevokeLeafCertAsync CloudCertificationAuthorityLeafCertificate', encode(x.serial, 'hex'), x.subject,
        jsonb_strip_nulls(jsonb_build_object('reason', chancery.operator_reason_word(p_reason), 'invalidity_date', p_invalidity, 'kind', nullif(x.kind, 'leaf'),
                                             'after_hold', CASE WHEN held = 6 THEN true END)));
END $$;

DROP FUNCTION chancery.op_profile_add(int, text, text, text, text, boolean, text, text[], text[], int, text, int, int, text[], boolean, int, int);
DROP FUNCTION chancery.op_profile_read(int, text, text);
DROP FUNCTION chancery.op_profile_revise(int, text, bigint, int, text, boolean, text, text[], text[], int, text, int, int, text[], boolean, int, int);
DROP FUNCTION chancery.op_profile_show(int, text, text);
DROP FUNCTION chancery.operator_revision_add(int, text, bigint, int, boolean, text, text[], text[], int, text, int, int, text[], boolean, int, int);

CREATE FUNCTION chancery.operator_revision_add(p_tenant int, p_actor text, p_profile bigint, p_revision int, p_for_user boolean, p_subject text, p_san_types text[],
    p_san_formats text[], p_validity int, p_validity_unit text, p_key_usage int, p_key_size_min int, p_ekus text[], p_strict boolean, p_threshold int,
    p_challenge_seconds int, p_algorithms text, p_renewal boolean, p_approval text, p_variant text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO chancery.profile_revision (tenant_id, profile_id, revision, for_user, subject_format, san_types, san_formats, validity, validity_unit, key_usage,
                                           key_size_min, eku_oids, strict, renewal_threshold, challenge_seconds, created_by, algorithms, renewal, approval, variant)
    VALUES (p_tenant, p_profile, p_revision, p_for_user, p_subject, p_san_types, p_san_formats, p_validity, p_validity_unit, p_key_usage, p_key_size_min, p_ekus,
            p_strict, p_threshold, p_challenge_seconds, p_actor, p_algorithms, p_renewal, p_approval, p_variant);
    PERFORM chancery.delivery_resolve(p_tenant, p_profile);
END $$;
COMMENT ON FUNCTION chancery.operator_revision_add IS 'Stores a revision and makes the deliveries those of it.';

CREATE FUNCTION chancery.op_profile_add(p_tenant int, p_login text, p_name text, p_platform text, p_ca text, p_for_user boolean, p_subject text, p_san_types text[],
    p_san_formats text[], p_validity int, p_validity_unit text, p_key_usage int, p_key_size_min int, p_ekus text[], p_strict boolean, p_threshold int,
    p_challenge_seconds int, p_algorithms text, p_renewal boolean, p_approval text, p_variant text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    id bigint;
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    PERFORM chancery.operator_name_check('profile', p_name);
    IF c.kind = 'root' THEN
        PERFORM chancery.refuse('BadInput', format('CA "%s": found a root, wanted an issuing CA', c.name));
    END IF;
    INSERT INTO chancery.profile (tenant_id, kind, name, platform, ca_id, created_by) VALUES (p_tenant, 'scep', p_name, p_platform, c.ca_id, actor)
    RETURNING profile_id INTO id;
    PERFORM chancery.operator_revision_add(p_tenant, actor, id, 1, p_for_user, p_subject, p_san_types, p_san_formats, p_validity, p_validity_unit, p_key_usage,
                                           p_key_size_min, p_ekus, p_strict, p_threshold, p_challenge_seconds, p_algorithms, p_renewal, p_approval, p_variant);
    PERFORM chancery.audit_add(p_tenant, actor, 'Create Profile', id::text, p_name, jsonb_build_object('platform', p_platform, 'ca', c.uuid, 'subject', p_subject,
        'algorithms', p_algorithms, 'renewal', p_renewal, 'approval', p_approval));
    RETURN id;
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('profile "%s"', p_name));
END $$;
COMMENT ON FUNCTION chancery.op_profile_add IS 'A new profile and its first revision; the settings were checked against the CA''s certificate by the caller and are checked again by the signer.';

CREATE FUNCTION chancery.op_profile_read(p_tenant int, p_login text, p_profile text)
RETURNS TABLE (profile_id bigint, name text, platform text, ca_uuid text, row_version int, for_user boolean, subject_format text, san_types text[],
               san_formats text[], validity int, validity_unit text, key_usage int, key_size_min int, eku_oids text[], strict boolean, renewal_threshold int,
               challenge_seconds int, algorithms text, renewal boolean, approval text, variant text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    p chancery.profile := chancery.operator_profile(p_tenant, p_profile);
BEGIN
    RETURN QUERY
        SELECT p.profile_id, p.name, p.platform, c.uuid::text, p.row_version, r.for_user, r.subject_format, r.san_types, r.san_formats, r.validity,
               r.validity_unit, r.key_usage, r.key_size_min, r.eku_oids, r.strict, r.renewal_threshold, r.challenge_seconds, r.algorithms, r.renewal, r.approval,
               r.variant
        FROM chancery.profile_revision r JOIN chancery.ca c ON c.ca_id = p.ca_id AND c.tenant_id = p_tenant
        WHERE r.profile_id = p.profile_id AND r.revision = p.revision AND r.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.op_profile_read IS 'The settings of a profile''s current revision, to make the next from.';

CREATE FUNCTION chancery.op_profile_revise(p_tenant int, p_login text, p_profile bigint, p_expected int, p_ca text, p_for_user boolean, p_subject text,
    p_san_types text[], p_san_formats text[], p_validity int, p_validity_unit text, p_key_usage int, p_key_size_min int, p_ekus text[], p_strict boolean,
    p_threshold int, p_challenge_seconds int, p_algorithms text, p_renewal boolean, p_approval text, p_variant text)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    p chancery.profile;
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    SELECT * INTO p FROM chancery.profile x WHERE x.profile_id = p_profile AND x.tenant_id = p_tenant AND x.deleted_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('profile %s: not found', p_profile));
    END IF;
    PERFORM chancery.operator_expect(format('profile "%s"', p.name), p.row_version, p_expected);
    IF c.kind = 'root' THEN
        PERFORM chancery.refuse('BadInput', format('CA "%s": found a root, wanted an issuing CA', c.name));
    END IF;
    UPDATE chancery.profile x SET revision = x.revision + 1, ca_id = c.ca_id, row_version = x.row_version + 1
    WHERE x.profile_id = p.profile_id AND x.tenant_id = p_tenant;
    PERFORM chancery.operator_revision_add(p_tenant, actor, p.profile_id, p.revision + 1, p_for_user, p_subject, p_san_types, p_san_formats, p_validity,
                                           p_validity_unit, p_key_usage, p_key_size_min, p_ekus, p_strict, p_threshold, p_challenge_seconds, p_algorithms, p_renewal,
                                           p_approval, p_variant);
    PERFORM chancery.audit_add(p_tenant, actor, 'Patch Profile', p.profile_id::text, p.name, jsonb_build_object('revision', p.revision + 1, 'ca', c.uuid, 'subject', p_subject,
        'algorithms', p_algorithms, 'renewal', p_renewal, 'approval', p_approval));
    RETURN p.revision + 1;
END $$;
COMMENT ON FUNCTION chancery.op_profile_revise IS 'The next revision of a profile; deliveries and challenges of the one before end with it.';

CREATE FUNCTION chancery.op_profile_show(p_tenant int, p_login text, p_profile text)
RETURNS TABLE (id bigint, name text, platform text, ca text, ca_id text, scep_uri text, revision int, type text, subject text, sans text[], validity text,
               key_usage text, key_size int, ekus text[], strict boolean, algorithms text, approval text, renewal_by_certificate boolean, renewal_threshold int,
               challenge_lifetime int, included text[], excluded text[], deliveries bigint, created_at text, created_by text, row_version int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    p chancery.profile := chancery.operator_profile(p_tenant, p_profile);
BEGIN
    RETURN QUERY
        SELECT p.profile_id, p.name, p.platform, c.name, c.uuid::text, c.scep_uri || CASE r.variant WHEN '' THEN '' ELSE '/p/' || r.variant END, p.revision,
               CASE WHEN r.for_user THEN 'user' ELSE 'device' END, r.subject_format,
               ARRAY(SELECT s.type || ':' || s.format FROM unnest(r.san_types, r.san_formats) WITH ORDINALITY s (type, format, i) ORDER BY s.i),
               r.validity || ' ' || CASE r.validity WHEN 1 THEN rtrim(r.validity_unit, 's') ELSE r.validity_unit END,
               chancery.operator_key_usage(r.key_usage), r.key_size_min, r.eku_oids, r.strict, r.algorithms, r.approval, r.renewal, r.renewal_threshold, r.challenge_seconds,
               ARRAY(SELECT g.name FROM chancery.assignment a JOIN chancery.directory_group g ON g.group_id = a.group_id AND g.tenant_id = p_tenant
                     WHERE a.profile_id = p.profile_id AND a.tenant_id = p_tenant AND NOT a.exclude ORDER BY lower(g.name)),
               ARRAY(SELECT g.name FROM chancery.assignment a JOIN chancery.directory_group g ON g.group_id = a.group_id AND g.tenant_id = p_tenant
                     WHERE a.profile_id = p.profile_id AND a.tenant_id = p_tenant AND a.exclude ORDER BY lower(g.name)),
               (SELECT count(*) FROM chancery.delivery y WHERE y.profile_id = p.profile_id AND y.tenant_id = p_tenant AND y.state = 'current'),
               chancery.operator_time(p.created_at), p.created_by, p.row_version
        FROM chancery.profile_revision r JOIN chancery.ca c ON c.ca_id = p.ca_id AND c.tenant_id = p_tenant
        WHERE r.profile_id = p.profile_id AND r.revision = p.revision AND r.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.op_profile_show IS 'A profile, its current settings and assignments.';

CREATE FUNCTION chancery.operator_key_usage(p_bits int) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE p_bits WHEN 1 THEN 'digitalSignature' WHEN 4 THEN 'keyEncipherment' ELSE 'digitalSignature,keyEncipherment' END;
END $$;
COMMENT ON FUNCTION chancery.operator_key_usage IS 'Key usage bits by their names in RFC 5280 section 4.2.1.3.';

CREATE FUNCTION chancery.operator_request_word(p_state text, p_expires timestamptz) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN p_state IN ('pending', 'approved') AND p_expires <= clock_timestamp() THEN 'expired' ELSE p_state END;
END $$;
COMMENT ON FUNCTION chancery.operator_request_word IS 'The state of a request as people read it.';

CREATE FUNCTION chancery.op_request_list(p_tenant int, p_login text, p_state text, p_limit int, p_before bigint)
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
COMMENT ON FUNCTION chancery.op_request_list IS 'Requests that wait or waited for approval, newest first.';

CREATE FUNCTION chancery.op_request_show(p_tenant int, p_login text, p_request bigint)
RETURNS TABLE (id bigint, state text, profile text, profile_revision int, revision_is_current boolean, ca text, device_id bigint, device text, "user" text,
               subject text, sans text[], key_usage text, ekus text[], validity text, key text, key_sha256 text, content_sha256 text, renewal_of text,
               transaction text, created_at text, expires_at text, decided_at text, decided_by text, serial text, row_version int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        SELECT q.request_id, chancery.operator_request_word(q.state, q.expires_at), p.name, r.revision, r.revision = p.revision AND p.deleted_at IS NULL, c.name,
               d.device_id, d.name, u.upn, q.subject, q.sans, chancery.operator_key_usage(q.key_usage), q.eku_oids,
               q.validity || ' ' || CASE q.validity WHEN 1 THEN rtrim(q.validity_unit, 's') ELSE q.validity_unit END, 'RSA-' || q.key_size,
               encode(q.spki_sha256, 'hex'), encode(q.content_sha256, 'hex'),
               (SELECT encode(x.serial, 'hex') FROM chancery.certificate x
                WHERE q.source_kind = 'predecessor' AND x.certificate_id = q.source_id AND x.not_after = q.source_expires AND x.tenant_id = p_tenant),
               q.transaction, chancery.operator_time(q.created_at), chancery.operator_time(q.expires_at), chancery.operator_time(q.decided_at), q.decided_by,
               encode(q.serial, 'hex'), q.row_version
        FROM chancery.request q
        JOIN chancery.profile_revision r ON r.profile_revision_id = q.profile_revision_id AND r.tenant_id = p_tenant
        JOIN chancery.profile p ON p.profile_id = r.profile_id AND p.tenant_id = p_tenant
        JOIN chancery.ca c ON c.ca_id = q.ca_id AND c.tenant_id = p_tenant
        JOIN chancery.device d ON d.device_id = q.device_id AND d.tenant_id = p_tenant
        LEFT JOIN chancery.person u ON u.user_id = q.user_id AND u.tenant_id = p_tenant
        WHERE q.request_id = p_request AND q.tenant_id = p_tenant;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('request %s: not found', p_request));
    END IF;
END $$;
COMMENT ON FUNCTION chancery.op_request_show IS 'A request: exactly what would be issued, and what has become of it.';

CREATE FUNCTION chancery.op_request_decide(p_tenant int, p_login text, p_request bigint, p_approve boolean, p_content text, p_expected int)
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
COMMENT ON FUNCTION chancery.op_request_decide IS 'Approves or rejects a request. p_content: the digest of what the caller saw, NULL where any will do.';

DO $$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS sig, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'chancery' AND p.proname ~ '^(scep_|signer_|issuing_|operator_|op_)' LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO chancery_definer', f.sig);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.sig);
        IF f.proname LIKE 'scep\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_scep', f.sig);
        ELSIF f.proname LIKE 'signer\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_signer', f.sig);
        ELSIF f.proname LIKE 'op\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_operator', f.sig);
        END IF;
    END LOOP;
END $$;
