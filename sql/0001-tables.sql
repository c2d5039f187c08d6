-- Chancery, migration 1: roles, tables, what the database itself enforces.
--
-- Who owns what: chancery_tables owns tables and may make partitions; chancery_definer owns every function that the programs call and has
-- just the table rights those need; neither can log in, neither bypasses row-level security. The programs' roles own nothing and read
-- nothing; they may execute the functions granted to them in the later files.

DO $$
DECLARE r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['chancery_tables', 'chancery_definer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT NOBYPASSRLS', r);
        END IF;
    END LOOP;
    FOREACH r IN ARRAY ARRAY['chancery_scep', 'chancery_signer', 'chancery_publisher', 'chancery_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT NOBYPASSRLS', r);
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA chancery TO chancery_tables, chancery_definer, chancery_scep, chancery_signer, chancery_publisher, chancery_operator;
GRANT CREATE ON SCHEMA chancery TO chancery_tables, chancery_definer;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE chancery_tables REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE chancery_definer REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- What PostgreSQL leaves to everybody and a captured program could hold others up with: advisory locks (ours order pauses, revocations and issuing),
-- large objects and temporary tables (which fill the disk). The first two are the superuser's to take away: where the schema's owner is none, the
-- superuser does it once, as the README says, and tests/sql/catalog looks.
DO $$
DECLARE f regprocedure;
BEGIN
    EXECUTE format('REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC', current_database());
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(pg_(try_)?advisory_|lo_|lowrite$|loread$)' LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
            IF f::text ~ '^pg_advisory_xact_lock' THEN
                EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO chancery_tables, chancery_definer', f);
            END IF;
        END LOOP;
        -- Nobody waits long for another's lock: a setting of the role, since no session sets anything (pgbouncer).
        ALTER ROLE chancery_scep SET lock_timeout = '4s';
        ALTER ROLE chancery_signer SET lock_timeout = '4s';
        ALTER ROLE chancery_publisher SET lock_timeout = '4s';
        ALTER ROLE chancery_operator SET lock_timeout = '30s';
    ELSIF has_function_privilege('chancery_scep', 'pg_advisory_lock(bigint)', 'EXECUTE') THEN
        RAISE WARNING 'pg_advisory_* and lo_* are still everybody''s: a superuser has to revoke them (README, Deploy it for real)';
    END IF;
END $$;

-- Refusals: SQLSTATE CH000, MESSAGE = a name of lib/base/result.h, DETAIL = object, found, wanted.
CREATE FUNCTION chancery.refuse(p_result text, p_detail text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'CH000', MESSAGE = p_result, DETAIL = p_detail;
END $$;
COMMENT ON FUNCTION chancery.refuse IS 'Raises a refusal that the programs understand.';

CREATE FUNCTION chancery.schema_number() RETURNS int LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT max(number) FROM chancery.migration);
END $$;
COMMENT ON FUNCTION chancery.schema_number IS 'The newest migration applied; programs refuse to serve on another than theirs.';

-- ---------------------------------------------------------------------------------------------------------------- tenants, keys, CAs

CREATE TABLE chancery.tenant (
    tenant_id int PRIMARY KEY CHECK (tenant_id > 0),
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 128),
    ca_limit int NOT NULL DEFAULT 6 CHECK (ca_limit BETWEEN 1 AND 10000),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE chancery.tenant IS 'Who owns CAs, devices and profiles. Every other table carries tenant_id.';
COMMENT ON COLUMN chancery.tenant.ca_limit IS 'Live CAs allowed: root, issuing and bring-your-own together; deleted CAs and staged versions do not count.';
INSERT INTO chancery.tenant (tenant_id, name) VALUES (1, 'default');

CREATE TABLE chancery.key (
    key_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int REFERENCES chancery.tenant,
    purpose text NOT NULL CHECK (purpose IN ('ca', 'ra_sign', 'ra_encrypt', 'profile_sign', 'challenge', 'ocsp', 'audit')),
    generation int NOT NULL CHECK (generation BETWEEN 1 AND 65535),
    platform text NOT NULL CHECK (platform IN ('software', 'hardwareSecurityModule')),
    algorithm text NOT NULL CHECK (algorithm IN ('RSA-2048', 'RSA-3072', 'RSA-4096', 'AES-256')),
    wrapped_by text CHECK (wrapped_by IN ('ca', 'root', 'ra')),
    private bytea CHECK (octet_length(private) BETWEEN 32 AND 8192),
    pkcs11_uri text CHECK (length(pkcs11_uri) BETWEEN 8 AND 1024),
    spki bytea CHECK (octet_length(spki) BETWEEN 32 AND 1024),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((platform = 'software') = (private IS NOT NULL)),
    CHECK ((platform = 'software') = (wrapped_by IS NOT NULL)),
    CHECK ((platform = 'hardwareSecurityModule') = (pkcs11_uri IS NOT NULL)),
    CHECK ((algorithm = 'AES-256') = (spki IS NULL))
);
COMMENT ON TABLE chancery.key IS 'Every private key, encrypted under a passphrase that the database never sees, or its place in a security module. Immutable.';
COMMENT ON COLUMN chancery.key.tenant_id IS 'NULL for keys of the whole installation: challenge and audit.';
COMMENT ON COLUMN chancery.key.generation IS 'Counts up within the purpose (and CA version for RA keys); the newest seals or signs, earlier ones still open.';
COMMENT ON COLUMN chancery.key.wrapped_by IS 'Which passphrase opens private: ca and root are the signer''s alone, ra is also the SCEP responder''s.';
COMMENT ON COLUMN chancery.key.private IS 'EncryptedPrivateKeyInfo (PBES2, AES-256-CBC); for AES-256 keys salt, IV, ciphertext and tag of an AES-256-GCM wrapping.';
CREATE UNIQUE INDEX key_installation ON chancery.key (purpose, generation) WHERE tenant_id IS NULL;
COMMENT ON INDEX chancery.key_installation IS 'Serves: the challenge and audit keys by generation; keeps two signers from making the same generation.';

