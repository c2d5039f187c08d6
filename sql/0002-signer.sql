-- Chancery, migration 2: what the signer and the SCEP responder may call.

-- One entry, as part of the acting function's transaction.
CREATE FUNCTION chancery.audit_add(p_tenant int, p_actor text, p_activity text, p_object_id text, p_object_name text, p_details jsonb)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The transaction's number before the entry's: the sealer waits for every transaction that it sees running, and must see this one.
    PERFORM pg_current_xact_id();
    INSERT INTO chancery.audit (tenant_id, actor, activity, object_id, object_name, details)
    VALUES (p_tenant, p_actor, p_activity, p_object_id, left(p_object_name, 1024), coalesce(p_details, '{}'));
END $$;
COMMENT ON FUNCTION chancery.audit_add IS 'Adds an audit entry. Only our own functions call it: no program can write an entry of its choice.';

CREATE FUNCTION chancery.tenant_set(p_tenant int) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
END $$;
COMMENT ON FUNCTION chancery.tenant_set IS 'The tenant for row-level security, to the end of the transaction.';

-- ------------------------------------------------------------------------------------------------------------------ SCEP responder

CREATE FUNCTION chancery.scep_endpoint(p_ca uuid, p_staged_version int)
RETURNS TABLE (ca_version_id int, version int, certificate bytea, chain bytea[], generation int, sign_certificate bytea, sign_key bytea,
               encrypt_certificate bytea, encrypt_key bytea)
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
        SELECT v.ca_version_id, v.number, v.certificate, v.chain, a.generation, a.sign_certificate, s.private, a.encrypt_certificate, e.private
        FROM chancery.ca c
        JOIN LATERAL (
            SELECT * FROM chancery.ca_version w
            WHERE w.ca_id = c.ca_id AND w.tenant_id = route.tenant_id AND w.certificate IS NOT NULL
              AND CASE WHEN p_staged_version IS NULL THEN w.state IN ('active', 'paused', 'revoked')
                       ELSE w.state = 'staged' AND w.number = p_staged_version END
            ORDER BY w.number DESC LIMIT 1) v ON true
        JOIN chancery.ra a ON a.ca_version_id = v.ca_version_id
        JOIN chancery.key s ON s.key_id = a.sign_key_id
        JOIN chancery.key e ON e.key_id = a.encrypt_key_id
        WHERE c.ca_id = route.ca_id AND c.tenant_id = route.tenant_id AND c.deleted_at IS NULL AND c.kind <> 'root'
        ORDER BY a.generation DESC;
END $$;
COMMENT ON FUNCTION chancery.scep_endpoint IS 'What answers at a SCEP URI: the CA''s certificates and its RA generations, newest first, keys still encrypted. No row: no such endpoint.';

-- ---------------------------------------------------------------------------------------------------------------------- signer: keys

