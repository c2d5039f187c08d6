-- Chancery, migration 4: what the operator's command line may call, and the resolving of assignments into deliveries.
--
-- Functions op_* are for the role chancery_operator, which the database lets in for the host's root alone; their first arguments are always the
-- tenant and the login that the audit shows. operator_* and delivery_* are what they share. Objects are named as people name them: by name
-- or by id. p_expected is the row_version that the caller saw, NULL where any will do.

-- ------------------------------------------------------------------------------------------------------------------------ shared parts

CREATE FUNCTION chancery.operator_begin(p_tenant int, p_login text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_login IS NULL OR p_login !~ '^[A-Za-z0-9._@-]{1,64}$' THEN
        PERFORM chancery.refuse('BadInput', 'login: wanted 1 to 64 letters, digits and . _ @ -');
    END IF;
    PERFORM set_config('chancery.tenant', p_tenant::text, true);
    IF NOT EXISTS (SELECT FROM chancery.tenant t WHERE t.tenant_id = p_tenant) THEN
        PERFORM chancery.refuse('NotFound', format('tenant %s: not found', p_tenant));
    END IF;
    RETURN 'operator:' || p_login;
END $$;
COMMENT ON FUNCTION chancery.operator_begin IS 'First step of every op_ function: the tenant for row-level security; returns the actor for the audit.';

CREATE FUNCTION chancery.operator_time(p_time timestamptz) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN to_char(p_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');
END $$;
COMMENT ON FUNCTION chancery.operator_time IS 'A time as listings show it, in UTC whatever the session''s time zone.';

CREATE FUNCTION chancery.operator_ca_word(p_state text, p_not_after timestamptz) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN p_state IN ('active', 'paused', 'staged', 'retired', 'decommissioned') AND p_not_after < clock_timestamp() THEN 'Expired'
                WHEN p_state = 'signing_required' THEN 'Signing required'
                ELSE initcap(p_state) END;
END $$;
COMMENT ON FUNCTION chancery.operator_ca_word IS 'The exact status word of a CA version; the words are those of lib/policy/ca.h.';

CREATE FUNCTION chancery.operator_reason_word(p_reason int) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (ARRAY['unspecified', 'keyCompromise', 'cACompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'certificateHold',
                  NULL, NULL, 'privilegeWithdrawn', 'aACompromise'])[p_reason + 1];
END $$;
COMMENT ON FUNCTION chancery.operator_reason_word IS 'A revocation reason by its name in RFC 5280 section 5.3.1.';

CREATE FUNCTION chancery.operator_expect(p_object text, p_found int, p_expected int) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_expected IS NOT NULL AND p_expected <> p_found THEN
        PERFORM chancery.refuse('Stale', format('%s: found row version %s, wanted %s', p_object, p_found, p_expected));
    END IF;
END $$;
COMMENT ON FUNCTION chancery.operator_expect IS 'Optimistic locking: refuses where the object is not the one that the caller saw.';

-- A row as text cells, in the order of its columns, for aligned output.
CREATE FUNCTION chancery.op_json_names(p_row json) RETURNS text[] LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT array_agg(e.key ORDER BY e.n) FROM json_each(p_row) WITH ORDINALITY e (key, value, n));
END $$;
COMMENT ON FUNCTION chancery.op_json_names IS 'The names of a row''s columns.';

CREATE FUNCTION chancery.op_json_cells(p_row json) RETURNS text[] LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT array_agg(CASE json_typeof(e.value)
                WHEN 'null' THEN ''
                WHEN 'boolean' THEN CASE e.value #>> '{}' WHEN 'true' THEN 'yes' ELSE 'no' END
                WHEN 'array' THEN coalesce((SELECT string_agg(CASE json_typeof(x.value) WHEN 'object'
                                                   THEN (SELECT string_agg(o.key || '=' || coalesce(o.value, ''), '  ' ORDER BY o.n) FROM json_each_text(x.value) WITH ORDINALITY o (key, value, n))
                                                   ELSE x.value #>> '{}' END, CASE json_typeof(x.value) WHEN 'object' THEN E'\n' ELSE ', ' END ORDER BY x.n)
                                             FROM json_array_elements(e.value) WITH ORDINALITY x (value, n)), '')
                WHEN 'object' THEN coalesce((SELECT string_agg(o.key || '=' || coalesce(o.value, ''), ', ' ORDER BY o.n)
                                             FROM json_each_text(e.value) WITH ORDINALITY o (key, value, n)), '')
                ELSE e.value #>> '{}' END ORDER BY e.n)
            FROM json_each(p_row) WITH ORDINALITY e (key, value, n));
END $$;
COMMENT ON FUNCTION chancery.op_json_cells IS 'The values of a row''s columns as people read them; lists joined by commas, lists of objects one a line.';

-- ------------------------------------------------------------------------------------------------------------ objects by name or by id

CREATE FUNCTION chancery.operator_ca(p_tenant int, p_ca text, p_deleted boolean) RETURNS chancery.ca LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ca chancery.ca;
BEGIN
    SELECT * INTO ca FROM chancery.ca c
    WHERE c.tenant_id = p_tenant AND (c.uuid::text = lower(p_ca) OR lower(c.name) = lower(p_ca) AND c.deleted_at IS NULL)
      AND (p_deleted OR c.deleted_at IS NULL)
    ORDER BY c.uuid::text = lower(p_ca) DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CA "%s": not found', p_ca));
    END IF;
    RETURN ca;
END $$;
COMMENT ON FUNCTION chancery.operator_ca IS 'A CA by name or id; a deleted one only by id, and where it is asked for.';

CREATE FUNCTION chancery.operator_ca_version(p_tenant int, p_ca int) RETURNS chancery.ca_version LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    version chancery.ca_version;
BEGIN
    SELECT * INTO version FROM chancery.ca_version v
    WHERE v.ca_id = p_ca AND v.tenant_id = p_tenant AND v.state NOT IN ('staged', 'retired', 'decommissioned')
    ORDER BY v.number DESC LIMIT 1;
    RETURN version;
END $$;
COMMENT ON FUNCTION chancery.operator_ca_version IS 'The version of a CA that stands for it: the one that issues, or would.';

CREATE FUNCTION chancery.operator_device(p_tenant int, p_device text) RETURNS chancery.device LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    device chancery.device;
    n int := 0;
    d chancery.device;
BEGIN
    FOR d IN
        SELECT x.* FROM chancery.device x WHERE x.tenant_id = p_tenant AND lower(x.name) = lower(p_device)
        UNION
        SELECT x.* FROM chancery.device x WHERE x.tenant_id = p_tenant
            AND x.device_id = CASE WHEN p_device ~ '^[0-9]{1,18}$' THEN p_device::bigint END
        LIMIT 2
    LOOP
        device := d;
        n := n + 1;
    END LOOP;
    IF n = 0 THEN
        PERFORM chancery.refuse('NotFound', format('device "%s": not found', p_device));
    ELSIF n > 1 THEN
        PERFORM chancery.refuse('BadInput', format('device "%s": found several, wanted one; use the id', p_device));
    END IF;
    RETURN device;
END $$;
COMMENT ON FUNCTION chancery.operator_device IS 'A device by name or id; names need not be unique, and one that is not is refused.';

CREATE FUNCTION chancery.operator_user(p_tenant int, p_user text) RETURNS chancery.person LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person chancery.person;
BEGIN
    SELECT * INTO person FROM chancery.person u WHERE u.tenant_id = p_tenant AND lower(u.upn) = lower(p_user);
    IF NOT FOUND AND p_user ~ '^[0-9]{1,18}$' THEN
        SELECT * INTO person FROM chancery.person u WHERE u.tenant_id = p_tenant AND u.user_id = p_user::bigint;
    END IF;
    IF person.user_id IS NULL THEN
        PERFORM chancery.refuse('NotFound', format('user "%s": not found', p_user));
    END IF;
    RETURN person;
END $$;
COMMENT ON FUNCTION chancery.operator_user IS 'A user by UPN or id.';

CREATE FUNCTION chancery.operator_group(p_tenant int, p_group text) RETURNS chancery.directory_group LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    the_group chancery.directory_group;
BEGIN
    SELECT * INTO the_group FROM chancery.directory_group g WHERE g.tenant_id = p_tenant AND lower(g.name) = lower(p_group);
    IF NOT FOUND AND p_group ~ '^[0-9]{1,18}$' THEN
        SELECT * INTO the_group FROM chancery.directory_group g WHERE g.tenant_id = p_tenant AND g.group_id = p_group::bigint;
    END IF;
    IF the_group.group_id IS NULL THEN
        PERFORM chancery.refuse('NotFound', format('group "%s": not found', p_group));
    END IF;
    RETURN the_group;
END $$;
COMMENT ON FUNCTION chancery.operator_group IS 'A group by name or id.';

CREATE FUNCTION chancery.operator_profile(p_tenant int, p_profile text) RETURNS chancery.profile LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    the_profile chancery.profile;
BEGIN
    SELECT * INTO the_profile FROM chancery.profile p WHERE p.tenant_id = p_tenant AND lower(p.name) = lower(p_profile) AND p.deleted_at IS NULL;
    IF NOT FOUND AND p_profile ~ '^[0-9]{1,18}$' THEN
        SELECT * INTO the_profile FROM chancery.profile p WHERE p.tenant_id = p_tenant AND p.profile_id = p_profile::bigint AND p.deleted_at IS NULL;
    END IF;
    IF the_profile.profile_id IS NULL THEN
        PERFORM chancery.refuse('NotFound', format('profile "%s": not found', p_profile));
    END IF;
    RETURN the_profile;
END $$;
COMMENT ON FUNCTION chancery.operator_profile IS 'A profile by name or id.';

-- ------------------------------------------------------------------------------------------------------------------------- deliveries

-- Whoever changes an assignment, a membership, a profile's revision or a device takes this lock before reading: two changes that do not see each
-- other would leave deliveries that follow from neither.
CREATE FUNCTION chancery.delivery_lock(p_tenant int) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(20003, p_tenant);
END $$;
COMMENT ON FUNCTION chancery.delivery_lock IS 'One resolving at a time in a tenant, to the end of the transaction.';

-- Many rows may have come since the planner's numbers were made: joins are hashed here, and sets compared by NOT IN, which is so always. A
-- delivery that comes back loses its challenge: one made before the device left the profile does not open it again.
CREATE FUNCTION chancery.delivery_resolve(p_tenant int, p_profile bigint) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off AS $$
BEGIN
    WITH reached AS (
        SELECT m.device_id, a.exclude FROM chancery.assignment a
        JOIN chancery.group_member m ON m.group_id = a.group_id AND m.tenant_id = p_tenant AND m.device_id IS NOT NULL
        WHERE a.profile_id = p_profile AND a.tenant_id = p_tenant
        UNION ALL
        SELECT d.device_id, a.exclude FROM chancery.assignment a
        JOIN chancery.group_member m ON m.group_id = a.group_id AND m.tenant_id = p_tenant AND m.user_id IS NOT NULL
        JOIN chancery.device d ON d.owner_id = m.user_id AND d.tenant_id = p_tenant
        WHERE a.profile_id = p_profile AND a.tenant_id = p_tenant),
    chosen AS (SELECT x.device_id FROM reached x GROUP BY x.device_id HAVING NOT bool_or(x.exclude)),
    target AS MATERIALIZED (
        SELECT p.profile_id, r.profile_revision_id, d.device_id, CASE WHEN r.for_user THEN d.owner_id END AS user_id
        FROM chosen c
        JOIN chancery.device d ON d.device_id = c.device_id AND d.tenant_id = p_tenant AND d.state = 'enrolled'
        JOIN chancery.profile p ON p.profile_id = p_profile AND p.tenant_id = p_tenant AND p.deleted_at IS NULL AND p.platform = d.platform
        JOIN chancery.profile_revision r ON r.profile_id = p.profile_id AND r.revision = p.revision AND r.tenant_id = p_tenant
        LEFT JOIN chancery.person u ON u.user_id = d.owner_id AND u.tenant_id = p_tenant
        WHERE NOT r.for_user OR u.state = 'active'),
    gone AS (
        UPDATE chancery.delivery y SET state = 'withdrawn', changed_at = now()
        WHERE y.tenant_id = p_tenant AND y.profile_id = p_profile AND y.state = 'current'
          AND (y.profile_revision_id, y.device_id, coalesce(y.user_id, 0)) NOT IN (
              SELECT t.profile_revision_id, t.device_id, coalesce(t.user_id, 0) FROM target t))
    INSERT INTO chancery.delivery AS y (tenant_id, device_id, user_id, profile_id, profile_revision_id)
    SELECT p_tenant, t.device_id, t.user_id, t.profile_id, t.profile_revision_id FROM target t ORDER BY t.device_id
    ON CONFLICT (profile_revision_id, device_id, (coalesce(user_id, 0))) DO UPDATE
        SET state = 'current', challenge_id = NULL, challenge_expires = NULL, changed_at = now() WHERE y.state = 'withdrawn';
END $$;
COMMENT ON FUNCTION chancery.delivery_resolve IS 'Makes the deliveries of one profile what its assignments say: enrolled devices of its platform in included groups or owned by their users, minus the excluded.';

CREATE FUNCTION chancery.delivery_resolve_devices(p_tenant int, p_devices bigint[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    profile bigint;
BEGIN
    IF cardinality(p_devices) > 100 THEN
        FOR profile IN SELECT DISTINCT a.profile_id FROM chancery.assignment a WHERE a.tenant_id = p_tenant ORDER BY 1 LOOP
            PERFORM chancery.delivery_resolve(p_tenant, profile);
        END LOOP;
        RETURN;
    END IF;
    WITH reached AS (
        SELECT d.device_id, a.profile_id, a.exclude FROM chancery.device d
        JOIN chancery.group_member m ON m.device_id = d.device_id AND m.tenant_id = p_tenant
        JOIN chancery.assignment a ON a.group_id = m.group_id AND a.tenant_id = p_tenant
        WHERE d.device_id = ANY (p_devices) AND d.tenant_id = p_tenant
        UNION ALL
        SELECT d.device_id, a.profile_id, a.exclude FROM chancery.device d
        JOIN chancery.group_member m ON m.user_id = d.owner_id AND m.tenant_id = p_tenant
        JOIN chancery.assignment a ON a.group_id = m.group_id AND a.tenant_id = p_tenant
        WHERE d.device_id = ANY (p_devices) AND d.tenant_id = p_tenant),
    chosen AS (SELECT x.device_id, x.profile_id FROM reached x GROUP BY x.device_id, x.profile_id HAVING NOT bool_or(x.exclude)),
    target AS MATERIALIZED (
        SELECT p.profile_id, r.profile_revision_id, d.device_id, CASE WHEN r.for_user THEN d.owner_id END AS user_id
        FROM chosen c
        JOIN chancery.device d ON d.device_id = c.device_id AND d.tenant_id = p_tenant AND d.state = 'enrolled'
        JOIN chancery.profile p ON p.profile_id = c.profile_id AND p.tenant_id = p_tenant AND p.deleted_at IS NULL AND p.platform = d.platform
        JOIN chancery.profile_revision r ON r.profile_id = p.profile_id AND r.revision = p.revision AND r.tenant_id = p_tenant
        LEFT JOIN chancery.person u ON u.user_id = d.owner_id AND u.tenant_id = p_tenant
        WHERE NOT r.for_user OR u.state = 'active'),
    gone AS (
        UPDATE chancery.delivery y SET state = 'withdrawn', changed_at = now()
        WHERE y.tenant_id = p_tenant AND y.device_id = ANY (p_devices) AND y.state = 'current'
          AND (y.profile_revision_id, y.device_id, coalesce(y.user_id, 0)) NOT IN (
              SELECT t.profile_revision_id, t.device_id, coalesce(t.user_id, 0) FROM target t))
    INSERT INTO chancery.delivery AS y (tenant_id, device_id, user_id, profile_id, profile_revision_id)
    SELECT p_tenant, t.device_id, t.user_id, t.profile_id, t.profile_revision_id FROM target t ORDER BY t.profile_id, t.device_id
    ON CONFLICT (profile_revision_id, device_id, (coalesce(user_id, 0))) DO UPDATE
        SET state = 'current', challenge_id = NULL, challenge_expires = NULL, changed_at = now() WHERE y.state = 'withdrawn';
END $$;
COMMENT ON FUNCTION chancery.delivery_resolve_devices IS 'The same for all profiles of some devices, when these, their owners or their memberships changed; for many devices it goes profile by profile.';

-- --------------------------------------------------------------------------------------------------------------------------------- CAs

CREATE FUNCTION chancery.op_ca_list(p_tenant int, p_login text)
RETURNS TABLE (id text, name text, type text, root_common_name text, status text, not_after text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    PERFORM chancery.audit_add(p_tenant, actor, 'Search CloudCertificationAuthority', '', '', '{}');
    RETURN QUERY
        SELECT c.uuid::text, c.name, CASE c.kind WHEN 'root' THEN 'Root' ELSE 'Issuing' END,
               CASE c.kind WHEN 'root' THEN c.subject_cn WHEN 'byoca' THEN 'External root CA' ELSE p.subject_cn END,
               chancery.operator_ca_word(v.state, v.not_after), chancery.operator_time(v.not_after)
        FROM chancery.ca c
        LEFT JOIN chancery.ca p ON p.ca_id = c.parent_ca_id AND p.tenant_id = p_tenant
        CROSS JOIN LATERAL chancery.operator_ca_version(p_tenant, c.ca_id) v
        WHERE c.tenant_id = p_tenant AND c.deleted_at IS NULL ORDER BY c.ca_id;
END $$;
COMMENT ON FUNCTION chancery.op_ca_list IS 'The live CAs, oldest first.';

CREATE FUNCTION chancery.op_ca_show(p_tenant int, p_login text, p_ca text)
RETURNS TABLE (name text, description text, id text, status text, version int, serial text, thumbprint text, thumbprint_sha256 text, type text, ca_keys text,
               extended_key_usages text[], validity_years int, not_before text, not_after text, common_name text, organization text,
               organizational_unit text, country text, state text, locality text, key_size_and_algorithm text, crl_distribution_point text, aia text,
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
               c.subject_cn, c.subject_o, c.subject_ou, c.subject_c, c.subject_st, c.subject_l,
               format('RSA-%s', c.key_bits) || coalesce(' and ' || c.hash, ''), v.crl_url, v.aia_url, c.scep_uri,
               CASE c.kind WHEN 'root' THEN c.subject_cn WHEN 'byoca' THEN 'External root CA'
                    ELSE (SELECT p.subject_cn FROM chancery.ca p WHERE p.ca_id = c.parent_ca_id AND p.tenant_id = p_tenant) END,
               c.names_from_requests, c.ra_eku_oids, c.scope_tags,
               ARRAY(SELECT t.action FROM chancery.ca_transition t WHERE t.kind = c.kind AND t.from_state = v.state ORDER BY t.action),
               chancery.operator_time(c.created_at), c.created_by, v.row_version;
END $$;
COMMENT ON FUNCTION chancery.op_ca_show IS 'All properties of a CA (reference 2.G24), with the actions that its state allows.';

CREATE FUNCTION chancery.op_ca_certificate(p_tenant int, p_login text, p_ca text)
RETURNS TABLE (certificate bytea, chain bytea[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    v chancery.ca_version := chancery.operator_ca_version(p_tenant, c.ca_id);
BEGIN
    IF v.certificate IS NULL THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found Signing required, wanted a certificate', c.name));
    END IF;
    PERFORM chancery.audit_add(p_tenant, actor, 'Get CloudCertificationAuthority', c.uuid::text, c.name, '{"certificate": true}');
    RETURN QUERY SELECT v.certificate, v.chain;
END $$;
COMMENT ON FUNCTION chancery.op_ca_certificate IS 'A CA''s certificate and those above it, nearest first.';

CREATE FUNCTION chancery.operator_ca_revoke(p_tenant int, p_actor text, c chancery.ca, p_reason int) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    w record;
    leaves int;
BEGIN
    -- The change of state waits for issuing to end; only then is the count true.
    UPDATE chancery.ca_version v SET state = 'revoked', state_changed_at = now(), row_version = v.row_version + 1
    WHERE v.ca_id = c.ca_id AND v.tenant_id = p_tenant AND v.state IN ('paused', 'staged', 'retired');
    SELECT count(*) INTO leaves FROM (
        SELECT FROM chancery.certificate x
        WHERE x.tenant_id = p_tenant AND x.kind = 'leaf' AND x.not_after > clock_timestamp()
          AND x.ca_version_id IN (SELECT v.ca_version_id FROM chancery.ca_version v WHERE v.ca_id = c.ca_id AND v.tenant_id = p_tenant)
          AND NOT EXISTS (SELECT FROM chancery.revocation r WHERE r.ca_version_id = x.ca_version_id AND r.serial = x.serial)
        LIMIT 1000) counted;
    IF leaves > 0 THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s%s active certificates, wanted none: revoke them first', c.name,
                                                     CASE WHEN leaves = 1000 THEN 'at least ' ELSE '' END, leaves));
    END IF;
    -- Where the certificate above is ours, its CRL lists what is revoked; another's CA has to be told by its people.
    FOR w IN SELECT v.* FROM chancery.ca_version v
             WHERE v.ca_id = c.ca_id AND v.tenant_id = p_tenant AND v.issuer_version_id IS NOT NULL AND v.certificate IS NOT NULL
    LOOP
        INSERT INTO chancery.revocation (ca_version_id, serial, tenant_id, revoked_at, reason, not_after)
        VALUES (w.issuer_version_id, w.serial, p_tenant, now(), p_reason, w.not_after) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO chancery.revocation_event (tenant_id, ca_version_id, crl_shard, serial, action, reason, actor)
            VALUES (p_tenant, w.issuer_version_id, 0, w.serial, 'revoke', p_reason, p_actor);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION chancery.operator_ca_revoke IS 'Revokes every version of an issuing CA that has no active certificate left.';

CREATE FUNCTION chancery.op_ca_change(p_tenant int, p_login text, p_ca text, p_action text, p_reason int, p_expected int)
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
    SELECT * INTO v FROM chancery.ca_version x WHERE x.ca_version_id = v.ca_version_id AND x.tenant_id = p_tenant FOR UPDATE;
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
COMMENT ON FUNCTION chancery.op_ca_change IS 'Pause, resume, revoke or delete, by the table of transitions and the preconditions of reference 2.6.';

-- ------------------------------------------------------------------------------------------------------------------- devices and users

-- Free attributes stand beside the fixed ones in a subject's variables, so they cannot bear the names of those.
CREATE FUNCTION chancery.operator_attribute_problem(p_name text, p_value text, p_fixed text[]) RETURNS text LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN p_name !~ '^[A-Za-z0-9._-]{1,64}$' THEN format('attribute "%s": wanted 1 to 64 letters, digits and . _ -', left(p_name, 64))
                WHEN lower(p_name) = ANY (p_fixed) THEN format('attribute "%s": this name is taken by a property', p_name)
                WHEN octet_length(p_value) NOT BETWEEN 1 AND 256 THEN format('attribute "%s": wanted 1 to 256 bytes', p_name)
                WHEN p_value ~ '[[:cntrl:]]' THEN format('attribute "%s": control characters are not allowed', p_name) END;
END $$;
COMMENT ON FUNCTION chancery.operator_attribute_problem IS 'What is wrong with a free attribute of a device or user; NULL for nothing.';

CREATE FUNCTION chancery.operator_text_problem(p_field text, p_value text, p_most int) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN octet_length(p_value) > p_most THEN format('%s: found %s bytes, wanted at most %s', p_field, octet_length(p_value), p_most)
                WHEN p_value ~ '[[:cntrl:]]' THEN format('%s: control characters are not allowed', p_field)
                WHEN btrim(p_value) = '' AND p_value <> '' THEN format('%s: found blanks only', p_field) END;
END $$;
COMMENT ON FUNCTION chancery.operator_text_problem IS 'What is wrong with a text property; NULL for nothing. An empty one is absent, which is not a fault here.';

CREATE FUNCTION chancery.operator_name_check(p_object text, p_name text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF length(coalesce(p_name, '')) NOT BETWEEN 1 AND 128 OR p_name ~ '[[:cntrl:]]' OR btrim(p_name) = '' OR p_name ~ '^[0-9]+$' THEN
        PERFORM chancery.refuse('BadInput', format('%s name: found "%s", wanted 1 to 128 printable characters, not digits alone', p_object, left(p_name, 128)));
    END IF;
END $$;
COMMENT ON FUNCTION chancery.operator_name_check IS 'The rule for names of groups; digits alone would read as an id.';

CREATE FUNCTION chancery.op_device_add(p_tenant int, p_login text, p_names text[], p_platforms text[], p_serials text[], p_imeis text[], p_meids text[],
    p_wifi_macs text[], p_directory_ids text[], p_mdm_ids text[], p_fqdns text[], p_sids text[], p_owners text[],
    p_attribute_rows bigint[], p_attribute_names text[], p_attribute_values text[], p_group text)
RETURNS TABLE (row_number int, device_id bigint, problem text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    into_group chancery.directory_group;
    ids bigint[];
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    IF p_group IS NOT NULL THEN
        into_group := chancery.operator_group(p_tenant, p_group);
        IF into_group.kind <> 'devices' THEN
            PERFORM chancery.refuse('WrongState', format('group "%s": found a group of users, wanted one of devices', into_group.name));
        END IF;
    END IF;
    -- All or nothing: what is wrong is found first, each row with its first fault.
    RETURN QUERY
        SELECT DISTINCT ON (f.i) f.i::int, NULL::bigint, f.problem FROM (
            SELECT q.i, p.k, p.problem
            FROM unnest(p_names, p_platforms, p_serials, p_imeis, p_meids, p_wifi_macs, p_directory_ids, p_mdm_ids, p_fqdns, p_sids, p_owners)
                 WITH ORDINALITY q (name, platform, serial, imei, meid, wifi_mac, directory_id, mdm_id, fqdn, sid, owner, i)
            LEFT JOIN chancery.person u ON u.tenant_id = p_tenant AND lower(u.upn) = lower(q.owner)
            CROSS JOIN LATERAL (VALUES
                (1, CASE WHEN length(q.name) NOT BETWEEN 1 AND 128 THEN 'name: wanted 1 to 128 characters' END),
                (2, chancery.operator_text_problem('name', q.name, 512)),
                (3, CASE WHEN q.platform NOT IN ('windows', 'ios', 'macos', 'android', 'linux', 'other')
                    THEN format('platform: found "%s", wanted windows, ios, macos, android, linux or other', left(q.platform, 64)) END),
                (4, chancery.operator_text_problem('serial', q.serial, 256)),
                (5, chancery.operator_text_problem('imei', q.imei, 256)),
                (6, chancery.operator_text_problem('meid', q.meid, 256)),
                (7, chancery.operator_text_problem('wifi-mac', q.wifi_mac, 256)),
                (8, chancery.operator_text_problem('directory-id', q.directory_id, 256)),
                (9, chancery.operator_text_problem('mdm-id', q.mdm_id, 256)),
                (10, chancery.operator_text_problem('fqdn', q.fqdn, 256)),
                (11, chancery.operator_text_problem('sid', q.sid, 256)),
                (12, CASE WHEN q.owner <> '' AND u.user_id IS NULL THEN format('owner: user "%s" not found', left(q.owner, 256)) END)) p (k, problem)
            WHERE p.problem IS NOT NULL AND (
                -- a cheap look at the whole row, since nearly all are good
                length(q.name) NOT BETWEEN 1 AND 128 OR q.platform NOT IN ('windows', 'ios', 'macos', 'android', 'linux', 'other')
                OR (q.owner <> '' AND u.user_id IS NULL)
                OR greatest(octet_length(q.serial), octet_length(q.imei), octet_length(q.meid), octet_length(q.wifi_mac), octet_length(q.directory_id),
                            octet_length(q.mdm_id), octet_length(q.fqdn), octet_length(q.sid)) > 256
                OR concat_ws('|', q.name, q.serial, q.imei, q.meid, q.wifi_mac, q.directory_id, q.mdm_id, q.fqdn, q.sid) ~ '[[:cntrl:]]|(^|\|) +(\||$)')
            UNION ALL
            SELECT a.i, 20, chancery.operator_attribute_problem(a.name, a.value, ARRAY['name', 'serial_number', 'imei', 'meid', 'wifi_mac', 'directory_id',
                                                                                      'mdm_id', 'fqdn', 'security_identifier'])
            FROM unnest(p_attribute_rows, p_attribute_names, p_attribute_values) a (i, name, value)) f
        WHERE f.problem IS NOT NULL ORDER BY f.i, f.k;
    IF FOUND THEN
        RETURN;
    END IF;
    WITH q AS (
        SELECT * FROM unnest(p_names, p_platforms, p_serials, p_imeis, p_meids, p_wifi_macs, p_directory_ids, p_mdm_ids, p_fqdns, p_sids, p_owners)
            WITH ORDINALITY q (name, platform, serial, imei, meid, wifi_mac, directory_id, mdm_id, fqdn, sid, owner, i)),
    extra AS (
        SELECT a.i, jsonb_object_agg(lower(a.name), a.value) AS attributes FROM unnest(p_attribute_rows, p_attribute_names, p_attribute_values) a (i, name, value)
        GROUP BY a.i),
    made AS (
        INSERT INTO chancery.device (tenant_id, name, platform, serial_number, imei, meid, wifi_mac, directory_id, mdm_id, fqdn, security_identifier, owner_id,
                                     attributes)
        SELECT p_tenant, q.name, q.platform, nullif(q.serial, ''), nullif(q.imei, ''), nullif(q.meid, ''), nullif(q.wifi_mac, ''), nullif(q.directory_id, ''),
               nullif(q.mdm_id, ''), nullif(q.fqdn, ''), nullif(q.sid, ''), u.user_id, coalesce(x.attributes, '{}')
        FROM q LEFT JOIN extra x ON x.i = q.i
        LEFT JOIN chancery.person u ON u.tenant_id = p_tenant AND lower(u.upn) = lower(nullif(q.owner, ''))
        ORDER BY q.i RETURNING device_id)
    SELECT array_agg(m.device_id ORDER BY m.device_id) INTO ids FROM made m;
    IF into_group.group_id IS NOT NULL THEN
        INSERT INTO chancery.group_member (tenant_id, group_id, device_id) SELECT p_tenant, into_group.group_id, n.id FROM unnest(ids) n (id);
    END IF;
    PERFORM chancery.delivery_resolve_devices(p_tenant, ids);
    PERFORM chancery.audit_add(p_tenant, actor, CASE cardinality(ids) WHEN 1 THEN 'Create ManagedDevice' ELSE 'Import ManagedDevice' END,
        CASE cardinality(ids) WHEN 1 THEN ids[1]::text ELSE format('%s..%s', ids[1], ids[cardinality(ids)]) END,
        CASE cardinality(ids) WHEN 1 THEN p_names[1] ELSE '' END,
        jsonb_strip_nulls(jsonb_build_object('devices', cardinality(ids), 'group', into_group.name)));
    RETURN QUERY SELECT n.i::int, n.id, NULL::text FROM unnest(ids) WITH ORDINALITY n (id, i) ORDER BY n.i;
END $$;
COMMENT ON FUNCTION chancery.op_device_add IS 'Adds devices, all or none: rows with a problem and nothing done, or the new ids in order. Empty texts are absent. Attributes name their row from 1.';

CREATE FUNCTION chancery.op_device_list(p_tenant int, p_login text, p_group text, p_after bigint, p_limit int)
RETURNS TABLE (id bigint, name text, platform text, serial text, owner text, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    of_group bigint;
BEGIN
    IF p_group IS NOT NULL THEN
        of_group := (chancery.operator_group(p_tenant, p_group)).group_id;
    END IF;
    RETURN QUERY
        SELECT d.device_id, d.name, d.platform, d.serial_number, u.upn, d.state FROM chancery.device d
        LEFT JOIN chancery.person u ON u.user_id = d.owner_id AND u.tenant_id = p_tenant
        WHERE d.tenant_id = p_tenant AND d.device_id > p_after
          AND (of_group IS NULL OR d.device_id IN (SELECT m.device_id FROM chancery.group_member m WHERE m.group_id = of_group AND m.tenant_id = p_tenant))
        ORDER BY d.device_id LIMIT nullif(p_limit, 0);
END $$;
COMMENT ON FUNCTION chancery.op_device_list IS 'Devices in the order of their ids, from the one after p_after.';

CREATE FUNCTION chancery.op_device_show(p_tenant int, p_login text, p_device text)
RETURNS TABLE (id bigint, name text, platform text, state text, serial text, imei text, meid text, wifi_mac text, directory_id text, mdm_id text, fqdn text,
               sid text, owner text, attributes json, groups text[], profiles text[], certificates bigint, created_at text, row_version int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    d chancery.device := chancery.operator_device(p_tenant, p_device);
BEGIN
    RETURN QUERY
        SELECT d.device_id, d.name, d.platform, d.state, d.serial_number, d.imei, d.meid, d.wifi_mac, d.directory_id, d.mdm_id, d.fqdn, d.security_identifier,
               (SELECT u.upn FROM chancery.person u WHERE u.user_id = d.owner_id AND u.tenant_id = p_tenant), d.attributes::json,
               ARRAY(SELECT g.name FROM chancery.group_member m JOIN chancery.directory_group g ON g.group_id = m.group_id AND g.tenant_id = p_tenant
                     WHERE m.device_id = d.device_id AND m.tenant_id = p_tenant ORDER BY lower(g.name)),
               ARRAY(SELECT p.name FROM chancery.delivery y JOIN chancery.profile p ON p.profile_id = y.profile_id AND p.tenant_id = p_tenant
                     WHERE y.device_id = d.device_id AND y.tenant_id = p_tenant AND y.state = 'current' ORDER BY lower(p.name)),
               (SELECT count(*) FROM chancery.certificate x WHERE x.device_id = d.device_id AND x.tenant_id = p_tenant),
               chancery.operator_time(d.created_at), d.row_version;
END $$;
COMMENT ON FUNCTION chancery.op_device_show IS 'A device, its groups, the profiles delivered to it, and how many certificates it got.';

CREATE FUNCTION chancery.op_device_state(p_tenant int, p_login text, p_device text, p_state text, p_expected int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    d chancery.device;
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    d := chancery.operator_device(p_tenant, p_device);
    SELECT * INTO d FROM chancery.device x WHERE x.device_id = d.device_id AND x.tenant_id = p_tenant FOR UPDATE;
    PERFORM chancery.operator_expect(format('device "%s"', d.name), d.row_version, p_expected);
    IF d.state = p_state THEN
        PERFORM chancery.refuse('WrongState', format('device "%s": found %s already', d.name, d.state));
    END IF;
    UPDATE chancery.device x SET state = p_state, row_version = x.row_version + 1 WHERE x.device_id = d.device_id AND x.tenant_id = p_tenant;
    PERFORM chancery.delivery_resolve_devices(p_tenant, ARRAY[d.device_id]);
    PERFORM chancery.audit_add(p_tenant, actor, 'Patch ManagedDevice', d.device_id::text, d.name, jsonb_build_object('from', d.state, 'to', p_state));
END $$;
COMMENT ON FUNCTION chancery.op_device_state IS 'Retires, wipes, blocks or takes back a device. What commits here wins over an enrolment that is under way.';

CREATE FUNCTION chancery.op_user_add(p_tenant int, p_login text, p_upn text, p_user_name text, p_given_name text, p_surname text, p_email text, p_sam text,
    p_dn text, p_sid text, p_department text, p_attribute_names text[], p_attribute_values text[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    problem text;
    id bigint;
BEGIN
    SELECT f.problem INTO problem FROM (
        SELECT v.k, v.problem FROM (VALUES
            (1, CASE WHEN p_upn !~ '^[^@[:space:]]+@[^@[:space:]]+$' THEN format('upn: found "%s", wanted name@domain', left(p_upn, 256)) END),
            (2, chancery.operator_text_problem('upn', p_upn, 256)), (3, chancery.operator_text_problem('name', p_user_name, 256)),
            (4, chancery.operator_text_problem('given-name', p_given_name, 256)), (5, chancery.operator_text_problem('surname', p_surname, 256)),
            (6, chancery.operator_text_problem('email', p_email, 256)), (7, chancery.operator_text_problem('sam', p_sam, 256)),
            (8, chancery.operator_text_problem('dn', p_dn, 1024)), (9, chancery.operator_text_problem('sid', p_sid, 256)),
            (10, chancery.operator_text_problem('department', p_department, 256))) v (k, problem)
        UNION ALL
        SELECT 20, chancery.operator_attribute_problem(a.name, a.value, ARRAY['user_name', 'upn', 'email', 'on_premises_dn', 'sam_account', 'given_name', 'surname',
                                                                             'security_identifier', 'department'])
        FROM unnest(p_attribute_names, p_attribute_values) a (name, value)) f
    WHERE f.problem IS NOT NULL ORDER BY f.k LIMIT 1;
    IF problem IS NOT NULL THEN
        PERFORM chancery.refuse('BadInput', 'user: ' || problem);
    END IF;
    INSERT INTO chancery.person (tenant_id, upn, user_name, given_name, surname, email, sam_account, on_premises_dn, security_identifier, department, attributes)
    VALUES (p_tenant, p_upn, nullif(p_user_name, ''), nullif(p_given_name, ''), nullif(p_surname, ''), nullif(p_email, ''), nullif(p_sam, ''), nullif(p_dn, ''),
            nullif(p_sid, ''), nullif(p_department, ''),
            coalesce((SELECT jsonb_object_agg(lower(a.name), a.value) FROM unnest(p_attribute_names, p_attribute_values) a (name, value)), '{}'))
    RETURNING user_id INTO id;
    PERFORM chancery.audit_add(p_tenant, actor, 'Create User', id::text, p_upn, '{}');
    RETURN id;
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('user "%s"', p_upn));
END $$;
COMMENT ON FUNCTION chancery.op_user_add IS 'Adds a user; absent properties are empty or NULL.';

CREATE FUNCTION chancery.op_user_list(p_tenant int, p_login text, p_after bigint, p_limit int)
RETURNS TABLE (id bigint, upn text, name text, email text, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY SELECT u.user_id, u.upn, u.user_name, u.email, u.state FROM chancery.person u
        WHERE u.tenant_id = p_tenant AND u.user_id > p_after ORDER BY u.user_id LIMIT nullif(p_limit, 0);
END $$;
COMMENT ON FUNCTION chancery.op_user_list IS 'Users in the order of their ids, from the one after p_after.';

CREATE FUNCTION chancery.op_user_show(p_tenant int, p_login text, p_user text)
RETURNS TABLE (id bigint, upn text, state text, name text, given_name text, surname text, email text, sam text, dn text, sid text, department text,
               attributes json, groups text[], devices text[], created_at text, row_version int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    u chancery.person := chancery.operator_user(p_tenant, p_user);
BEGIN
    RETURN QUERY
        SELECT u.user_id, u.upn, u.state, u.user_name, u.given_name, u.surname, u.email, u.sam_account, u.on_premises_dn, u.security_identifier, u.department,
               u.attributes::json,
               ARRAY(SELECT g.name FROM chancery.group_member m JOIN chancery.directory_group g ON g.group_id = m.group_id AND g.tenant_id = p_tenant
                     WHERE m.user_id = u.user_id AND m.tenant_id = p_tenant ORDER BY lower(g.name)),
               ARRAY(SELECT d.name FROM chancery.device d WHERE d.owner_id = u.user_id AND d.tenant_id = p_tenant ORDER BY d.device_id LIMIT 100),
               chancery.operator_time(u.created_at), u.row_version;
END $$;
COMMENT ON FUNCTION chancery.op_user_show IS 'A user, with groups and the first hundred devices.';

CREATE FUNCTION chancery.op_user_state(p_tenant int, p_login text, p_user text, p_state text, p_expected int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    u chancery.person;
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    u := chancery.operator_user(p_tenant, p_user);
    SELECT * INTO u FROM chancery.person x WHERE x.user_id = u.user_id AND x.tenant_id = p_tenant FOR UPDATE;
    PERFORM chancery.operator_expect(format('user "%s"', u.upn), u.row_version, p_expected);
    IF u.state = p_state THEN
        PERFORM chancery.refuse('WrongState', format('user "%s": found %s already', u.upn, u.state));
    END IF;
    UPDATE chancery.person x SET state = p_state, row_version = x.row_version + 1 WHERE x.user_id = u.user_id AND x.tenant_id = p_tenant;
    PERFORM chancery.delivery_resolve_devices(p_tenant, ARRAY(SELECT d.device_id FROM chancery.device d WHERE d.owner_id = u.user_id AND d.tenant_id = p_tenant));
    PERFORM chancery.audit_add(p_tenant, actor, 'Patch User', u.user_id::text, u.upn, jsonb_build_object('from', u.state, 'to', p_state));
END $$;
COMMENT ON FUNCTION chancery.op_user_state IS 'Disables or enables a user; certificates of type user follow.';

-- ------------------------------------------------------------------------------------------------------------------------------ groups

CREATE FUNCTION chancery.op_group_add(p_tenant int, p_login text, p_name text, p_kind text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    id bigint;
BEGIN
    PERFORM chancery.operator_name_check('group', p_name);
    IF p_kind IS NULL OR p_kind NOT IN ('devices', 'users') THEN
        PERFORM chancery.refuse('BadInput', format('group kind: found "%s", wanted devices or users', left(p_kind, 64)));
    END IF;
    INSERT INTO chancery.directory_group (tenant_id, name, kind) VALUES (p_tenant, p_name, p_kind) RETURNING group_id INTO id;
    PERFORM chancery.audit_add(p_tenant, actor, 'Create Group', id::text, p_name, jsonb_build_object('kind', p_kind));
    RETURN id;
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('group "%s"', p_name));
END $$;
COMMENT ON FUNCTION chancery.op_group_add IS 'A new group of devices or users.';

CREATE FUNCTION chancery.op_group_list(p_tenant int, p_login text)
RETURNS TABLE (id bigint, name text, kind text, members bigint, profiles text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        SELECT g.group_id, g.name, g.kind, (SELECT count(*) FROM chancery.group_member m WHERE m.group_id = g.group_id AND m.tenant_id = p_tenant),
               ARRAY(SELECT p.name || CASE WHEN a.exclude THEN ' (excluded)' ELSE '' END FROM chancery.assignment a
                     JOIN chancery.profile p ON p.profile_id = a.profile_id AND p.tenant_id = p_tenant AND p.deleted_at IS NULL
                     WHERE a.group_id = g.group_id AND a.tenant_id = p_tenant ORDER BY lower(p.name))
        FROM chancery.directory_group g WHERE g.tenant_id = p_tenant ORDER BY g.group_id;
END $$;
COMMENT ON FUNCTION chancery.op_group_list IS 'The groups, their sizes, and the profiles assigned to them.';

CREATE FUNCTION chancery.op_group_members(p_tenant int, p_login text, p_group text, p_after bigint, p_limit int)
RETURNS TABLE (id bigint, kind text, name text, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    g chancery.directory_group := chancery.operator_group(p_tenant, p_group);
BEGIN
    RETURN QUERY
        SELECT coalesce(d.device_id, u.user_id), CASE WHEN d.device_id IS NULL THEN 'user' ELSE 'device' END, coalesce(d.name, u.upn), coalesce(d.state, u.state)
        FROM chancery.group_member m
        LEFT JOIN chancery.device d ON d.device_id = m.device_id AND d.tenant_id = p_tenant
        LEFT JOIN chancery.person u ON u.user_id = m.user_id AND u.tenant_id = p_tenant
        WHERE m.group_id = g.group_id AND m.tenant_id = p_tenant AND coalesce(m.device_id, m.user_id) > p_after ORDER BY 1 LIMIT nullif(p_limit, 0);
END $$;
COMMENT ON FUNCTION chancery.op_group_members IS 'The members of a group in the order of their ids.';

CREATE FUNCTION chancery.op_group_change(p_tenant int, p_login text, p_group text, p_add boolean, p_devices text[], p_users text[], p_all_devices boolean)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    g chancery.directory_group;
    devices bigint[];
    users bigint[];
    done bigint[];
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    g := chancery.operator_group(p_tenant, p_group);
    IF (CASE g.kind WHEN 'devices' THEN cardinality(p_users) > 0 ELSE cardinality(p_devices) > 0 OR p_all_devices END) THEN
        PERFORM chancery.refuse('WrongState', format('group "%s": is a group of %s', g.name, g.kind));
    END IF;
    devices := CASE WHEN p_all_devices THEN ARRAY(SELECT d.device_id FROM chancery.device d WHERE d.tenant_id = p_tenant)
                    ELSE ARRAY(SELECT (chancery.operator_device(p_tenant, n)).device_id FROM unnest(p_devices) n) END;
    users := ARRAY(SELECT (chancery.operator_user(p_tenant, n)).user_id FROM unnest(p_users) n);
    IF p_add THEN
        WITH made AS (
            INSERT INTO chancery.group_member AS m (tenant_id, group_id, device_id, user_id)
            SELECT DISTINCT p_tenant, g.group_id, n.id, NULL::bigint FROM unnest(devices) n (id)
            UNION ALL
            SELECT DISTINCT p_tenant, g.group_id, NULL::bigint, n.id FROM unnest(users) n (id)
            ON CONFLICT DO NOTHING RETURNING coalesce(m.device_id, m.user_id) AS id)
        SELECT array_agg(x.id) INTO done FROM made x;
    ELSE
        WITH gone AS (
            DELETE FROM chancery.group_member m
            WHERE m.group_id = g.group_id AND m.tenant_id = p_tenant AND (m.device_id = ANY (devices) OR m.user_id = ANY (users))
            RETURNING coalesce(m.device_id, m.user_id) AS id)
        SELECT array_agg(x.id) INTO done FROM gone x;
    END IF;
    IF done IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM chancery.delivery_resolve_devices(p_tenant, CASE g.kind WHEN 'devices' THEN done
        ELSE ARRAY(SELECT d.device_id FROM chancery.device d WHERE d.owner_id = ANY (done) AND d.tenant_id = p_tenant) END);
    PERFORM chancery.audit_add(p_tenant, actor, CASE WHEN p_add THEN 'Add GroupMember' ELSE 'Remove GroupMember' END, g.group_id::text, g.name,
        jsonb_build_object('count', cardinality(done), CASE g.kind WHEN 'devices' THEN 'devices' ELSE 'users' END, to_jsonb(done[1:1000])));
    RETURN cardinality(done);
END $$;
COMMENT ON FUNCTION chancery.op_group_change IS 'Puts members into a group or takes them out; returns how many that changed. The deliveries follow in the same transaction.';

CREATE FUNCTION chancery.op_group_delete(p_tenant int, p_login text, p_group text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    g chancery.directory_group;
    users text;
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    g := chancery.operator_group(p_tenant, p_group);
    SELECT string_agg(p.name, ', ' ORDER BY lower(p.name)) INTO users FROM chancery.assignment a
    JOIN chancery.profile p ON p.profile_id = a.profile_id AND p.tenant_id = p_tenant AND p.deleted_at IS NULL
    WHERE a.group_id = g.group_id AND a.tenant_id = p_tenant;
    IF users IS NOT NULL THEN
        PERFORM chancery.refuse('WrongState', format('group "%s": found assigned to %s, wanted no assignment', g.name, left(users, 512)));
    END IF;
    DELETE FROM chancery.assignment a WHERE a.group_id = g.group_id AND a.tenant_id = p_tenant;
    DELETE FROM chancery.group_member m WHERE m.group_id = g.group_id AND m.tenant_id = p_tenant;
    DELETE FROM chancery.directory_group x WHERE x.group_id = g.group_id AND x.tenant_id = p_tenant;
    PERFORM chancery.audit_add(p_tenant, actor, 'Delete Group', g.group_id::text, g.name, '{}');
END $$;
COMMENT ON FUNCTION chancery.op_group_delete IS 'Deletes a group to which no live profile is assigned.';

-- ------------------------------------------------------------------------------------------------------------------------------ profiles

CREATE FUNCTION chancery.op_profile_ca(p_tenant int, p_login text, p_ca text)
RETURNS TABLE (ca_uuid text, name text, certificate bytea, chain bytea[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, false);
    v chancery.ca_version := chancery.operator_ca_version(p_tenant, c.ca_id);
BEGIN
    IF c.kind = 'root' THEN
        PERFORM chancery.refuse('BadInput', format('CA "%s": found a root, wanted an issuing CA', c.name));
    ELSIF v.certificate IS NULL OR v.state = 'revoked' THEN
        PERFORM chancery.refuse('WrongState', format('CA "%s": found %s, wanted Active or Paused', c.name, chancery.operator_ca_word(v.state, v.not_after)));
    END IF;
    RETURN QUERY SELECT c.uuid::text, c.name, v.certificate, v.chain;
END $$;
COMMENT ON FUNCTION chancery.op_profile_ca IS 'The issuing CA that a profile names, for the checks of its settings.';

CREATE FUNCTION chancery.operator_revision_add(p_tenant int, p_actor text, p_profile bigint, p_revision int, p_for_user boolean, p_subject text, p_san_types text[],
    p_san_formats text[], p_validity int, p_validity_unit text, p_key_usage int, p_key_size_min int, p_ekus text[], p_strict boolean, p_threshold int,
    p_challenge_seconds int)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO chancery.profile_revision (tenant_id, profile_id, revision, for_user, subject_format, san_types, san_formats, validity, validity_unit, key_usage,
                                           key_size_min, eku_oids, strict, renewal_threshold, challenge_seconds, created_by)
    VALUES (p_tenant, p_profile, p_revision, p_for_user, p_subject, p_san_types, p_san_formats, p_validity, p_validity_unit, p_key_usage, p_key_size_min, p_ekus,
            p_strict, p_threshold, p_challenge_seconds, p_actor);
    PERFORM chancery.delivery_resolve(p_tenant, p_profile);
END $$;
COMMENT ON FUNCTION chancery.operator_revision_add IS 'Stores a revision and makes the deliveries those of it.';

CREATE FUNCTION chancery.op_profile_add(p_tenant int, p_login text, p_name text, p_platform text, p_ca text, p_for_user boolean, p_subject text, p_san_types text[],
    p_san_formats text[], p_validity int, p_validity_unit text, p_key_usage int, p_key_size_min int, p_ekus text[], p_strict boolean, p_threshold int,
    p_challenge_seconds int)
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
                                           p_key_size_min, p_ekus, p_strict, p_threshold, p_challenge_seconds);
    PERFORM chancery.audit_add(p_tenant, actor, 'Create Profile', id::text, p_name, jsonb_build_object('platform', p_platform, 'ca', c.uuid, 'subject', p_subject));
    RETURN id;
EXCEPTION WHEN unique_violation THEN
    PERFORM chancery.refuse('Exists', format('profile "%s"', p_name));
END $$;
COMMENT ON FUNCTION chancery.op_profile_add IS 'A new profile and its first revision; the settings were checked against the CA''s certificate by the caller and are checked again by the signer.';

CREATE FUNCTION chancery.op_profile_read(p_tenant int, p_login text, p_profile text)
RETURNS TABLE (profile_id bigint, name text, platform text, ca_uuid text, row_version int, for_user boolean, subject_format text, san_types text[],
               san_formats text[], validity int, validity_unit text, key_usage int, key_size_min int, eku_oids text[], strict boolean, renewal_threshold int,
               challenge_seconds int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    p chancery.profile := chancery.operator_profile(p_tenant, p_profile);
BEGIN
    RETURN QUERY
        SELECT p.profile_id, p.name, p.platform, c.uuid::text, p.row_version, r.for_user, r.subject_format, r.san_types, r.san_formats, r.validity,
               r.validity_unit, r.key_usage, r.key_size_min, r.eku_oids, r.strict, r.renewal_threshold, r.challenge_seconds
        FROM chancery.profile_revision r JOIN chancery.ca c ON c.ca_id = p.ca_id AND c.tenant_id = p_tenant
        WHERE r.profile_id = p.profile_id AND r.revision = p.revision AND r.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.op_profile_read IS 'The settings of a profile''s current revision, to make the next from.';

CREATE FUNCTION chancery.op_profile_revise(p_tenant int, p_login text, p_profile bigint, p_expected int, p_ca text, p_for_user boolean, p_subject text,
    p_san_types text[], p_san_formats text[], p_validity int, p_validity_unit text, p_key_usage int, p_key_size_min int, p_ekus text[], p_strict boolean,
    p_threshold int, p_challenge_seconds int)
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
                                           p_validity_unit, p_key_usage, p_key_size_min, p_ekus, p_strict, p_threshold, p_challenge_seconds);
    PERFORM chancery.audit_add(p_tenant, actor, 'Patch Profile', p.profile_id::text, p.name, jsonb_build_object('revision', p.revision + 1, 'ca', c.uuid, 'subject', p_subject));
    RETURN p.revision + 1;
END $$;
COMMENT ON FUNCTION chancery.op_profile_revise IS 'The next revision of a profile; deliveries and challenges of the one before end with it.';

CREATE FUNCTION chancery.op_profile_list(p_tenant int, p_login text)
RETURNS TABLE (id bigint, name text, platform text, ca text, type text, revision int, deliveries bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        SELECT p.profile_id, p.name, p.platform, c.name, CASE WHEN r.for_user THEN 'user' ELSE 'device' END, p.revision,
               (SELECT count(*) FROM chancery.delivery y WHERE y.profile_id = p.profile_id AND y.tenant_id = p_tenant AND y.state = 'current')
        FROM chancery.profile p
        JOIN chancery.ca c ON c.ca_id = p.ca_id AND c.tenant_id = p_tenant
        JOIN chancery.profile_revision r ON r.profile_id = p.profile_id AND r.revision = p.revision AND r.tenant_id = p_tenant
        WHERE p.tenant_id = p_tenant AND p.deleted_at IS NULL ORDER BY p.profile_id;
END $$;
COMMENT ON FUNCTION chancery.op_profile_list IS 'The live profiles and to how many they are delivered.';

CREATE FUNCTION chancery.op_profile_show(p_tenant int, p_login text, p_profile text)
RETURNS TABLE (id bigint, name text, platform text, ca text, ca_id text, scep_uri text, revision int, type text, subject text, sans text[], validity text,
               key_usage text, key_size int, ekus text[], strict boolean, renewal_threshold int, challenge_lifetime int, included text[], excluded text[],
               deliveries bigint, created_at text, created_by text, row_version int)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    p chancery.profile := chancery.operator_profile(p_tenant, p_profile);
BEGIN
    RETURN QUERY
        SELECT p.profile_id, p.name, p.platform, c.name, c.uuid::text, c.scep_uri, p.revision, CASE WHEN r.for_user THEN 'user' ELSE 'device' END, r.subject_format,
               ARRAY(SELECT s.type || ':' || s.format FROM unnest(r.san_types, r.san_formats) WITH ORDINALITY s (type, format, i) ORDER BY s.i),
               r.validity || ' ' || CASE r.validity WHEN 1 THEN rtrim(r.validity_unit, 's') ELSE r.validity_unit END,
               CASE r.key_usage WHEN 1 THEN 'digitalSignature' WHEN 4 THEN 'keyEncipherment' ELSE 'digitalSignature,keyEncipherment' END,
               r.key_size_min, r.eku_oids, r.strict, r.renewal_threshold, r.challenge_seconds,
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

CREATE FUNCTION chancery.op_profile_delete(p_tenant int, p_login text, p_profile text, p_expected int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    p chancery.profile;
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    p := chancery.operator_profile(p_tenant, p_profile);
    SELECT * INTO p FROM chancery.profile x WHERE x.profile_id = p.profile_id AND x.tenant_id = p_tenant FOR UPDATE;
    PERFORM chancery.operator_expect(format('profile "%s"', p.name), p.row_version, p_expected);
    UPDATE chancery.profile x SET deleted_at = now(), row_version = x.row_version + 1 WHERE x.profile_id = p.profile_id AND x.tenant_id = p_tenant;
    DELETE FROM chancery.assignment a WHERE a.profile_id = p.profile_id AND a.tenant_id = p_tenant;
    PERFORM chancery.delivery_resolve(p_tenant, p.profile_id);
    PERFORM chancery.audit_add(p_tenant, actor, 'Delete Profile', p.profile_id::text, p.name, '{}');
END $$;
COMMENT ON FUNCTION chancery.op_profile_delete IS 'Ends a profile: its deliveries are withdrawn, its revisions stay for the certificates that came of them.';

CREATE FUNCTION chancery.op_assignment_change(p_tenant int, p_login text, p_profile text, p_group text, p_add boolean, p_exclude boolean)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    p chancery.profile;
    g chancery.directory_group;
BEGIN
    PERFORM chancery.delivery_lock(p_tenant);
    p := chancery.operator_profile(p_tenant, p_profile);
    g := chancery.operator_group(p_tenant, p_group);
    IF p_add THEN
        INSERT INTO chancery.assignment (tenant_id, profile_id, group_id, exclude) VALUES (p_tenant, p.profile_id, g.group_id, p_exclude) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            PERFORM chancery.refuse('Exists', format('assignment of profile "%s" and group "%s"', p.name, g.name));
        END IF;
    ELSE
        DELETE FROM chancery.assignment a WHERE a.profile_id = p.profile_id AND a.group_id = g.group_id AND a.tenant_id = p_tenant;
        IF NOT FOUND THEN
            PERFORM chancery.refuse('NotFound', format('assignment of profile "%s" and group "%s"', p.name, g.name));
        END IF;
    END IF;
    PERFORM chancery.delivery_resolve(p_tenant, p.profile_id);
    PERFORM chancery.audit_add(p_tenant, actor, CASE WHEN p_add THEN 'Assign Profile' ELSE 'Unassign Profile' END, p.profile_id::text, p.name,
        jsonb_strip_nulls(jsonb_build_object('group', g.name, 'exclude', CASE WHEN p_add THEN p_exclude END)));
END $$;
COMMENT ON FUNCTION chancery.op_assignment_change IS 'Assigns a profile to a group, or ends that; the deliveries follow in the same transaction.';

CREATE FUNCTION chancery.op_assignment_list(p_tenant int, p_login text, p_profile text)
RETURNS TABLE (profile text, "group" text, kind text, exclude boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    of_profile bigint;
BEGIN
    IF p_profile IS NOT NULL THEN
        of_profile := (chancery.operator_profile(p_tenant, p_profile)).profile_id;
    END IF;
    RETURN QUERY
        SELECT p.name, g.name, g.kind, a.exclude FROM chancery.assignment a
        JOIN chancery.profile p ON p.profile_id = a.profile_id AND p.tenant_id = p_tenant AND p.deleted_at IS NULL
        JOIN chancery.directory_group g ON g.group_id = a.group_id AND g.tenant_id = p_tenant
        WHERE a.tenant_id = p_tenant AND (of_profile IS NULL OR a.profile_id = of_profile) ORDER BY lower(p.name), a.exclude, lower(g.name);
END $$;
COMMENT ON FUNCTION chancery.op_assignment_list IS 'Which groups get which profiles.';

-- ---------------------------------------------------------------------------------------------------------------- certificates and CRLs

-- A serial number's second and third octets are the month of its certificate's end: one partition is looked into.
CREATE FUNCTION chancery.operator_serial_month(p_serial bytea) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    months int;
BEGIN
    IF p_serial IS NULL OR octet_length(p_serial) <> 16 OR get_byte(p_serial, 0) <> 16 THEN
        RETURN NULL;
    END IF;
    months := get_byte(p_serial, 1) * 256 + get_byte(p_serial, 2);
    RETURN CASE WHEN months >= 12 THEN make_timestamptz(months / 12, months % 12 + 1, 1, 0, 0, 0, 'UTC') END;
END $$;
COMMENT ON FUNCTION chancery.operator_serial_month IS 'The beginning of the month in which the certificate of that serial number ends; NULL where the number is not one of ours.';

CREATE FUNCTION chancery.operator_certificate(p_tenant int, p_serial bytea, p_ca text) RETURNS chancery.certificate LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first timestamptz := chancery.operator_serial_month(p_serial);
    next timestamptz := (first AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
    of_ca int := CASE WHEN p_ca IS NOT NULL THEN (chancery.operator_ca(p_tenant, p_ca, true)).ca_id END;
    it chancery.certificate;
    c chancery.certificate;
    n int := 0;
BEGIN
    FOR c IN
        SELECT x.* FROM chancery.ca_version v
        JOIN chancery.certificate x ON x.ca_version_id = v.ca_version_id AND x.serial = p_serial AND x.tenant_id = p_tenant
             AND x.not_after >= first AND x.not_after < next
        WHERE v.tenant_id = p_tenant AND (of_ca IS NULL OR v.ca_id = of_ca) LIMIT 2
    LOOP
        it := c;
        n := n + 1;
    END LOOP;
    IF n = 0 THEN
        PERFORM chancery.refuse('NotFound', format('certificate %s: not found', encode(p_serial, 'hex')));
    ELSIF n > 1 THEN
        PERFORM chancery.refuse('BadInput', format('certificate %s: found under several CAs, wanted one; name the CA', encode(p_serial, 'hex')));
    END IF;
    RETURN it;
END $$;
COMMENT ON FUNCTION chancery.operator_certificate IS 'A certificate by its serial number, of any CA or of one.';

CREATE FUNCTION chancery.op_certificate_list(p_tenant int, p_login text, p_ca text, p_device text, p_name text, p_status text, p_serial bytea, p_kind text,
    p_limit int, p_before bigint)
RETURNS TABLE (id bigint, serial text, subject text, status text, ca text, device text, not_before text, not_after text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca;
    versions int[];
    of_device bigint;
    first timestamptz := chancery.operator_serial_month(p_serial);
    pattern text := replace(replace(replace(left(lower(p_name), 128), '\', '\\'), '%', '\%'), '_', '\_') || '%';
BEGIN
    IF p_ca IS NOT NULL THEN
        c := chancery.operator_ca(p_tenant, p_ca, true);
        versions := ARRAY(SELECT v.ca_version_id FROM chancery.ca_version v WHERE v.ca_id = c.ca_id AND v.tenant_id = p_tenant);
    END IF;
    IF p_device IS NOT NULL THEN
        of_device := (chancery.operator_device(p_tenant, p_device)).device_id;
    END IF;
    PERFORM chancery.audit_add(p_tenant, actor, 'Search CloudCertificationAuthorityLeafCertificate', coalesce(c.uuid::text, ''), coalesce(c.name, ''),
        jsonb_strip_nulls(jsonb_build_object('device', p_device, 'name', p_name, 'status', p_status, 'serial', encode(p_serial, 'hex'), 'kind', p_kind,
                                             'limit', p_limit, 'before', p_before)));
    -- Only the conditions that are asked for stand in the statement, so that each list finds its index.
    RETURN QUERY EXECUTE
        'SELECT x.certificate_id, encode(x.serial, ''hex''), x.subject,
                CASE WHEN r.serial IS NOT NULL THEN ''revoked'' WHEN x.not_after < clock_timestamp() THEN ''expired'' ELSE ''active'' END,
                c.name, d.name, chancery.operator_time(x.not_before), chancery.operator_time(x.not_after)
         FROM chancery.certificate x
         JOIN chancery.ca_version v ON v.ca_version_id = x.ca_version_id AND v.tenant_id = $1
         JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = $1
         LEFT JOIN chancery.device d ON d.device_id = x.device_id AND d.tenant_id = $1
         LEFT JOIN chancery.revocation r ON r.ca_version_id = x.ca_version_id AND r.serial = x.serial
         WHERE x.tenant_id = $1 AND x.kind = $2'
        || CASE WHEN versions IS NOT NULL THEN ' AND x.ca_version_id = ANY ($3)' ELSE '' END
        || CASE WHEN of_device IS NOT NULL THEN ' AND x.device_id = $4' ELSE '' END
        || CASE WHEN p_name IS NOT NULL THEN ' AND x.certificate_id IN (SELECT n.certificate_id FROM chancery.certificate_name n
                                                WHERE left(lower(n.name), 128) LIKE $5 AND starts_with(lower(n.name), lower($6)))' ELSE '' END
        || CASE WHEN p_serial IS NOT NULL THEN ' AND x.serial = $7 AND x.not_after >= $8 AND x.not_after < $8 + interval ''32 days''' ELSE '' END
        || CASE p_status WHEN 'active' THEN ' AND r.serial IS NULL AND x.not_after >= now()' WHEN 'revoked' THEN ' AND r.serial IS NOT NULL'
                         WHEN 'expired' THEN ' AND r.serial IS NULL AND x.not_after < now()' ELSE '' END
        || CASE WHEN p_before IS NOT NULL THEN ' AND x.certificate_id < $9' ELSE '' END
        || ' ORDER BY x.certificate_id DESC LIMIT $10'
        USING p_tenant, p_kind, versions, of_device, pattern, p_name, p_serial, first, p_before, nullif(p_limit, 0);
END $$;
COMMENT ON FUNCTION chancery.op_certificate_list IS 'Certificates, newest first, filtered by what is not NULL; p_name is a prefix of a common name or subject alternative name.';

CREATE FUNCTION chancery.op_certificate_show(p_tenant int, p_login text, p_serial bytea, p_ca text)
RETURNS TABLE (id bigint, serial text, subject text, status text, kind text, ca text, ca_id text, ca_version int, not_before text, not_after text, issued_at text,
               thumbprint text, thumbprint_sha256 text, names text[], device_id bigint, device text, "user" text, profile text, profile_revision int,
               revoked_at text, reason text, invalidity_date text, history json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    x chancery.certificate := chancery.operator_certificate(p_tenant, p_serial, p_ca);
BEGIN
    PERFORM chancery.audit_add(p_tenant, actor, 'Get CloudCertificationAuthorityLeafCertificate', encode(x.serial, 'hex'), x.subject, '{}');
    RETURN QUERY
        SELECT x.certificate_id, encode(x.serial, 'hex'), x.subject,
               CASE WHEN r.serial IS NOT NULL THEN 'revoked' WHEN x.not_after < clock_timestamp() THEN 'expired' ELSE 'active' END,
               x.kind, c.name, c.uuid::text, v.number, chancery.operator_time(x.not_before), chancery.operator_time(x.not_after), chancery.operator_time(x.issued_at),
               upper(encode(x.sha1, 'hex')), upper(encode(x.sha256, 'hex')),
               ARRAY(SELECT n.kind || ':' || n.name FROM chancery.certificate_name n WHERE n.certificate_id = x.certificate_id AND n.not_after = x.not_after),
               x.device_id, d.name, u.upn, p.name, pr.revision,
               chancery.operator_time(r.revoked_at), chancery.operator_reason_word(r.reason), chancery.operator_time(r.invalidity_date),
               (SELECT coalesce(json_agg(json_build_object('at', chancery.operator_time(e.at), 'action', e.action, 'reason', chancery.operator_reason_word(e.reason),
                                                           'actor', e.actor, 'crl_number', e.crl_number) ORDER BY e.event_id), '[]')
                FROM chancery.revocation_event e WHERE e.ca_version_id = x.ca_version_id AND e.serial = x.serial)
        FROM chancery.ca_version v
        JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant
        LEFT JOIN chancery.device d ON d.device_id = x.device_id AND d.tenant_id = p_tenant
        LEFT JOIN chancery.person u ON u.user_id = x.user_id AND u.tenant_id = p_tenant
        LEFT JOIN chancery.profile_revision pr ON pr.profile_revision_id = x.profile_revision_id AND pr.tenant_id = p_tenant
        LEFT JOIN chancery.profile p ON p.profile_id = pr.profile_id AND p.tenant_id = p_tenant
        LEFT JOIN chancery.revocation r ON r.ca_version_id = x.ca_version_id AND r.serial = x.serial
        WHERE v.ca_version_id = x.ca_version_id AND v.tenant_id = p_tenant;
END $$;
COMMENT ON FUNCTION chancery.op_certificate_show IS 'All that is known of a certificate, with the history of its revocation.';

CREATE FUNCTION chancery.op_certificate_get(p_tenant int, p_login text, p_serial bytea, p_ca text)
RETURNS bytea LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    x chancery.certificate := chancery.operator_certificate(p_tenant, p_serial, p_ca);
BEGIN
    PERFORM chancery.audit_add(p_tenant, actor, 'Get CloudCertificationAuthorityLeafCertificate', encode(x.serial, 'hex'), x.subject, '{"certificate": true}');
    RETURN x.der;
END $$;
COMMENT ON FUNCTION chancery.op_certificate_get IS 'A certificate''s DER.';

CREATE FUNCTION chancery.op_certificate_revoke(p_tenant int, p_login text, p_serial bytea, p_ca text, p_reason int, p_invalidity timestamptz)
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
COMMENT ON FUNCTION chancery.op_certificate_revoke IS 'Revokes a certificate (RA certificates too), or puts it on hold (reason 6); one on hold can be revoked for good.';

CREATE FUNCTION chancery.op_certificate_release(p_tenant int, p_login text, p_serial bytea, p_ca text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    x chancery.certificate := chancery.operator_certificate(p_tenant, p_serial, p_ca);
    held int;
BEGIN
    IF (SELECT v.state FROM chancery.ca_version v WHERE v.ca_version_id = x.ca_version_id AND v.tenant_id = p_tenant) = 'revoked' THEN
        PERFORM chancery.refuse('WrongState', format('certificate %s: its CA is revoked', encode(p_serial, 'hex')));
    END IF;
    SELECT r.reason INTO held FROM chancery.revocation r WHERE r.ca_version_id = x.ca_version_id AND r.serial = x.serial AND r.tenant_id = p_tenant FOR UPDATE;
    IF held IS DISTINCT FROM 6 THEN
        PERFORM chancery.refuse('WrongState', format('certificate %s: found %s, wanted on hold', encode(p_serial, 'hex'),
            CASE WHEN held IS NULL THEN 'active' ELSE format('revoked (%s)', chancery.operator_reason_word(held)) END));
    END IF;
    DELETE FROM chancery.revocation r WHERE r.ca_version_id = x.ca_version_id AND r.serial = x.serial AND r.tenant_id = p_tenant;
    INSERT INTO chancery.revocation_event (tenant_id, ca_version_id, crl_shard, serial, action, reason, actor)
    VALUES (p_tenant, x.ca_version_id, x.crl_shard, x.serial, 'release', 6, actor);
    PERFORM chancery.audit_add(p_tenant, actor, 'ReleaseLeafCert CloudCertificationAuthorityLeafCertificate', encode(x.serial, 'hex'), x.subject, '{}');
END $$;
COMMENT ON FUNCTION chancery.op_certificate_release IS 'Ends a hold.';

CREATE FUNCTION chancery.operator_crls(p_tenant int)
RETURNS TABLE (ca text, ca_id text, version int, shard int, number bigint, this_update text, next_update text, entries bigint, size bigint, waiting bigint, due boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT c.name, c.uuid::text, v.number, s.crl_shard, s.number, chancery.operator_time(s.this_update), chancery.operator_time(s.next_update), s.entries, s.size,
               w.n, v.not_after > clock_timestamp() AND (s.number = 0 OR w.n > 0 OR s.this_update + interval '84 hours' <= clock_timestamp())
        FROM chancery.crl_state s
        JOIN chancery.ca_version v ON v.ca_version_id = s.ca_version_id AND v.tenant_id = p_tenant
        JOIN chancery.ca c ON c.ca_id = v.ca_id AND c.tenant_id = p_tenant
        CROSS JOIN LATERAL (SELECT count(*) AS n FROM chancery.revocation_event e
                            WHERE e.ca_version_id = s.ca_version_id AND e.crl_shard = s.crl_shard AND e.crl_number IS NULL) w
        WHERE s.tenant_id = p_tenant ORDER BY c.ca_id, v.number, s.crl_shard;
END $$;
COMMENT ON FUNCTION chancery.operator_crls IS 'The newest CRLs, the revocations that wait for the next, and whether one is due.';

CREATE FUNCTION chancery.op_crl_list(p_tenant int, p_login text)
RETURNS TABLE (ca text, ca_id text, version int, shard int, number bigint, this_update text, next_update text, entries bigint, size bigint, waiting bigint, due boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY SELECT * FROM chancery.operator_crls(p_tenant);
END $$;
COMMENT ON FUNCTION chancery.op_crl_list IS 'The newest CRL of every CA version, deleted CAs included.';

CREATE FUNCTION chancery.op_crl_get(p_tenant int, p_login text, p_ca text, p_shard int)
RETURNS TABLE (piece int, data bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    c chancery.ca := chancery.operator_ca(p_tenant, p_ca, true);
    v chancery.ca_version := chancery.operator_ca_version(p_tenant, c.ca_id);
BEGIN
    RETURN QUERY
        SELECT p.piece, p.data FROM chancery.crl_state s
        JOIN chancery.crl_piece p ON p.ca_version_id = s.ca_version_id AND p.crl_shard = s.crl_shard AND p.number = s.number
        WHERE s.ca_version_id = v.ca_version_id AND s.crl_shard = p_shard AND s.tenant_id = p_tenant ORDER BY p.piece;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', format('CRL of CA "%s": none was built yet', c.name));
    END IF;
END $$;
COMMENT ON FUNCTION chancery.op_crl_get IS 'The bytes of a CA''s newest CRL, in pieces.';

-- ------------------------------------------------------------------------------------------------------------------------------- audit

CREATE FUNCTION chancery.op_audit_list(p_tenant int, p_login text, p_activity text, p_actor text, p_before bigint, p_limit int)
RETURNS TABLE (id bigint, at text, actor text, activity text, object_id text, object_name text, details json, seq bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    me text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        SELECT a.audit_id, chancery.operator_time(a.at), a.actor, a.activity, a.object_id, a.object_name, a.details::json, s.seq
        FROM chancery.audit a LEFT JOIN chancery.audit_seal s ON s.audit_id = a.audit_id
        WHERE a.tenant_id = p_tenant AND (p_activity IS NULL OR a.activity = p_activity) AND (p_actor IS NULL OR a.actor = p_actor)
          AND (p_before IS NULL OR a.audit_id < p_before)
        ORDER BY a.audit_id DESC LIMIT nullif(p_limit, 0);
END $$;
COMMENT ON FUNCTION chancery.op_audit_list IS 'Audit entries, newest first.';

-- What follows is read raw, of all tenants, and judged by the program: a verdict of the database about itself would be worth nothing.
CREATE FUNCTION chancery.op_audit_batches(p_tenant int, p_login text, p_after bigint, p_limit int)
RETURNS TABLE (batch bigint, first_seq bigint, last_seq bigint, head bytea, sealed_at timestamptz, key_id int, signature bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY SELECT b.batch, b.first_seq, b.last_seq, b.head, b.sealed_at, b.key_id, b.signature FROM chancery.audit_batch b
        WHERE b.batch > p_after ORDER BY b.batch LIMIT p_limit;
END $$;
COMMENT ON FUNCTION chancery.op_audit_batches IS 'The batches of the audit chain in order.';

CREATE FUNCTION chancery.op_audit_entries(p_tenant int, p_login text, p_after bigint, p_last bigint, p_limit int)
RETURNS TABLE (seq bigint, hash bytea, audit_id bigint, at_us bigint, tenant_id int, actor text, activity text, object_id text, object_name text, details text,
               present boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    me text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        SELECT s.seq, s.hash, s.audit_id, (extract(epoch FROM a.at) * 1000000)::bigint, a.tenant_id, a.actor, a.activity, a.object_id, a.object_name,
               a.details::text, a.audit_id IS NOT NULL
        FROM chancery.audit_seal s LEFT JOIN chancery.audit a ON a.audit_id = s.audit_id
        WHERE s.seq > p_after AND s.seq <= p_last ORDER BY s.seq LIMIT p_limit;
END $$;
COMMENT ON FUNCTION chancery.op_audit_entries IS 'Sealed entries in the order of their numbers, with the hash that was sealed.';

CREATE FUNCTION chancery.op_audit_loose(p_tenant int, p_login text, p_seconds int)
RETURNS TABLE (what text, id bigint, at text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        (SELECT 'entry', a.audit_id, chancery.operator_time(a.at) FROM chancery.audit a
         WHERE NOT EXISTS (SELECT FROM chancery.audit_seal s WHERE s.audit_id = a.audit_id)
           AND a.at NOT BETWEEN clock_timestamp() - make_interval(secs => p_seconds) AND clock_timestamp() + make_interval(secs => p_seconds)
         ORDER BY a.audit_id LIMIT 10)
        UNION ALL
        (SELECT 'number', s.seq, NULL FROM chancery.audit_seal s
         WHERE s.seq > coalesce((SELECT max(b.last_seq) FROM chancery.audit_batch b), 0) OR s.seq < 1 ORDER BY s.seq LIMIT 10);
END $$;
COMMENT ON FUNCTION chancery.op_audit_loose IS 'What stands outside the chain: entries not sealed although they are older than that (or of the future), and numbers beyond the last batch.';

CREATE FUNCTION chancery.op_audit_keys(p_tenant int, p_login text)
RETURNS TABLE (key_id int, generation int, spki bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY SELECT k.key_id, k.generation, k.spki FROM chancery.key k WHERE k.tenant_id IS NULL AND k.purpose = 'audit' ORDER BY k.generation DESC;
END $$;
COMMENT ON FUNCTION chancery.op_audit_keys IS 'The public halves of the audit keys, newest first.';

CREATE FUNCTION chancery.op_audit_head(p_tenant int, p_login text)
RETURNS TABLE (batch bigint, head bytea, signature bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY SELECT b.batch, b.head, b.signature FROM chancery.audit_batch b WHERE b.signature IS NOT NULL ORDER BY b.batch DESC LIMIT 1;
    IF NOT FOUND THEN
        PERFORM chancery.refuse('NotFound', 'audit: no head was signed yet');
    END IF;
END $$;
COMMENT ON FUNCTION chancery.op_audit_head IS 'The newest signed head, to be kept elsewhere.';

-- ------------------------------------------------------------------------------------------------------------------------- upkeep, keys

CREATE FUNCTION chancery.op_key_list(p_tenant int, p_login text)
RETURNS TABLE (id int, purpose text, generation int, algorithm text, platform text, wrapped_by text, ca text, created_at text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        SELECT k.key_id, k.purpose, k.generation, k.algorithm, k.platform, k.wrapped_by, c.name, chancery.operator_time(k.created_at)
        FROM chancery.key k
        LEFT JOIN (SELECT v.key_id, v.ca_id FROM chancery.ca_version v WHERE v.tenant_id = p_tenant
                   UNION ALL
                   SELECT x.id, v.ca_id FROM chancery.ra a JOIN chancery.ca_version v ON v.ca_version_id = a.ca_version_id AND v.tenant_id = p_tenant
                   CROSS JOIN LATERAL (VALUES (a.sign_key_id), (a.encrypt_key_id)) x (id)
                   WHERE a.tenant_id = p_tenant) o ON o.key_id = k.key_id
        LEFT JOIN chancery.ca c ON c.ca_id = o.ca_id AND c.tenant_id = p_tenant
        WHERE k.tenant_id = p_tenant OR k.tenant_id IS NULL ORDER BY k.key_id;
END $$;
COMMENT ON FUNCTION chancery.op_key_list IS 'The keys, without their material.';

CREATE FUNCTION chancery.op_clock_show(p_tenant int, p_login text)
RETURNS TABLE (doubted boolean, now text, settled text, noted_at text, detail text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY SELECT d.settled IS NOT NULL, chancery.operator_time(clock_timestamp()), chancery.operator_time(d.settled), chancery.operator_time(d.noted_at), d.detail
        FROM chancery.clock_doubt d;
END $$;
COMMENT ON FUNCTION chancery.op_clock_show IS 'Whether time is in doubt, and since when.';

CREATE FUNCTION chancery.op_clock_confirm(p_tenant int, p_login text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
    doubt chancery.clock_doubt;
BEGIN
    SELECT * INTO doubt FROM chancery.clock_doubt d FOR UPDATE;
    IF doubt.settled IS NULL THEN
        PERFORM chancery.refuse('WrongState', 'clock: found not in doubt, nothing to confirm');
    END IF;
    UPDATE chancery.clock_doubt d SET settled = NULL, noted_at = NULL, detail = NULL WHERE d.one;
    PERFORM chancery.audit_add(p_tenant, actor, 'Confirm Clock', '', '', jsonb_build_object('settled', doubt.settled, 'noted_at', doubt.noted_at, 'detail', doubt.detail));
END $$;
COMMENT ON FUNCTION chancery.op_clock_confirm IS 'The operator says that the time is right: what cannot be undone may go on.';

CREATE FUNCTION chancery.op_status(p_tenant int, p_login text)
RETURNS TABLE (schema int, tenant int, cas json, crls json, audit_unsealed bigint, audit_unsigned bigint, clock_doubt text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    actor text := chancery.operator_begin(p_tenant, p_login);
BEGIN
    RETURN QUERY
        SELECT chancery.schema_number(), p_tenant,
               (SELECT coalesce(json_agg(json_build_object('name', c.name, 'status', chancery.operator_ca_word(v.state, v.not_after)) ORDER BY c.ca_id), '[]')
                FROM chancery.ca c CROSS JOIN LATERAL chancery.operator_ca_version(p_tenant, c.ca_id) v WHERE c.tenant_id = p_tenant AND c.deleted_at IS NULL),
               (SELECT coalesce(json_agg(json_build_object('ca', s.ca, 'version', s.version, 'shard', s.shard, 'number', s.number, 'this_update', s.this_update,
                                                           'next_update', s.next_update, 'waiting', s.waiting, 'due', s.due)), '[]')
                FROM chancery.operator_crls(p_tenant) s),
               (SELECT count(*) FROM chancery.audit a, chancery.audit_sealer l WHERE a.audit_id > l.low_audit_id
                AND NOT EXISTS (SELECT FROM chancery.audit_seal s WHERE s.audit_id = a.audit_id)),
               (SELECT count(*) FROM chancery.audit_batch b WHERE b.signature IS NULL),
               (SELECT d.detail FROM chancery.clock_doubt d WHERE d.settled IS NOT NULL);
END $$;
COMMENT ON FUNCTION chancery.op_status IS 'What an operator looks at first.';

DO $$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS sig, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = 'chancery' AND p.proname ~ '^(operator_|delivery_|op_)' LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO chancery_definer', f.sig);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.sig);
        IF f.proname LIKE 'op\_%' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_operator', f.sig);
        END IF;
    END LOOP;
END $$;