CREATE TABLE chancery.ca (
    ca_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('root', 'issuing', 'byoca')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 1024),
    parent_ca_id int REFERENCES chancery.ca,
    subject_cn text NOT NULL CHECK (length(subject_cn) BETWEEN 1 AND 64),
    subject_o text CHECK (length(subject_o) BETWEEN 1 AND 64),
    subject_ou text CHECK (length(subject_ou) BETWEEN 1 AND 64),
    subject_c text CHECK (subject_c ~ '^[A-Z]{2}$'),
    subject_st text CHECK (length(subject_st) BETWEEN 1 AND 64),
    subject_l text CHECK (length(subject_l) BETWEEN 1 AND 64),
    key_bits int NOT NULL CHECK (key_bits IN (2048, 3072, 4096)),
    hash text CHECK (hash IN ('SHA-256', 'SHA-384', 'SHA-512')),
    validity_years int CHECK (validity_years BETWEEN 1 AND 100),
    eku_oids text[] NOT NULL CHECK (cardinality(eku_oids) BETWEEN 1 AND 500),
    eku_names text[] NOT NULL CHECK (cardinality(eku_names) = cardinality(eku_oids)),
    ra_eku_oids text[] NOT NULL DEFAULT '{}' CHECK (cardinality(ra_eku_oids) <= 8),
    names_from_requests boolean NOT NULL DEFAULT false,
    key_platform text NOT NULL CHECK (key_platform IN ('software', 'hardwareSecurityModule')),
    scep_uri text CHECK (length(scep_uri) <= 255),
    scope_tags text[] NOT NULL DEFAULT '{0}' CHECK (cardinality(scope_tags) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL CHECK (length(created_by) <= 128),
    deleted_at timestamptz,
    deleted_by text CHECK (length(deleted_by) <= 128),
    row_version int NOT NULL DEFAULT 1,
    CHECK ((kind = 'issuing') = (parent_ca_id IS NOT NULL)),
    CHECK ((kind = 'root') = (scep_uri IS NULL)),
    CHECK ((kind = 'byoca') = (hash IS NULL)),
    CHECK ((kind = 'byoca') = (validity_years IS NULL)),
    CHECK ((deleted_at IS NULL) = (deleted_by IS NULL))
);
COMMENT ON TABLE chancery.ca IS 'A certification authority as an identity: name, SCEP URI, fixed properties. Its keys and certificates are its versions. Deleting leaves the row (tombstone).';
COMMENT ON COLUMN chancery.ca.scep_uri IS 'With the placeholder {{CloudPKIFQDN}}, resolved when a profile is delivered.';
COMMENT ON COLUMN chancery.ca.names_from_requests IS 'Fixed at creation: only such a CA may ever certify names that did not come from the registry.';
COMMENT ON COLUMN chancery.ca.scope_tags IS 'The one property that may be edited.';
CREATE UNIQUE INDEX ca_name ON chancery.ca (tenant_id, lower(name)) WHERE deleted_at IS NULL;
COMMENT ON INDEX chancery.ca_name IS 'Serves: a CA by name; two live CAs of a tenant never share one.';

CREATE TABLE chancery.ca_route (
    uuid uuid PRIMARY KEY,
    tenant_id int NOT NULL,
    ca_id int NOT NULL UNIQUE
);
COMMENT ON TABLE chancery.ca_route IS 'From the CA id in a URL to its tenant, before a tenant is known; the only table of CAs without row-level security.';

CREATE TABLE chancery.ca_version (
    ca_version_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ca_id int NOT NULL REFERENCES chancery.ca,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    number int NOT NULL CHECK (number BETWEEN 1 AND 10000),
    state text NOT NULL CHECK (state IN ('signing_required', 'staged', 'active', 'paused', 'retired', 'revoked', 'decommissioned')),
    key_id int NOT NULL REFERENCES chancery.key,
    issuer_version_id int REFERENCES chancery.ca_version,
    csr bytea CHECK (octet_length(csr) BETWEEN 64 AND 16384),
    certificate bytea CHECK (octet_length(certificate) BETWEEN 64 AND 65536),
    chain bytea[] CHECK (cardinality(chain) <= 16),
    serial bytea CHECK (octet_length(serial) BETWEEN 1 AND 20),
    subject bytea CHECK (octet_length(subject) BETWEEN 2 AND 8192),
    ski bytea CHECK (octet_length(ski) BETWEEN 1 AND 64),
    sha1 bytea CHECK (octet_length(sha1) = 20),
    sha256 bytea CHECK (octet_length(sha256) = 32),
    seal bytea CHECK (octet_length(seal) = 28),
    not_before timestamptz,
    not_after timestamptz,
    crl_url text NOT NULL CHECK (length(crl_url) BETWEEN 8 AND 512),
    crl_shards int NOT NULL DEFAULT 0 CHECK (crl_shards BETWEEN 0 AND 1024),
    aia_url text NOT NULL CHECK (length(aia_url) BETWEEN 8 AND 512),
    ocsp_url text NOT NULL DEFAULT '' CHECK (length(ocsp_url) <= 512),
    created_at timestamptz NOT NULL DEFAULT now(),
    state_changed_at timestamptz NOT NULL DEFAULT now(),
    staged_until timestamptz,
    row_version int NOT NULL DEFAULT 1,
    UNIQUE (ca_id, number),
    CHECK ((state = 'signing_required') = (certificate IS NULL)),
    CHECK ((certificate IS NULL) = (not_after IS NULL)),
    CHECK ((certificate IS NULL) = (chain IS NULL)),
    CHECK ((certificate IS NULL) = (seal IS NULL)),
    CHECK (not_before < not_after)
);
COMMENT ON TABLE chancery.ca_version IS 'One key and one certificate of a CA, with its own CRL and AIA addresses. Immutable but for its state; a certificate is put in once.';
COMMENT ON COLUMN chancery.ca_version.chain IS 'Certificates above this one up to the root, nearest first; empty for a root.';
COMMENT ON COLUMN chancery.ca_version.seal IS 'The signer''s authentication code over what the bounds are taken from (certificate, chain, addresses, fixed properties), under a key that the database never sees: its owner cannot widen them.';
COMMENT ON COLUMN chancery.ca_version.crl_shards IS '0: one CRL without issuingDistributionPoint at crl_url; else that many, crl_url being the folder.';