CREATE FUNCTION chancery.signer_installation_keys(p_purpose text)
RETURNS TABLE (key_id int, generation int, algorithm text, private bytea, spki bytea, pkcs11_uri text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT k.key_id, k.generation, k.algorithm, k.private, k.spki, k.pkcs11_uri FROM chancery.key k
        WHERE k.tenant_id IS NULL AND k.purpose = p_purpose AND p_purpose IN ('challenge', 'audit') ORDER BY k.generation DESC LIMIT 16;
END $$;
COMMENT ON FUNCTION chancery.signer_installation_keys IS 'The challenge or audit keys, newest first.';

CREATE FUNCTION chancery.signer_installation_key_add(p_purpose text, p_generation int, p_algorithm text, p_private bytea, p_spki bytea, p_actor text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_purpose NOT IN ('challenge', 'audit') THEN
        PERFORM chancery.refuse('BadInput', format('key purpose %s: wanted challenge or audit', p_purpose));
    END IF;
    INSERT INTO chancery.key (purpose, generation, platform, algorithm, wrapped_by, private, spki)
    VALUES (p_purpose, p_generation, 'software', p_algorithm, 'ca', p_private, p_spki);
    PERFORM chancery.audit_add(1, p_actor, 'Create Key', p_generation::text, p_purpose || ' key', '{}');
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('%s key generation %s', p_purpose, p_generation));
END $$;
COMMENT ON FUNCTION chancery.signer_installation_key_add IS 'A new generation of the challenge or audit key.';

CREATE FUNCTION chancery.signer_ca_key(p_tenant int, p_ca_version int)
RETURNS TABLE (ca_id int, ca_uuid text, kind text, hash text, key_bits int, names_from_requests boolean, certificate bytea, chain bytea[],
               crl_url text, crl_shards int, aia_url text, ocsp_url text, platform text, private bytea, pkcs11_uri text, wrapped_by text, spki bytea,
               number int, seal bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT c.ca_id, c.uuid::text, c.kind, c.hash, c.key_bits, c.names_from_requests, v.certificate, v.chain, v.crl_url, v.crl_shards,
               v.aia_url, v.ocsp_url, k.platform, k.private, k.pkcs11_uri, k.wrapped_by, k.spki, v.number, v.seal
        FROM chancery.ca_version v JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant
        JOIN chancery.key k ON k.key_id = v.key_id AND k.tenant_id = p_tenant
        WHERE v.ca_version_id = p_ca_version AND v.tenant_id = p_tenant AND v.certificate IS NOT NULL;
END $$;
COMMENT ON FUNCTION chancery.signer_ca_key IS 'All of a CA version that never changes: what a worker keeps by id.';

-- ----------------------------------------------------------------------------------------------------------------- signer: enrolment

-- Every look-up here is by primary key: one generic plan is right for all, and planning anew would cost more than the work.

CREATE FUNCTION chancery.signer_enrol_read(p_tenant int, p_device bigint, p_user bigint, p_revision bigint, p_ca_version int, p_spki_sha256 bytea)
RETURNS TABLE (now timestamptz, ca_uuid text, version int, ca_state text, ca_deleted boolean, device_state text, user_state text,
               delivery_id bigint, delivery_state text, delivery_challenge bigint,
               profile_name text, platform text, profile_deleted boolean, profile_ca_id int, version_ca_id int,
               for_user boolean, subject_format text, san_types text[], san_formats text[], validity int, validity_unit text,
               key_usage int, key_size_min int, eku_oids text[], strict boolean,
               attribute_names text[], attribute_values text[], key_device bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT clock_timestamp(), c.uuid::text, v.number, v.state, c.deleted_at IS NOT NULL, d.state, u.state,
               y.delivery_id, y.state, y.challenge_id,
               p.name, p.platform, p.deleted_at IS NOT NULL, p.ca_id, v.ca_id,
               r.for_user, r.subject_format, r.san_types, r.san_formats, r.validity, r.validity_unit, r.key_usage, r.key_size_min, r.eku_oids, r.strict,
               a.names, a.vals,
               (SELECT k.device_id FROM chancery.public_key k WHERE k.tenant_id = p_tenant AND k.spki_sha256 = p_spki_sha256)
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
COMMENT ON FUNCTION chancery.signer_enrol_read IS 'The one read of an enrolment: one row, columns NULL where the challenge names something that is not there. It does not look whether the challenge is spent: the write finds that out by the primary key.';

CREATE FUNCTION chancery.signer_enrol_spent(p_tenant int, p_challenge bigint, p_expires timestamptz)
RETURNS TABLE (spki_sha256 bytea, certificate bytea, valid boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT t.spki_sha256, x.der, t.not_after > clock_timestamp() AND NOT EXISTS (
                   SELECT FROM chancery.revocation w WHERE w.ca_version_id = t.ca_version_id AND w.serial = t.serial)
        FROM chancery.authorization t
        JOIN chancery.certificate x ON x.ca_version_id = t.ca_version_id AND x.serial = t.serial AND x.not_after = t.not_after AND x.tenant_id = p_tenant
        WHERE t.kind = 'challenge' AND t.id = p_challenge AND t.expires_at = p_expires AND t.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.signer_enrol_spent IS 'What a spent challenge led to; no row where it is not spent. Asked where an enrolment is about to be refused: a repeated request is answered also when the challenge has ended since.';

-- Attribute names are those that lib/policy/subject.h knows.
CREATE FUNCTION chancery.registry_attributes(d chancery.device, u chancery.person, OUT names text[], OUT vals text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    names := ARRAY['device.name', 'device.serial_number', 'device.imei', 'device.meid', 'device.wifi_mac', 'device.directory_id', 'device.mdm_id',
                   'device.fqdn', 'device.security_identifier'];
    vals := ARRAY[d.name, coalesce(d.serial_number, ''), coalesce(d.imei, ''), coalesce(d.meid, ''), coalesce(d.wifi_mac, ''), coalesce(d.directory_id, ''),
                  coalesce(d.mdm_id, ''), coalesce(d.fqdn, ''), coalesce(d.security_identifier, '')];
    IF d.attributes <> '{}' THEN
        names := names || (SELECT array_agg('device.' || e.key ORDER BY e.key) FROM jsonb_each_text(d.attributes) e);
        vals := vals || (SELECT array_agg(coalesce(e.value, '') ORDER BY e.key) FROM jsonb_each_text(d.attributes) e);
    END IF;
    IF u.user_id IS NOT NULL THEN
        names := names || ARRAY['user.user_name', 'user.upn', 'user.email', 'user.on_premises_dn', 'user.sam_account', 'user.given_name', 'user.surname',
                                'user.security_identifier', 'user.department'];
        vals := vals || ARRAY[coalesce(u.user_name, split_part(u.upn, '@', 1)), u.upn, coalesce(u.email, ''), coalesce(u.on_premises_dn, ''),
                              coalesce(u.sam_account, ''), coalesce(u.given_name, ''), coalesce(u.surname, ''), coalesce(u.security_identifier, ''),
                              coalesce(u.department, '')];
        IF u.attributes <> '{}' THEN
            names := names || (SELECT array_agg('user.' || e.key ORDER BY e.key) FROM jsonb_each_text(u.attributes) e);
            vals := vals || (SELECT array_agg(coalesce(e.value, '') ORDER BY e.key) FROM jsonb_each_text(u.attributes) e);
        END IF;
    END IF;
    IF vals[1] IS NULL THEN
        names := '{}'; vals := '{}';
    END IF;
END $$;
COMMENT ON FUNCTION chancery.registry_attributes IS 'What subject variables may take their values from; missing ones are empty.';

CREATE FUNCTION chancery.signer_enrol_write(p_tenant int, p_challenge bigint, p_expires timestamptz, p_device bigint, p_user bigint, p_revision bigint,
    p_delivery bigint, p_ca_version int, p_spki_sha256 bytea, p_serial bytea, p_not_before timestamptz, p_not_after timestamptz, p_crl_shard int,
    p_subject text, p_name_kinds text[], p_names text[], p_sha1 bytea, p_sha256 bytea, p_der bytea, p_transaction text)
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
    VALUES ('challenge', p_challenge, p_expires, p_tenant, 'issued', p_spki_sha256, p_ca_version, p_serial, p_not_after)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO spent FROM chancery.signer_enrol_spent(p_tenant, p_challenge, p_expires);
        IF spent.spki_sha256 IS DISTINCT FROM p_spki_sha256 THEN
            PERFORM chancery.refuse('BadCertificateRequestIdInChallenge', format('challenge %s: already used with another key', p_challenge));
        END IF;
        IF NOT spent.valid THEN
            PERFORM chancery.refuse('CertificateAlreadyRevoked', format('challenge %s: its certificate is revoked or expired', p_challenge));
        END IF;
        RETURN spent.certificate;
    END IF;
    -- A newer challenge voids this one; one that was spent already is answered above.
    IF delivery.challenge_id IS DISTINCT FROM p_challenge THEN
        PERFORM chancery.refuse('BadCertificateRequestIdInChallenge', format('challenge %s: replaced by %s', p_challenge, delivery.challenge_id));
    END IF;

    INSERT INTO chancery.public_key (tenant_id, spki_sha256, device_id) VALUES (p_tenant, p_spki_sha256, p_device) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT k.device_id INTO owner FROM chancery.public_key k WHERE k.tenant_id = p_tenant AND k.spki_sha256 = p_spki_sha256;
        IF owner IS DISTINCT FROM p_device THEN
            PERFORM chancery.refuse('RegisteredKeyMismatch', format('public key: found certified for device %s, wanted device %s', owner, p_device));
        END IF;
    END IF;

    certificate := nextval('chancery.certificate_id');
    INSERT INTO chancery.certificate (certificate_id, not_after, tenant_id, ca_version_id, serial, kind, crl_shard, not_before, device_id, user_id,
                                      profile_revision_id, subject, spki_sha256, sha1, sha256, der)
    VALUES (certificate, p_not_after, p_tenant, p_ca_version, p_serial, 'leaf', p_crl_shard, p_not_before, p_device, p_user, p_revision, p_subject,
            p_spki_sha256, p_sha1, p_sha256, p_der);
    INSERT INTO chancery.certificate_name (certificate_id, not_after, kind, name)
    SELECT certificate, p_not_after, n.kind, n.name FROM unnest(p_name_kinds, p_names) AS n (kind, name);
    PERFORM chancery.audit_add(p_tenant, 'device:' || p_device, 'Issue LeafCertificate', encode(p_serial, 'hex'), p_subject,
        jsonb_build_object('certificate', certificate, 'device', device_name, 'revision', p_revision, 'ca_version', p_ca_version, 'challenge', p_challenge,
                           'transaction', p_transaction));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chancery.signer_enrol_write IS 'The one write of an enrolment: authorization, certificate and audit in one transaction. NULL: recorded; else the certificate that this authorization led to before.';

CREATE FUNCTION chancery.signer_enrol_refused(p_tenant int, p_device bigint, p_reason text, p_field text, p_found text, p_wanted text, p_challenge bigint,
    p_transaction text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    times bigint;
BEGIN
    INSERT INTO chancery.refusal AS r (challenge_id, reason, tenant_id) VALUES (p_challenge, p_reason, p_tenant)
    ON CONFLICT (challenge_id, reason) DO UPDATE SET count = r.count + 1, last_at = clock_timestamp() RETURNING r.count INTO times;
    IF times > 100 THEN
        RETURN;
    END IF;
    PERFORM chancery.audit_add(p_tenant, 'device:' || p_device, 'Refuse LeafCertificate', p_challenge::text, p_reason,
        jsonb_build_object('reason', p_reason, 'field', p_field, 'found', left(p_found, 1024), 'wanted', left(p_wanted, 1024), 'transaction', p_transaction));
END $$;
COMMENT ON FUNCTION chancery.signer_enrol_refused IS 'Records a refusal after a challenge opened, with both values, for the operator: the first hundred of a challenge and reason, then it counts.';

-- ---------------------------------------------------------------------------------------------------------------- signer: challenges

CREATE FUNCTION chancery.signer_challenge_read(p_tenant int, p_profile text, p_device text, p_after bigint, p_limit int)
RETURNS TABLE (now timestamptz, challenge_id bigint, delivery_id bigint, device_id bigint, device_name text, user_id bigint, profile_revision_id bigint,
               ca_version_id int, for_user boolean, subject_format text, san_types text[], san_formats text[], challenge_seconds int,
               attribute_names text[], attribute_values text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    profile chancery.profile;
    version int;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    SELECT * INTO profile FROM chancery.profile p WHERE p.tenant_id = p_tenant AND lower(p.name) = lower(p_profile) AND p.deleted_at IS NULL;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('profile "%s": not found', p_profile));
    END IF;
    SELECT v.ca_version_id INTO version FROM chancery.ca_version v WHERE v.ca_id = profile.ca_id AND v.tenant_id = p_tenant AND v.state = 'active';
    IF NOT FOUND THEN
        PERFORM chancery.refuse('WrongState', format('profile "%s": its CA is not active', profile.name));
    END IF;
    IF p_device IS NOT NULL AND NOT EXISTS (
        SELECT FROM chancery.device d WHERE d.tenant_id = p_tenant AND (lower(d.name) = lower(p_device) OR d.device_id::text = p_device)) THEN
        PERFORM chancery.refuse('NotFound', format('device "%s": not found', p_device));
    END IF;
    RETURN QUERY
        SELECT clock_timestamp(), nextval('chancery.challenge_id'), y.delivery_id, d.device_id, d.name, y.user_id, y.profile_revision_id, version,
               r.for_user, r.subject_format, r.san_types, r.san_formats, r.challenge_seconds, a.names, a.vals
        FROM (SELECT * FROM chancery.delivery z
              WHERE z.profile_id = profile.profile_id AND z.tenant_id = p_tenant AND z.state = 'current' AND z.device_id > p_after
                AND (p_device IS NULL OR z.device_id IN (SELECT e.device_id FROM chancery.device e
                     WHERE e.tenant_id = p_tenant AND (lower(e.name) = lower(p_device) OR e.device_id::text = p_device)))
              ORDER BY z.device_id LIMIT least(p_limit, 500)) y
        JOIN chancery.device d ON d.device_id = y.device_id AND d.tenant_id = p_tenant AND d.state = 'enrolled'
        JOIN chancery.profile_revision r ON r.profile_revision_id = y.profile_revision_id AND r.tenant_id = p_tenant
        LEFT JOIN chancery.person u ON u.user_id = y.user_id AND u.tenant_id = p_tenant
        CROSS JOIN LATERAL chancery.registry_attributes(d, u) a
        ORDER BY y.device_id;
END $$;
COMMENT ON FUNCTION chancery.signer_challenge_read IS 'Deliveries of a profile, all or of one device, in the order of devices, each with a fresh challenge id and the values its subject takes.';

CREATE FUNCTION chancery.signer_challenge_write(p_tenant int, p_actor text, p_deliveries bigint[], p_challenges bigint[], p_expires bigint[])
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n int;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    -- Rows are locked in one order everywhere.
    PERFORM 1 FROM chancery.delivery y WHERE y.delivery_id = ANY (p_deliveries) AND y.tenant_id = p_tenant ORDER BY y.delivery_id FOR UPDATE;
    UPDATE chancery.delivery y SET challenge_id = q.challenge, challenge_expires = to_timestamp(q.expires), changed_at = now()
    FROM unnest(p_deliveries, p_challenges, p_expires) AS q (delivery, challenge, expires)
    WHERE y.delivery_id = q.delivery AND y.tenant_id = p_tenant AND y.state = 'current';
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM chancery.audit_add(p_tenant, p_actor, 'Create Challenge', '', '', jsonb_build_object('deliveries', to_jsonb(p_deliveries), 'challenges', to_jsonb(p_challenges)));
    RETURN n;
END $$;
COMMENT ON FUNCTION chancery.signer_challenge_write IS 'Makes these challenges the newest of their deliveries, which voids the older ones.';

-- ----------------------------------------------------------------------------------------------------------------------- signer: CAs

CREATE FUNCTION chancery.signer_ca_context(p_tenant int, p_parent text)
RETURNS TABLE (now timestamptz, cas bigint, ca_limit int, parent_id int, parent_version int, parent_kind text, parent_deleted boolean, parent_state text,
               parent_bits int, parent_hash text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT clock_timestamp(), (SELECT count(*) FROM chancery.ca x WHERE x.tenant_id = p_tenant AND x.deleted_at IS NULL), t.ca_limit,
               c.ca_id, v.ca_version_id, c.kind, c.deleted_at IS NOT NULL, v.state, c.key_bits, c.hash
        FROM chancery.tenant t
        LEFT JOIN chancery.ca c ON c.tenant_id = p_tenant AND p_parent IS NOT NULL AND c.deleted_at IS NULL AND (lower(c.name) = lower(p_parent) OR c.uuid::text = p_parent)
        LEFT JOIN chancery.ca_version v ON v.ca_id = c.ca_id AND v.tenant_id = p_tenant AND v.state IN ('active', 'paused', 'revoked')
        WHERE t.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.signer_ca_context IS 'What a new CA has to fit into: the tenant''s limit and the parent by name or id.';

CREATE FUNCTION chancery.signer_ca_create(p_tenant int, p_actor text, p_uuid uuid, p_kind text, p_name text, p_description text, p_parent int, p_issuer_version int,
    p_subject text[], p_key_bits int, p_hash text, p_years int, p_eku_oids text[], p_eku_names text[], p_ra_eku_oids text[], p_names_from_requests boolean,
    p_scep_uri text, p_crl_url text, p_aia_url text,
    p_key bytea, p_spki bytea, p_wrapped_by text, p_certificate bytea, p_chain bytea[], p_serial bytea, p_subject_der bytea, p_ski bytea,
    p_sha1 bytea, p_sha256 bytea, p_spki_sha256 bytea, p_subject_text text, p_not_before timestamptz, p_not_after timestamptz,
    p_clamped boolean, p_seal bytea)
RETURNS TABLE (ca_id int, ca_version_id int) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n bigint;
    allowed int;
    ca int;
    version int;
    key_id int;
    parent_state text;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    PERFORM chancery.partition_ensure(p_not_after);
    -- The limit is counted under the tenant's lock, so that two at once cannot both be the last.
    SELECT t.ca_limit INTO allowed FROM chancery.tenant t WHERE t.tenant_id = p_tenant FOR UPDATE;
    SELECT count(*) INTO n FROM chancery.ca c WHERE c.tenant_id = p_tenant AND c.deleted_at IS NULL;
    IF n >= allowed THEN
        PERFORM chancery.refuse('LimitReached', format('CAs: found %s, allowed %s (root, issuing and bring-your-own together)', n, allowed));
    END IF;
    IF p_issuer_version IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock_shared(20001, p_issuer_version);
        SELECT v.state INTO parent_state FROM chancery.ca_version v JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant
        WHERE v.ca_version_id = p_issuer_version AND v.tenant_id = p_tenant AND c.ca_id = p_parent AND c.kind = 'root' AND c.deleted_at IS NULL FOR SHARE OF c;
        IF parent_state IS DISTINCT FROM 'active' THEN
            PERFORM chancery.refuse('WrongState', format('root CA: found %s, wanted active', coalesce(parent_state, 'none')));
        END IF;
    END IF;
    INSERT INTO chancery.key (tenant_id, purpose, generation, platform, algorithm, wrapped_by, private, spki)
    VALUES (p_tenant, 'ca', 1, 'software', 'RSA-' || p_key_bits, p_wrapped_by, p_key, p_spki) RETURNING key.key_id INTO key_id;
    INSERT INTO chancery.ca (tenant_id, uuid, kind, name, description, parent_ca_id, subject_cn, subject_o, subject_ou, subject_c, subject_st, subject_l,
                             key_bits, hash, validity_years, eku_oids, eku_names, ra_eku_oids, names_from_requests, key_platform, scep_uri, created_by)
    VALUES (p_tenant, p_uuid, p_kind, p_name, p_description, p_parent, p_subject[1], nullif(p_subject[2], ''), nullif(p_subject[3], ''),
            nullif(p_subject[4], ''), nullif(p_subject[5], ''), nullif(p_subject[6], ''), p_key_bits, p_hash, p_years, p_eku_oids, p_eku_names, p_ra_eku_oids,
            p_names_from_requests, 'software', p_scep_uri, p_actor) RETURNING ca.ca_id INTO ca;
    INSERT INTO chancery.ca_route VALUES (p_uuid, p_tenant, ca);
    INSERT INTO chancery.ca_version (ca_id, tenant_id, number, state, key_id, issuer_version_id, certificate, chain, serial, subject, ski, sha1, sha256,
                                     seal, not_before, not_after, crl_url, aia_url)
    VALUES (ca, p_tenant, 1, 'active', key_id, p_issuer_version, p_certificate, p_chain, p_serial, p_subject_der, p_ski, p_sha1, p_sha256,
            p_seal, p_not_before, p_not_after, p_crl_url, p_aia_url) RETURNING ca_version.ca_version_id INTO version;
    INSERT INTO chancery.certificate (not_after, tenant_id, ca_version_id, serial, kind, not_before, subject, spki_sha256, sha1, sha256, der)
    VALUES (p_not_after, p_tenant, coalesce(p_issuer_version, version), p_serial, 'ca', p_not_before, p_subject_text, p_spki_sha256, p_sha1, p_sha256, p_certificate);
    INSERT INTO chancery.crl_state (ca_version_id, crl_shard, tenant_id, path) VALUES (version, 0, p_tenant, p_uuid || '_v1/current.crl');
    PERFORM chancery.audit_add(p_tenant, p_actor, 'Create CloudCertificationAuthority', p_uuid::text, p_name,
        jsonb_build_object('kind', p_kind, 'subject', p_subject_text, 'key', 'RSA-' || p_key_bits, 'hash', p_hash, 'years', p_years, 'clamped', p_clamped,
                           'not_after', p_not_after, 'ekus', to_jsonb(p_eku_oids), 'serial', encode(p_serial, 'hex')));
    RETURN QUERY SELECT ca, version;
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('CA "%s": a CA of this name exists', p_name));
END $$;
COMMENT ON FUNCTION chancery.signer_ca_create IS 'Records a new root or issuing CA, its key and certificate, before the signer tells anybody of it. p_subject: CN, O, OU, C, ST, L.';

CREATE FUNCTION chancery.signer_ra_context(p_tenant int, p_ca_version int)
RETURNS TABLE (now timestamptz, generation int, newest_not_after timestamptz, ra_eku_oids text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    RETURN QUERY
        SELECT clock_timestamp(), coalesce(max(a.generation), 0), max(a.not_after), c.ra_eku_oids
        FROM chancery.ca_version v JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant
        LEFT JOIN chancery.ra a ON a.ca_version_id = v.ca_version_id
        WHERE v.ca_version_id = p_ca_version AND v.tenant_id = p_tenant AND v.certificate IS NOT NULL AND c.kind <> 'root' AND c.deleted_at IS NULL
          AND v.state IN ('active', 'paused', 'staged')
        GROUP BY c.ra_eku_oids;
END $$;
COMMENT ON FUNCTION chancery.signer_ra_context IS 'The newest RA generation of an issuing CA version. No row: none is wanted.';

CREATE FUNCTION chancery.signer_ra_add(p_tenant int, p_actor text, p_ca_version int, p_generation int, p_not_before timestamptz, p_not_after timestamptz,
    p_sign_key bytea, p_sign_spki bytea, p_sign_certificate bytea, p_sign_serial bytea, p_sign_digests bytea[],
    p_encrypt_key bytea, p_encrypt_spki bytea, p_encrypt_certificate bytea, p_encrypt_serial bytea, p_encrypt_digests bytea[], p_subject text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sign_key int;
    encrypt_key int;
BEGIN
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    PERFORM chancery.partition_ensure(p_not_after);
    PERFORM pg_advisory_xact_lock_shared(20001, p_ca_version);
    IF NOT EXISTS (SELECT FROM chancery.ca_version v JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant AND c.deleted_at IS NULL
                   WHERE v.ca_version_id = p_ca_version AND v.tenant_id = p_tenant AND v.state IN ('active', 'paused', 'staged')) THEN
        PERFORM chancery.refuse('WrongState', format('CA version %s: found revoked, deleted or none, wanted one that issues', p_ca_version));
    END IF;
    INSERT INTO chancery.key (tenant_id, purpose, generation, platform, algorithm, wrapped_by, private, spki)
    VALUES (p_tenant, 'ra_sign', p_generation, 'software', 'RSA-2048', 'ra', p_sign_key, p_sign_spki) RETURNING key_id INTO sign_key;
    INSERT INTO chancery.key (tenant_id, purpose, generation, platform, algorithm, wrapped_by, private, spki)
    VALUES (p_tenant, 'ra_encrypt', p_generation, 'software', 'RSA-2048', 'ra', p_encrypt_key, p_encrypt_spki) RETURNING key_id INTO encrypt_key;
    INSERT INTO chancery.ra (ca_version_id, generation, tenant_id, sign_key_id, sign_certificate, encrypt_key_id, encrypt_certificate, not_after)
    VALUES (p_ca_version, p_generation, p_tenant, sign_key, p_sign_certificate, encrypt_key, p_encrypt_certificate, p_not_after);
    INSERT INTO chancery.certificate (not_after, tenant_id, ca_version_id, serial, kind, not_before, subject, spki_sha256, sha1, sha256, der)
    VALUES (p_not_after, p_tenant, p_ca_version, p_sign_serial, 'ra_sign', p_not_before, p_subject, p_sign_digests[1], p_sign_digests[2], p_sign_digests[3], p_sign_certificate),
           (p_not_after, p_tenant, p_ca_version, p_encrypt_serial, 'ra_encrypt', p_not_before, p_subject, p_encrypt_digests[1], p_encrypt_digests[2], p_encrypt_digests[3], p_encrypt_certificate);
    PERFORM chancery.audit_add(p_tenant, p_actor, 'Create RegistrationAuthority', p_ca_version::text, p_subject, jsonb_build_object('generation', p_generation, 'not_after', p_not_after));
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('RA generation %s of CA version %s', p_generation, p_ca_version));
END $$;
COMMENT ON FUNCTION chancery.signer_ra_add IS 'A new RA generation. digests: SHA-256 of the public key, SHA-1 and SHA-256 of the certificate.';

-- ---------------------------------------------------------------------------------------------------------------------- signer: CRLs

CREATE FUNCTION chancery.signer_crl_begin(p_ca_version int, p_shard int, p_validity interval)
RETURNS TABLE (tenant_id int, number bigint, this_update timestamptz, next_update timestamptz, drop_before timestamptz, crl_shards int, crl_url text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    state chancery.crl_state;
    settled timestamptz;
    moment timestamptz := clock_timestamp();
    next_number bigint;
BEGIN
    SELECT * INTO state FROM chancery.crl_state s WHERE s.ca_version_id = p_ca_version AND s.crl_shard = p_shard FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CRL of CA version %s shard %s: not found', p_ca_version, p_shard));
    END IF;
    IF state.lease_until < moment THEN
        PERFORM chancery.refuse('Busy', format('CRL of CA version %s shard %s: nobody holds its lease', p_ca_version, p_shard));
    END IF;
    PERFORM set_config('chancery.tenant', state.tenant_id::text, true);
    next_number := greatest(state.number + 1, extract(epoch FROM moment)::bigint);
    UPDATE chancery.revocation_event e SET crl_number = next_number
    WHERE e.ca_version_id = p_ca_version AND e.crl_shard = p_shard AND e.crl_number IS NULL;
    SELECT d.settled INTO settled FROM chancery.clock_doubt d;
    -- An expired entry goes only after a CRL that was published past its end, and never on the word of a clock in doubt or ahead.
    RETURN QUERY
        SELECT v.tenant_id, next_number, date_trunc('second', moment), date_trunc('second', moment) + p_validity,
               least(coalesce(state.this_update, '-infinity'::timestamptz), settled, moment), v.crl_shards, v.crl_url
        FROM chancery.ca_version v WHERE v.ca_version_id = p_ca_version AND v.tenant_id = state.tenant_id;
END $$;
COMMENT ON FUNCTION chancery.signer_crl_begin IS 'First statement of a build, inside a repeatable-read transaction: takes the number and marks the events that this snapshot shows.';

CREATE VIEW chancery.crl_entry WITH (security_barrier) AS
    SELECT ca_version_id, crl_shard, serial, revoked_at, reason, invalidity_date, not_after FROM chancery.revocation;
COMMENT ON VIEW chancery.crl_entry IS 'For the bulk read of the signer''s crl lane alone: the one relation that a program reads directly.';

CREATE FUNCTION chancery.signer_crl_piece(p_ca_version int, p_shard int, p_number bigint, p_piece int, p_data bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO chancery.crl_piece VALUES (p_ca_version, p_shard, p_number, p_piece, p_data);
END $$;
COMMENT ON FUNCTION chancery.signer_crl_piece IS 'One piece of the CRL being built.';

CREATE FUNCTION chancery.signer_crl_finish(p_ca_version int, p_shard int, p_number bigint, p_this_update timestamptz, p_next_update timestamptz, p_entries bigint,
    p_size bigint, p_sha256 bytea, p_pieces int, p_build_ms int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    previous bigint;
BEGIN
    SELECT s.number INTO previous FROM chancery.crl_state s WHERE s.ca_version_id = p_ca_version AND s.crl_shard = p_shard;
    IF previous IS NULL OR p_number <= previous THEN
        PERFORM chancery.refuse('Stale', format('CRL number: found %s, wanted above %s', p_number, previous));
    END IF;
    INSERT INTO chancery.crl VALUES (p_ca_version, p_shard, p_number, p_this_update, p_next_update, p_entries, p_size, p_sha256);
    UPDATE chancery.crl_state s SET number = p_number, this_update = p_this_update, next_update = p_next_update, entries = p_entries, size = p_size,
        sha256 = p_sha256, pieces = p_pieces, built_at = clock_timestamp(), build_ms = p_build_ms, lease_holder = NULL, lease_until = '-infinity',
        retry_at = '-infinity'
    WHERE s.ca_version_id = p_ca_version AND s.crl_shard = p_shard;
    DELETE FROM chancery.crl_piece c WHERE c.ca_version_id = p_ca_version AND c.crl_shard = p_shard AND c.number < previous;
END $$;
COMMENT ON FUNCTION chancery.signer_crl_finish IS 'Last statement of a build: with its commit the CRL is the current one, and any host may write its file.';

-- --------------------------------------------------------------------------------------------------------------------- signer: audit

CREATE FUNCTION chancery.signer_audit_unsigned(p_limit int)
RETURNS TABLE (batch bigint, first_seq bigint, last_seq bigint, head bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT b.batch, b.first_seq, b.last_seq, b.head FROM chancery.audit_batch b WHERE b.signature IS NULL ORDER BY b.batch LIMIT least(p_limit, 100);
END $$;
COMMENT ON FUNCTION chancery.signer_audit_unsigned IS 'Heads of the audit chain that wait for a signature.';

CREATE FUNCTION chancery.signer_audit_sign(p_batch bigint, p_key int, p_signature bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chancery.audit_batch b SET key_id = p_key, signature = p_signature WHERE b.batch = p_batch AND b.signature IS NULL;
END $$;
COMMENT ON FUNCTION chancery.signer_audit_sign IS 'Puts the signature on a head, once.';

-- Owners and grants: functions belong to the definer, and only those named are for a program.
DO $$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS sig, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'chancery' AND p.proname ~ '^(audit_add|tenant_set|registry_attributes|scep_|signer_)' LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO chancery_definer', f.sig);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.sig);
        IF f.proname LIKE 'scep\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_scep', f.sig);
        ELSIF f.proname LIKE 'signer\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_signer', f.sig);
        END IF;
    END LOOP;
END $$;
ALTER VIEW chancery.crl_entry OWNER TO chancery_definer;
REVOKE ALL ON chancery.crl_entry FROM PUBLIC;
GRANT SELECT ON chancery.crl_entry TO chancery_signer;