CREATE TABLE chancery.ra (
    ca_version_id int NOT NULL REFERENCES chancery.ca_version,
    generation int NOT NULL CHECK (generation BETWEEN 1 AND 65535),
    tenant_id int NOT NULL,
    sign_key_id int NOT NULL REFERENCES chancery.key,
    sign_certificate bytea NOT NULL CHECK (octet_length(sign_certificate) BETWEEN 64 AND 65536),
    encrypt_key_id int NOT NULL REFERENCES chancery.key,
    encrypt_certificate bytea NOT NULL CHECK (octet_length(encrypt_certificate) BETWEEN 64 AND 65536),
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ca_version_id, generation)
);
COMMENT ON TABLE chancery.ra IS 'The registration authority''s pair of certificates for each issuing CA version, by generation; the newest answers, earlier ones still open messages.';

-- Legal changes of state, for the functions and for the page that shows what can be done.
CREATE TABLE chancery.ca_transition (
    kind text NOT NULL CHECK (kind IN ('root', 'issuing', 'byoca')),
    action text NOT NULL CHECK (action IN ('pause', 'resume', 'revoke', 'delete')),
    from_state text NOT NULL CHECK (length(from_state) <= 32),
    to_state text NOT NULL CHECK (length(to_state) <= 32),
    PRIMARY KEY (kind, action, from_state)
);
COMMENT ON TABLE chancery.ca_transition IS 'From which state which action is allowed (reference 2.6). Roots are deleted, not revoked.';
INSERT INTO chancery.ca_transition VALUES
    ('root', 'delete', 'active', 'active'),
    ('issuing', 'pause', 'active', 'paused'), ('issuing', 'resume', 'paused', 'active'),
    ('issuing', 'revoke', 'paused', 'revoked'), ('issuing', 'delete', 'revoked', 'revoked'),
    ('byoca', 'pause', 'active', 'paused'), ('byoca', 'resume', 'paused', 'active'),
    ('byoca', 'revoke', 'paused', 'revoked'), ('byoca', 'delete', 'revoked', 'revoked'),
    ('byoca', 'delete', 'signing_required', 'signing_required');

-- ---------------------------------------------------------------------------------------------------------- certificates, revocation

CREATE SEQUENCE chancery.certificate_id;
CREATE TABLE chancery.certificate (
    certificate_id bigint NOT NULL DEFAULT nextval('chancery.certificate_id'),
    not_after timestamptz NOT NULL,
    tenant_id int NOT NULL,
    ca_version_id int NOT NULL,
    serial bytea NOT NULL CHECK (octet_length(serial) = 16),
    kind text NOT NULL CHECK (kind IN ('leaf', 'ra_sign', 'ra_encrypt', 'ca', 'cross', 'ocsp')),
    crl_shard int NOT NULL DEFAULT 0 CHECK (crl_shard BETWEEN 0 AND 1023),
    not_before timestamptz NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT now(),
    device_id bigint,
    user_id bigint,
    profile_revision_id bigint,
    subject text NOT NULL CHECK (length(subject) <= 8192),
    spki_sha256 bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
    sha1 bytea NOT NULL CHECK (octet_length(sha1) = 20),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    der bytea NOT NULL CHECK (octet_length(der) BETWEEN 64 AND 65536),
    CHECK (get_byte(serial, 0) = 16),
    CHECK (get_byte(serial, 1) * 256 + get_byte(serial, 2)
           = extract(year FROM not_after AT TIME ZONE 'UTC')::int * 12 + extract(month FROM not_after AT TIME ZONE 'UTC')::int - 1),
    CHECK (kind <> 'leaf' OR device_id IS NOT NULL)
) PARTITION BY RANGE (not_after);
ALTER SEQUENCE chancery.certificate_id OWNED BY chancery.certificate.certificate_id;
COMMENT ON TABLE chancery.certificate IS 'Everything that a CA has signed, by month of notAfter. No status: it follows from revocation and not_after. Rows are never changed.';
COMMENT ON COLUMN chancery.certificate.serial IS '16 octets: 10, two of the month number of not_after, 13 random: so a serial names its partition.';
COMMENT ON COLUMN chancery.certificate.subject IS 'RFC 4514 text, for people; the names to search by are in certificate_name.';
CREATE INDEX certificate_by_id ON chancery.certificate (certificate_id);
COMMENT ON INDEX chancery.certificate_by_id IS 'Serves: lists newest first with keyset paging, and a certificate by its id. The unique (ca_version_id, serial) of each partition serves look-ups by serial.';
CREATE INDEX certificate_by_device ON chancery.certificate (device_id) WHERE device_id IS NOT NULL;
COMMENT ON INDEX chancery.certificate_by_device IS 'Serves: the certificates of a device, to show and to revoke when it leaves.';
CREATE INDEX certificate_by_key ON chancery.certificate (spki_sha256);
COMMENT ON INDEX chancery.certificate_by_key IS 'Serves: every certificate of a key, when a key is compromised and when its first holder is looked for.';

CREATE TABLE chancery.certificate_name (
    certificate_id bigint NOT NULL,
    not_after timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('cn', 'email', 'upn', 'dns', 'uri')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 1024)
) PARTITION BY RANGE (not_after);
COMMENT ON TABLE chancery.certificate_name IS 'Common names and subject alternative names of leaf certificates, one row each, to search by.';
CREATE INDEX certificate_name_search ON chancery.certificate_name (left(lower(name), 128) text_pattern_ops, certificate_id);
COMMENT ON INDEX chancery.certificate_name_search IS 'Serves: search by name, equal or prefix, without regard to case.';

CREATE TABLE chancery.public_key (
    tenant_id int NOT NULL,
    spki_sha256 bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
    device_id bigint NOT NULL,
    PRIMARY KEY (tenant_id, spki_sha256)
);
COMMENT ON TABLE chancery.public_key IS 'Which device a key was certified for first: the same key for another device is refused, also when both ask at once.';

CREATE SEQUENCE chancery.challenge_id;
COMMENT ON SEQUENCE chancery.challenge_id IS 'Challenge ids: a sequence keeps the index of authorization dense; ids are sealed inside the challenge, so they need not be secret.';
CREATE TABLE chancery.authorization (
    kind text NOT NULL CHECK (kind IN ('challenge', 'predecessor', 'approval')),
    id bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    tenant_id int NOT NULL,
    state text NOT NULL CHECK (state IN ('issued')),
    spki_sha256 bytea NOT NULL CHECK (octet_length(spki_sha256) = 32),
    ca_version_id int NOT NULL,
    serial bytea NOT NULL CHECK (octet_length(serial) = 16),
    not_after timestamptz NOT NULL,
    spent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, id, expires_at)
) PARTITION BY RANGE (expires_at);
COMMENT ON TABLE chancery.authorization IS 'What was spent to get a certificate: a challenge, a predecessor certificate, an approval. The primary key is what makes one authorization one certificate.';
COMMENT ON COLUMN chancery.authorization.expires_at IS 'As sealed in the challenge, so the same id always falls into the same partition.';
COMMENT ON COLUMN chancery.authorization.spki_sha256 IS 'The same authorization with the same key gets the same certificate again; with another key nothing.';

CREATE TABLE chancery.revocation (
    ca_version_id int NOT NULL,
    serial bytea NOT NULL CHECK (octet_length(serial) BETWEEN 1 AND 20),
    tenant_id int NOT NULL,
    crl_shard int NOT NULL DEFAULT 0,
    revoked_at timestamptz NOT NULL,
    reason smallint NOT NULL CHECK (reason IN (0, 1, 2, 3, 4, 5, 6, 9, 10)),
    invalidity_date timestamptz,
    not_after timestamptz NOT NULL,
    PRIMARY KEY (ca_version_id, serial)
);
COMMENT ON TABLE chancery.revocation IS 'The current state: what is revoked now. Only a hold (reason 6) can be left again. Keeps its own not_after, so that partitions of certificate can go.';
CREATE INDEX revocation_crl ON chancery.revocation (ca_version_id, crl_shard, serial) INCLUDE (revoked_at, reason, invalidity_date, not_after);
COMMENT ON INDEX chancery.revocation_crl IS 'Serves: the bulk read of a CRL, from the index alone, in the order of serials.';

CREATE TABLE chancery.revocation_event (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL,
    ca_version_id int NOT NULL,
    crl_shard int NOT NULL,
    serial bytea NOT NULL CHECK (octet_length(serial) BETWEEN 1 AND 20),
    action text NOT NULL CHECK (action IN ('revoke', 'hold', 'release')),
    reason smallint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL CHECK (length(actor) <= 128),
    crl_number bigint
);
COMMENT ON TABLE chancery.revocation_event IS 'The history of revocation. A row without crl_number waits for the CRL that shows it; the builder marks exactly the rows that its snapshot sees, so none is missed.';
CREATE INDEX revocation_event_waiting ON chancery.revocation_event (ca_version_id, crl_shard) WHERE crl_number IS NULL;
COMMENT ON INDEX chancery.revocation_event_waiting IS 'Serves: is a CRL due?';
CREATE INDEX revocation_event_serial ON chancery.revocation_event (ca_version_id, serial);
COMMENT ON INDEX chancery.revocation_event_serial IS 'Serves: the history of one certificate.';

CREATE TABLE chancery.crl_state (
    ca_version_id int NOT NULL REFERENCES chancery.ca_version,
    crl_shard int NOT NULL CHECK (crl_shard BETWEEN 0 AND 1023),
    tenant_id int NOT NULL,
    path text NOT NULL CHECK (path ~ '^[0-9a-f_v-]+/[a-z0-9]+\.crl$'),
    number bigint NOT NULL DEFAULT 0,
    this_update timestamptz,
    next_update timestamptz,
    entries bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    sha256 bytea CHECK (octet_length(sha256) = 32),
    pieces int NOT NULL DEFAULT 0,
    built_at timestamptz,
    build_ms int NOT NULL DEFAULT 0,
    lease_holder text CHECK (length(lease_holder) <= 128),
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    retry_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (ca_version_id, crl_shard)
);
COMMENT ON TABLE chancery.crl_state IS 'The newest CRL of each CA version and shard, and who builds the next. number 0: none yet.';
COMMENT ON COLUMN chancery.crl_state.path IS 'Of the file, below crl/ of the published folder.';

CREATE TABLE chancery.crl (
    ca_version_id int NOT NULL,
    crl_shard int NOT NULL,
    number bigint NOT NULL,
    this_update timestamptz NOT NULL,
    next_update timestamptz NOT NULL,
    entries bigint NOT NULL,
    size bigint NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    PRIMARY KEY (ca_version_id, crl_shard, number)
);
COMMENT ON TABLE chancery.crl IS 'Every CRL ever built, without its bytes.';

CREATE TABLE chancery.crl_piece (
    ca_version_id int NOT NULL,
    crl_shard int NOT NULL,
    number bigint NOT NULL,
    piece int NOT NULL,
    data bytea NOT NULL CHECK (octet_length(data) BETWEEN 1 AND 262144),
    PRIMARY KEY (ca_version_id, crl_shard, number, piece)
);
ALTER TABLE chancery.crl_piece ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE chancery.crl_piece IS 'The bytes of the newest CRL and the one before it, from which every host''s publisher writes its file.';

-- --------------------------------------------------------------------------------------------------------------------- the registry

CREATE TABLE chancery.person (
    user_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    upn text NOT NULL CHECK (length(upn) BETWEEN 1 AND 256),
    user_name text CHECK (length(user_name) BETWEEN 1 AND 256),
    given_name text CHECK (length(given_name) BETWEEN 1 AND 256),
    surname text CHECK (length(surname) BETWEEN 1 AND 256),
    email text CHECK (length(email) BETWEEN 1 AND 256),
    sam_account text CHECK (length(sam_account) BETWEEN 1 AND 256),
    on_premises_dn text CHECK (length(on_premises_dn) BETWEEN 1 AND 1024),
    security_identifier text CHECK (length(security_identifier) BETWEEN 1 AND 256),
    department text CHECK (length(department) BETWEEN 1 AND 256),
    attributes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object' AND octet_length(attributes::text) <= 16384),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    row_version int NOT NULL DEFAULT 1
);
COMMENT ON TABLE chancery.person IS 'Users, as administrators, imports or a directory wrote them.';
CREATE UNIQUE INDEX person_upn ON chancery.person (tenant_id, lower(upn));
COMMENT ON INDEX chancery.person_upn IS 'Serves: a user by UPN.';

CREATE TABLE chancery.device (
    device_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    platform text NOT NULL CHECK (platform IN ('windows', 'ios', 'macos', 'android', 'linux', 'other')),
    serial_number text CHECK (length(serial_number) BETWEEN 1 AND 256),
    imei text CHECK (length(imei) BETWEEN 1 AND 256),
    meid text CHECK (length(meid) BETWEEN 1 AND 256),
    wifi_mac text CHECK (length(wifi_mac) BETWEEN 1 AND 256),
    directory_id text CHECK (length(directory_id) BETWEEN 1 AND 256),
    mdm_id text CHECK (length(mdm_id) BETWEEN 1 AND 256),
    fqdn text CHECK (length(fqdn) BETWEEN 1 AND 256),
    security_identifier text CHECK (length(security_identifier) BETWEEN 1 AND 256),
    owner_id bigint REFERENCES chancery.person,
    attributes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object' AND octet_length(attributes::text) <= 16384),
    state text NOT NULL DEFAULT 'enrolled' CHECK (state IN ('enrolled', 'retired', 'wiped', 'blocked')),
    created_at timestamptz NOT NULL DEFAULT now(),
    row_version int NOT NULL DEFAULT 1
);
COMMENT ON TABLE chancery.device IS 'Managed devices, as administrators, imports or MDMs wrote them. What a device says of itself never comes here. Names need not be unique.';
CREATE INDEX device_name ON chancery.device (tenant_id, lower(name));
COMMENT ON INDEX chancery.device_name IS 'Serves: devices by name.';
CREATE INDEX device_owner ON chancery.device (owner_id) WHERE owner_id IS NOT NULL;
COMMENT ON INDEX chancery.device_owner IS 'Serves: a user''s devices, when assignments to users are resolved.';

CREATE TABLE chancery.directory_group (
    group_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    kind text NOT NULL CHECK (kind IN ('devices', 'users')),
    created_at timestamptz NOT NULL DEFAULT now(),
    row_version int NOT NULL DEFAULT 1
);
COMMENT ON TABLE chancery.directory_group IS 'Groups of devices or of users, to assign profiles to.';
CREATE UNIQUE INDEX directory_group_name ON chancery.directory_group (tenant_id, lower(name));
COMMENT ON INDEX chancery.directory_group_name IS 'Serves: a group by name.';

CREATE TABLE chancery.group_member (
    tenant_id int NOT NULL,
    group_id bigint NOT NULL REFERENCES chancery.directory_group ON DELETE CASCADE,
    device_id bigint REFERENCES chancery.device,
    user_id bigint REFERENCES chancery.person,
    CHECK (num_nonnulls(device_id, user_id) = 1)
);
COMMENT ON TABLE chancery.group_member IS 'Who is in a group.';
CREATE UNIQUE INDEX group_member_device ON chancery.group_member (group_id, device_id) WHERE device_id IS NOT NULL;
COMMENT ON INDEX chancery.group_member_device IS 'Serves: the devices of a group.';
CREATE UNIQUE INDEX group_member_user ON chancery.group_member (group_id, user_id) WHERE user_id IS NOT NULL;
COMMENT ON INDEX chancery.group_member_user IS 'Serves: the users of a group.';
CREATE INDEX group_member_of_device ON chancery.group_member (device_id) WHERE device_id IS NOT NULL;
COMMENT ON INDEX chancery.group_member_of_device IS 'Serves: the groups of a device.';
CREATE INDEX group_member_of_user ON chancery.group_member (user_id) WHERE user_id IS NOT NULL;
COMMENT ON INDEX chancery.group_member_of_user IS 'Serves: the groups of a user.';

CREATE TABLE chancery.profile (
    profile_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    kind text NOT NULL CHECK (kind IN ('scep')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    platform text NOT NULL CHECK (platform IN ('windows', 'ios', 'macos', 'android', 'linux', 'other')),
    ca_id int NOT NULL REFERENCES chancery.ca,
    revision int NOT NULL DEFAULT 1,
    scope_tags text[] NOT NULL DEFAULT '{0}' CHECK (cardinality(scope_tags) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL CHECK (length(created_by) <= 128),
    deleted_at timestamptz,
    row_version int NOT NULL DEFAULT 1
);
COMMENT ON TABLE chancery.profile IS 'A profile as an identity; what it says is its current revision.';
CREATE UNIQUE INDEX profile_name ON chancery.profile (tenant_id, lower(name)) WHERE deleted_at IS NULL;
COMMENT ON INDEX chancery.profile_name IS 'Serves: a profile by name.';

CREATE TABLE chancery.profile_revision (
    profile_revision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    profile_id bigint NOT NULL REFERENCES chancery.profile,
    revision int NOT NULL CHECK (revision >= 1),
    for_user boolean NOT NULL,
    subject_format text NOT NULL CHECK (length(subject_format) <= 2048),
    san_types text[] NOT NULL CHECK (cardinality(san_types) <= 500 AND san_types <@ ARRAY['email', 'upn', 'dns', 'uri']),
    san_formats text[] NOT NULL CHECK (cardinality(san_formats) = cardinality(san_types)),
    validity int NOT NULL CHECK (validity BETWEEN 1 AND 731),
    validity_unit text NOT NULL CHECK (validity_unit IN ('days', 'months', 'years')),
    key_usage int NOT NULL CHECK (key_usage IN (1, 4, 5)),
    key_size_min int NOT NULL CHECK (key_size_min IN (2048, 3072, 4096)),
    eku_oids text[] NOT NULL CHECK (cardinality(eku_oids) BETWEEN 1 AND 500),
    strict boolean NOT NULL,
    renewal_threshold int NOT NULL DEFAULT 20 CHECK (renewal_threshold BETWEEN 1 AND 99),
    challenge_seconds int NOT NULL DEFAULT 604800 CHECK (challenge_seconds BETWEEN 1 AND 7776000),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL CHECK (length(created_by) <= 128),
    UNIQUE (profile_id, revision)
);
COMMENT ON TABLE chancery.profile_revision IS 'What a profile says, in one immutable revision. A challenge names the revision it was made for; an older one is refused by name.';
COMMENT ON COLUMN chancery.profile_revision.key_usage IS 'Bits of RFC 5280 section 4.2.1.3: 1 digitalSignature, 4 keyEncipherment.';
COMMENT ON COLUMN chancery.profile_revision.strict IS 'SANs, key usage and EKU must stand in the request, not only agree where they stand.';

CREATE TABLE chancery.assignment (
    assignment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    profile_id bigint NOT NULL REFERENCES chancery.profile,
    group_id bigint NOT NULL REFERENCES chancery.directory_group,
    exclude boolean NOT NULL DEFAULT false,
    UNIQUE (profile_id, group_id)
);
COMMENT ON TABLE chancery.assignment IS 'Which groups get a profile, and which do not although another assignment includes them.';

CREATE TABLE chancery.delivery (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES chancery.tenant,
    device_id bigint NOT NULL REFERENCES chancery.device,
    user_id bigint REFERENCES chancery.person,
    profile_id bigint NOT NULL REFERENCES chancery.profile,
    profile_revision_id bigint NOT NULL REFERENCES chancery.profile_revision,
    state text NOT NULL DEFAULT 'current' CHECK (state IN ('current', 'withdrawn')),
    challenge_id bigint,
    challenge_expires timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE chancery.delivery IS 'Assignments resolved: one row for device, user and profile revision. The signer reads this row, and the newest challenge made for it voids the older.';
CREATE UNIQUE INDEX delivery_target ON chancery.delivery (profile_revision_id, device_id, coalesce(user_id, 0));
COMMENT ON INDEX chancery.delivery_target IS 'Serves: the delivery that a challenge names.';
CREATE INDEX delivery_profile ON chancery.delivery (profile_id, device_id) WHERE state = 'current';
COMMENT ON INDEX chancery.delivery_profile IS 'Serves: everything a profile is delivered to, in the order of devices.';
CREATE INDEX delivery_device ON chancery.delivery (device_id);
COMMENT ON INDEX chancery.delivery_device IS 'Serves: what a device is given.';

-- -------------------------------------------------------------------------------------------------------------------- audit, upkeep

CREATE TABLE chancery.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_id int NOT NULL,
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 256),
    activity text NOT NULL CHECK (length(activity) BETWEEN 1 AND 128),
    object_id text NOT NULL CHECK (length(object_id) <= 256),
    object_name text NOT NULL CHECK (length(object_name) <= 1024),
    details jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(details::text) <= 65536)
);
COMMENT ON TABLE chancery.audit IS 'Who did what, when, to what. Rows are only ever added; audit_seal numbers and chains them.';

CREATE TABLE chancery.audit_seal (
    seq bigint PRIMARY KEY CHECK (seq >= 1),
    audit_id bigint NOT NULL UNIQUE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
COMMENT ON TABLE chancery.audit_seal IS 'The number of each audit entry in the sealed order, and SHA-256 of its canonical form.';

CREATE TABLE chancery.audit_batch (
    batch bigint PRIMARY KEY CHECK (batch >= 1),
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    head bytea NOT NULL CHECK (octet_length(head) = 32),
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    key_id int REFERENCES chancery.key,
    signature bytea CHECK (octet_length(signature) BETWEEN 64 AND 1024),
    CHECK (first_seq <= last_seq),
    CHECK ((key_id IS NULL) = (signature IS NULL))
);
COMMENT ON TABLE chancery.audit_batch IS 'Heads of the audit chain: head = SHA-256(previous head, batch, first and last number, hashes of the entries), signed by the signer.';

CREATE TABLE chancery.audit_sealer (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    low_audit_id bigint NOT NULL DEFAULT 0,
    candidate_id bigint NOT NULL DEFAULT 0,
    candidate_xid xid8 NOT NULL DEFAULT '0'
);
COMMENT ON TABLE chancery.audit_sealer IS 'Where the sealer begins to look: every entry up to low_audit_id is sealed. It rises only when all transactions that ran when the candidate was noted are over, since ids do not commit in order.';
INSERT INTO chancery.audit_sealer DEFAULT VALUES;

CREATE TABLE chancery.refusal (
    challenge_id bigint NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 64),
    tenant_id int NOT NULL,
    count bigint NOT NULL DEFAULT 1,
    last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (challenge_id, reason)
);
COMMENT ON TABLE chancery.refusal IS 'How often a challenge was refused for a reason: the first hundred are audited, all are counted, so that one leaked challenge cannot fill the audit log.';

CREATE TABLE chancery.lease (
    name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    holder text NOT NULL DEFAULT '' CHECK (length(holder) <= 128),
    until timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE chancery.lease IS 'Timed work that one publisher does at a time. A lease expires by itself.';
INSERT INTO chancery.lease (name) VALUES ('upkeep'), ('seal');

CREATE TABLE chancery.clock_tick (
    host text PRIMARY KEY CHECK (length(host) BETWEEN 1 AND 128),
    boot text NOT NULL CHECK (length(boot) <= 64),
    wall timestamptz NOT NULL,
    monotonic_ms bigint NOT NULL
);
COMMENT ON TABLE chancery.clock_tick IS 'The last time each publisher''s host told, by both of its clocks.';
CREATE TABLE chancery.clock_doubt (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    settled timestamptz,
    noted_at timestamptz,
    detail text CHECK (length(detail) <= 1024)
);
COMMENT ON TABLE chancery.clock_doubt IS 'Set while a wall clock has outrun its monotonic clock: settled is the last time that is believed. Nothing that cannot be undone is done past it until an operator confirms.';
INSERT INTO chancery.clock_doubt DEFAULT VALUES;

-- ---------------------------------------------------------------------------------------------- what the database enforces by itself

CREATE FUNCTION chancery.keep_immutable() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
-- TG_ARGV: the columns that may change. A column that is NULL may be filled once where its name is given with a "+".
DECLARE
    old_row jsonb := to_jsonb(OLD);
    new_row jsonb := to_jsonb(NEW);
    c text;
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        PERFORM chancery.refuse('Immutable', format('table %s: rows are never removed', TG_TABLE_NAME));
    END IF;
    FOREACH c IN ARRAY coalesce(TG_ARGV, '{}') LOOP
        IF left(c, 1) <> '+' THEN
            old_row := old_row - c; new_row := new_row - c;
        ELSIF old_row -> substr(c, 2) = 'null' THEN
            old_row := old_row - substr(c, 2); new_row := new_row - substr(c, 2);
        END IF;
    END LOOP;
    IF old_row IS DISTINCT FROM new_row THEN
        PERFORM chancery.refuse('Immutable', format('table %s: properties are fixed at creation', TG_TABLE_NAME));
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION chancery.keep_immutable IS 'Refuses changes to columns not named by the trigger, and removal.';

CREATE TRIGGER key_immutable BEFORE UPDATE OR DELETE ON chancery.key FOR EACH ROW EXECUTE FUNCTION chancery.keep_immutable();
CREATE TRIGGER ca_immutable BEFORE UPDATE OR DELETE ON chancery.ca FOR EACH ROW
    EXECUTE FUNCTION chancery.keep_immutable('scope_tags', 'row_version', '+deleted_at', '+deleted_by');
CREATE TRIGGER ca_version_immutable BEFORE UPDATE OR DELETE ON chancery.ca_version FOR EACH ROW
    EXECUTE FUNCTION chancery.keep_immutable('state', 'state_changed_at', 'staged_until', 'row_version', '+certificate', '+chain', '+serial',
        '+subject', '+ski', '+sha1', '+sha256', '+seal', '+not_before', '+not_after', '+issuer_version_id');
CREATE TRIGGER ra_immutable BEFORE UPDATE OR DELETE ON chancery.ra FOR EACH ROW EXECUTE FUNCTION chancery.keep_immutable();
CREATE TRIGGER certificate_immutable BEFORE UPDATE OR DELETE ON chancery.certificate FOR EACH ROW EXECUTE FUNCTION chancery.keep_immutable();
CREATE TRIGGER profile_revision_immutable BEFORE UPDATE OR DELETE ON chancery.profile_revision FOR EACH ROW
    EXECUTE FUNCTION chancery.keep_immutable();
CREATE TRIGGER revocation_event_kept BEFORE DELETE ON chancery.revocation_event FOR EACH ROW EXECUTE FUNCTION chancery.keep_immutable();
-- A CRL may mark a million events at once: the condition, far cheaper than the function, lets pass what fills crl_number alone.
CREATE TRIGGER revocation_event_immutable BEFORE UPDATE ON chancery.revocation_event FOR EACH ROW
    WHEN (OLD.crl_number IS NOT NULL OR (OLD.event_id, OLD.tenant_id, OLD.ca_version_id, OLD.crl_shard, OLD.serial, OLD.action, OLD.reason, OLD.at, OLD.actor)
          IS DISTINCT FROM (NEW.event_id, NEW.tenant_id, NEW.ca_version_id, NEW.crl_shard, NEW.serial, NEW.action, NEW.reason, NEW.at, NEW.actor))
    EXECUTE FUNCTION chancery.keep_immutable('+crl_number');
CREATE TRIGGER audit_immutable BEFORE UPDATE OR DELETE ON chancery.audit FOR EACH ROW EXECUTE FUNCTION chancery.keep_immutable();
CREATE TRIGGER audit_seal_immutable BEFORE UPDATE OR DELETE ON chancery.audit_seal FOR EACH ROW EXECUTE FUNCTION chancery.keep_immutable();
CREATE TRIGGER audit_batch_immutable BEFORE UPDATE OR DELETE ON chancery.audit_batch FOR EACH ROW
    EXECUTE FUNCTION chancery.keep_immutable('+key_id', '+signature');

-- A CA version is read by every enrolment: not its row but an advisory lock, held to the end of the transaction, is what issuing shares and a
-- change of state takes alone. So a pause or revocation that commits first wins, and no row is made hot.
CREATE FUNCTION chancery.ca_version_lock() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(20001, OLD.ca_version_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION chancery.ca_version_lock IS 'Waits for issuing under this CA version to end before its row changes.';
CREATE TRIGGER ca_version_before_change BEFORE UPDATE ON chancery.ca_version FOR EACH ROW EXECUTE FUNCTION chancery.ca_version_lock();

CREATE FUNCTION chancery.revocation_keep() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.reason <> 6 THEN
        PERFORM chancery.refuse('WrongState', 'revocation: only a certificate on hold can be released or revoked anew');
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
COMMENT ON FUNCTION chancery.revocation_keep IS 'Only a hold can be left.';
CREATE TRIGGER revocation_keep BEFORE UPDATE OR DELETE ON chancery.revocation FOR EACH ROW EXECUTE FUNCTION chancery.revocation_keep();

-- Row-level security: the second wall behind the WHERE of every function, on the tables of tenants.
-- The setting is read in place: a function here would cost more than the look-ups it guards.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ca', 'ca_version', 'person', 'device', 'directory_group', 'group_member', 'profile', 'profile_revision',
                             'assignment', 'delivery'] LOOP
        EXECUTE format('ALTER TABLE chancery.%I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE chancery.%I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON chancery.%I USING (tenant_id = (SELECT nullif(current_setting(''chancery.tenant'', true), '''')::int))', t);
    END LOOP;
END $$;

-- Partitions: a month each, in UTC. certificate and certificate_name by not_after, authorization by expiry.
-- Each is made apart and attached: that shuts neither readers nor enrolments out, as CREATE TABLE … PARTITION OF would; and it waits for nobody
-- longer than two seconds. In the order in which an enrolment writes.
CREATE FUNCTION chancery.partition_ensure(p_month timestamptz) RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    first timestamptz := date_trunc('month', p_month AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    next timestamptz := (date_trunc('month', p_month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
    suffix text := to_char(first AT TIME ZONE 'UTC', 'YYYYMM');
    t text;
    made int := 0;
BEGIN
    FOREACH t IN ARRAY ARRAY['authorization', 'certificate', 'certificate_name'] LOOP
        IF to_regclass(format('chancery.%I', t || '_' || suffix)) IS NULL THEN
            PERFORM pg_advisory_xact_lock(20002, 0);
            IF to_regclass(format('chancery.%I', t || '_' || suffix)) IS NULL THEN
                EXECUTE format('CREATE TABLE chancery.%I (LIKE chancery.%I INCLUDING ALL)', t || '_' || suffix, t);
                EXECUTE format('ALTER TABLE chancery.%I ATTACH PARTITION chancery.%I FOR VALUES FROM (%L) TO (%L)', t, t || '_' || suffix, first, next);
                IF t = 'certificate' THEN
                    EXECUTE format('CREATE UNIQUE INDEX %I ON chancery.%I (ca_version_id, serial)', t || '_' || suffix || '_serial', t || '_' || suffix);
                END IF;
                made := made + 1;
            END IF;
        END IF;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION chancery.partition_ensure IS 'Makes the partitions of the month that holds the given time, where they are missing.';

-- Owners, last: the definer has what its functions need and nothing to remove history with.
DO $$
DECLARE r record;
BEGIN
    FOR r IN SELECT c.oid::regclass AS rel, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'chancery' AND c.relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO chancery_tables', r.rel);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', r.rel);
        EXECUTE format('GRANT SELECT, INSERT ON %s TO chancery_definer', r.rel);
    END LOOP;
    FOR r IN SELECT c.oid::regclass AS rel FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'chancery' AND c.relkind = 'S' AND NOT EXISTS (
                 SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('i', 'a')) LOOP
        EXECUTE format('ALTER SEQUENCE %s OWNER TO chancery_tables', r.rel);
    END LOOP;
END $$;
GRANT USAGE ON SEQUENCE chancery.certificate_id, chancery.challenge_id TO chancery_definer;
REVOKE INSERT ON chancery.migration FROM chancery_definer;
GRANT UPDATE ON chancery.ca, chancery.ca_version, chancery.revocation, chancery.crl_state, chancery.person,
    chancery.device, chancery.directory_group, chancery.profile, chancery.assignment, chancery.delivery, chancery.audit_batch,
    chancery.audit_sealer, chancery.lease, chancery.refusal, chancery.clock_tick, chancery.clock_doubt, chancery.tenant TO chancery_definer;
GRANT UPDATE (crl_number) ON chancery.revocation_event TO chancery_definer;
GRANT DELETE ON chancery.revocation, chancery.refusal, chancery.crl_piece, chancery.group_member, chancery.assignment, chancery.directory_group TO chancery_definer;

ALTER FUNCTION chancery.partition_ensure OWNER TO chancery_tables;
REVOKE ALL ON FUNCTION chancery.partition_ensure FROM PUBLIC;
GRANT EXECUTE ON FUNCTION chancery.partition_ensure TO chancery_definer;
REVOKE ALL ON FUNCTION chancery.refuse, chancery.schema_number, chancery.keep_immutable, chancery.ca_version_lock,
    chancery.revocation_keep FROM PUBLIC;
ALTER FUNCTION chancery.schema_number OWNER TO chancery_definer;
GRANT EXECUTE ON FUNCTION chancery.refuse TO chancery_tables, chancery_definer;
-- A new partition gets its parent's triggers, for which its owner must be allowed their functions.
GRANT EXECUTE ON FUNCTION chancery.keep_immutable TO chancery_tables;
GRANT EXECUTE ON FUNCTION chancery.schema_number TO chancery_scep, chancery_signer, chancery_publisher, chancery_operator;

-- A leaf lives 24 months at most, a challenge 90 days; a year more is made ahead, and the publisher keeps it so.
SELECT chancery.partition_ensure(now() + make_interval(months => m)) FROM generate_series(-1, 37) m;
