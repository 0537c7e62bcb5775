-- A ledger of version 3, as it was made (pg_dump), and what two runs of an apply then left in it.
CREATE SCHEMA seedframe;
CREATE FUNCTION seedframe.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
            BEGIN
                RAISE EXCEPTION 'seedframe.% is an audit trail: what is entered there stays as it is', TG_TABLE_NAME
                    USING ERRCODE = 'object_not_in_prerequisite_state';
            END $$;
CREATE TABLE seedframe.applied_plan (
    id text NOT NULL,
    run_id bigint NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE seedframe.applied_seed (
    project text NOT NULL,
    target_schema text NOT NULL,
    seed text NOT NULL,
    origin text NOT NULL,
    first_run bigint NOT NULL,
    first_applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE seedframe.baseline (
    id bigint NOT NULL,
    project text NOT NULL,
    target_schema text NOT NULL,
    seed text NOT NULL,
    resource text NOT NULL,
    table_name text,
    declared_digest text NOT NULL,
    fingerprint text,
    rows bigint NOT NULL,
    columns text[] NOT NULL,
    key_columns text[] NOT NULL,
    by_row boolean NOT NULL,
    kept bigint NOT NULL,
    server_major integer NOT NULL,
    hash_probe bigint NOT NULL,
    run_id bigint NOT NULL
);
ALTER TABLE seedframe.baseline ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME seedframe.baseline_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE seedframe.baseline_row (
    baseline_id bigint NOT NULL,
    key_hash bigint NOT NULL,
    cell_hashes bigint[] NOT NULL,
    declared_hashes bigint[],
    kept boolean[],
    absent boolean DEFAULT false NOT NULL
);
CREATE TABLE seedframe.changed_row (
    outcome_id bigint NOT NULL,
    number integer NOT NULL,
    resource text NOT NULL,
    action text NOT NULL,
    key jsonb,
    columns text[]
);
CREATE TABLE seedframe.extra_row (
    baseline_id bigint NOT NULL,
    key_hash bigint NOT NULL
);
CREATE TABLE seedframe.guard (
    id bigint NOT NULL,
    unmet bigint NOT NULL
);
CREATE TABLE seedframe.ledger (
    version integer NOT NULL
);
CREATE TABLE seedframe.outcome (
    id bigint NOT NULL,
    run_id bigint NOT NULL,
    seed text NOT NULL,
    origin text NOT NULL,
    status text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    deleted bigint NOT NULL,
    unchanged bigint NOT NULL,
    duration_s double precision NOT NULL,
    error jsonb,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    code_digest text,
    data_digest text,
    resources jsonb,
    project text,
    target_schema text,
    form integer,
    "position" bigint,
    run_digest text,
    rows_digest text,
    previous_hash text,
    hash text
);
ALTER TABLE seedframe.outcome ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME seedframe.outcome_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE seedframe.owned_row (
    baseline_id bigint NOT NULL,
    key_hash bigint NOT NULL,
    table_name text NOT NULL,
    key jsonb NOT NULL
);
CREATE TABLE seedframe.run (
    id bigint NOT NULL,
    project text NOT NULL,
    target_schema text NOT NULL,
    env text NOT NULL,
    command text NOT NULL,
    mode text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    version text NOT NULL,
    role text DEFAULT CURRENT_USER NOT NULL,
    os_user text NOT NULL,
    host text NOT NULL,
    arguments jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    duration_s double precision,
    error jsonb,
    address text DEFAULT host(inet_client_addr()),
    revision text,
    backend_pid integer DEFAULT pg_backend_pid()
);
ALTER TABLE seedframe.run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME seedframe.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
INSERT INTO seedframe.applied_seed (project, target_schema, seed, origin, first_run, first_applied_at) VALUES ('shop', 'public', 'a', 'seeds/10_a.py', 1, '2026-11-23 08:47:23.518292+00');
INSERT INTO seedframe.baseline (id, project, target_schema, seed, resource, table_name, declared_digest, fingerprint, rows, columns, key_columns, by_row, kept, server_major, hash_probe, run_id) OVERRIDING SYSTEM VALUE VALUES (1, 'shop', 'public', 'a', 'rows:items', 'public.items', 'ba0040fc104902562d607584cfa46af9d6fef42e561453262e22dfb831b8de91', NULL, 2, '{name}', '{sku}', true, 0, 15, -489894838668755329, 1);
INSERT INTO seedframe.baseline_row (baseline_id, key_hash, cell_hashes, declared_hashes, kept, absent) VALUES (1, 3591986179850072241, '{8680131335536356089}', NULL, NULL, false);
INSERT INTO seedframe.baseline_row (baseline_id, key_hash, cell_hashes, declared_hashes, kept, absent) VALUES (1, -1633062336851484768, '{8680131335536356089}', NULL, NULL, false);
INSERT INTO seedframe.changed_row (outcome_id, number, resource, action, key, columns) VALUES (1, 1, 'rows:items', 'create', '{"sku": "a"}', NULL);
INSERT INTO seedframe.changed_row (outcome_id, number, resource, action, key, columns) VALUES (1, 2, 'rows:items', 'create', '{"sku": "b"}', NULL);
INSERT INTO seedframe.ledger (version) VALUES (3);
INSERT INTO seedframe.outcome (id, run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error, recorded_at, code_digest, data_digest, resources, project, target_schema, form, "position", run_digest, rows_digest, previous_hash, hash) OVERRIDING SYSTEM VALUE VALUES (1, 1, '10_a', 'seeds/10_a.py', 'changed', 2, 0, 0, 0, 0.027913903999433387, NULL, '2026-11-23 08:47:23.524446+00', 'f1ee2791fde7bb91c24896b71d0ecdb6acb8c1cff1171a30ee9f7206b7a14308', '84573489bf748fe28550a8f56e973caad7b51d437ebc3dc87b34f98a8f9fbe10', '[{"created": 2, "deleted": 0, "updated": 0, "resource": "rows:items", "unlisted": 0}]', 'shop', 'public', 1, 1, '399c79b90380e8b1f1183ac32d48ce6bce6d772517e4be22fba0080bf4d6494e', '37d1184b968f94d2958a82f550cc6b76a144bfb94a40a90a6abfe827d11ea4a7', NULL, '9974dbbcd0f0a3fa367deebeb8aaea2042ef17ace434a78d9e0e0295ca1a4cbe');
INSERT INTO seedframe.outcome (id, run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error, recorded_at, code_digest, data_digest, resources, project, target_schema, form, "position", run_digest, rows_digest, previous_hash, hash) OVERRIDING SYSTEM VALUE VALUES (2, 1, '20_bad', 'seeds/20_bad.py', 'failed', 0, 0, 0, 0, 0.00421042899688473, '{"code": "hook_failed", "hint": "run with -v for the traceback", "where": "seeds/20_bad.py:2", "message": "`check` of seed 20_bad failed: ValueError: no"}', '2026-11-23 08:47:23.534899+00', '7f20d787e7f73efa5e78cbcd76c2c8de20f7f3d1742bfb88f5658e316b86de6a', NULL, '[]', 'shop', 'public', 1, 2, '399c79b90380e8b1f1183ac32d48ce6bce6d772517e4be22fba0080bf4d6494e', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', '9974dbbcd0f0a3fa367deebeb8aaea2042ef17ace434a78d9e0e0295ca1a4cbe', '63339e238ce2970024af2cf2a18b1c1d0eba6edacd3d205e15ca6bfc718344bb');
INSERT INTO seedframe.outcome (id, run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error, recorded_at, code_digest, data_digest, resources, project, target_schema, form, "position", run_digest, rows_digest, previous_hash, hash) OVERRIDING SYSTEM VALUE VALUES (3, 2, '10_a', 'seeds/10_a.py', 'in_sync', 0, 0, 0, 2, 0.014567801001248881, NULL, '2026-11-23 08:47:23.570496+00', 'f1ee2791fde7bb91c24896b71d0ecdb6acb8c1cff1171a30ee9f7206b7a14308', '84573489bf748fe28550a8f56e973caad7b51d437ebc3dc87b34f98a8f9fbe10', '[]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO seedframe.owned_row (baseline_id, key_hash, table_name, key) VALUES (1, -8403495815541746218, 'public.items', '{"sku": "a"}');
INSERT INTO seedframe.owned_row (baseline_id, key_hash, table_name, key) VALUES (1, 6048254064885611207, 'public.items', '{"sku": "b"}');
INSERT INTO seedframe.run (id, project, target_schema, env, command, mode, status, version, role, os_user, host, arguments, started_at, finished_at, duration_s, error, address, revision, backend_pid) OVERRIDING SYSTEM VALUE VALUES (1, 'shop', 'public', 'development', 'apply', 'apply', 'failed', '0.1.0', 'postgres', 'root', 'vm', '{"skip": [], "tags": [], "seeds": [], "strict": false, "keep_going": false, "on_conflict": "seed", "transaction": "seed"}', '2026-11-23 08:47:23.489453+00', '2026-11-23 08:47:23.536905+00', 0.0974912530000438, NULL, NULL, NULL, 30897);
INSERT INTO seedframe.run (id, project, target_schema, env, command, mode, status, version, role, os_user, host, arguments, started_at, finished_at, duration_s, error, address, revision, backend_pid) OVERRIDING SYSTEM VALUE VALUES (2, 'shop', 'public', 'development', 'apply', 'apply', 'in_sync', '0.1.0', 'postgres', 'root', 'vm', '{"skip": [], "tags": [], "seeds": [], "strict": false, "keep_going": false, "on_conflict": "seed", "transaction": "seed"}', '2026-11-23 08:47:23.554791+00', '2026-11-23 08:47:23.57206+00', 0.02804413400008343, NULL, NULL, NULL, 30898);
SELECT pg_catalog.setval('seedframe.baseline_id_seq', 1, true);
SELECT pg_catalog.setval('seedframe.outcome_id_seq', 3, true);
SELECT pg_catalog.setval('seedframe.run_id_seq', 2, true);
ALTER TABLE ONLY seedframe.applied_plan
    ADD CONSTRAINT applied_plan_pkey PRIMARY KEY (id);
ALTER TABLE ONLY seedframe.applied_seed
    ADD CONSTRAINT applied_seed_pkey PRIMARY KEY (project, target_schema, seed);
ALTER TABLE ONLY seedframe.baseline
    ADD CONSTRAINT baseline_pkey PRIMARY KEY (id);
ALTER TABLE ONLY seedframe.baseline
    ADD CONSTRAINT baseline_project_target_schema_seed_resource_key UNIQUE (project, target_schema, seed, resource);
ALTER TABLE ONLY seedframe.baseline_row
    ADD CONSTRAINT baseline_row_pkey PRIMARY KEY (baseline_id, key_hash);
ALTER TABLE ONLY seedframe.changed_row
    ADD CONSTRAINT changed_row_pkey PRIMARY KEY (outcome_id, number);
ALTER TABLE ONLY seedframe.extra_row
    ADD CONSTRAINT extra_row_pkey PRIMARY KEY (baseline_id, key_hash);
ALTER TABLE ONLY seedframe.guard
    ADD CONSTRAINT guard_pkey PRIMARY KEY (id);
ALTER TABLE ONLY seedframe.outcome
    ADD CONSTRAINT outcome_pkey PRIMARY KEY (id);
ALTER TABLE ONLY seedframe.owned_row
    ADD CONSTRAINT owned_row_pkey PRIMARY KEY (baseline_id, key_hash);
ALTER TABLE ONLY seedframe.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX outcome_by_position ON seedframe.outcome USING btree (project, target_schema, "position") WHERE ("position" IS NOT NULL);
CREATE INDEX outcome_by_run ON seedframe.outcome USING btree (run_id);
CREATE INDEX run_by_target ON seedframe.run USING btree (project, target_schema, id DESC);
CREATE INDEX run_in_sync ON seedframe.run USING btree (project, target_schema, started_at) WHERE (status = 'in_sync'::text);
CREATE TRIGGER stays BEFORE DELETE OR UPDATE ON seedframe.changed_row FOR EACH ROW EXECUTE FUNCTION seedframe.refuse_change();
CREATE TRIGGER stays BEFORE DELETE OR UPDATE ON seedframe.outcome FOR EACH ROW WHEN ((old."position" IS NOT NULL)) EXECUTE FUNCTION seedframe.refuse_change();
CREATE TRIGGER stays BEFORE UPDATE OF id, project, target_schema, env, command, mode, version, role, os_user, host, address, revision, arguments, started_at ON seedframe.run FOR EACH ROW EXECUTE FUNCTION seedframe.refuse_change();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON seedframe.changed_row FOR EACH STATEMENT EXECUTE FUNCTION seedframe.refuse_change();
CREATE TRIGGER stays_whole BEFORE TRUNCATE ON seedframe.outcome FOR EACH STATEMENT EXECUTE FUNCTION seedframe.refuse_change();
ALTER TABLE ONLY seedframe.baseline
    ADD CONSTRAINT baseline_project_target_schema_seed_fkey FOREIGN KEY (project, target_schema, seed) REFERENCES seedframe.applied_seed(project, target_schema, seed) ON DELETE CASCADE;
ALTER TABLE ONLY seedframe.baseline_row
    ADD CONSTRAINT baseline_row_baseline_id_fkey FOREIGN KEY (baseline_id) REFERENCES seedframe.baseline(id) ON DELETE CASCADE;
ALTER TABLE ONLY seedframe.changed_row
    ADD CONSTRAINT changed_row_outcome_id_fkey FOREIGN KEY (outcome_id) REFERENCES seedframe.outcome(id) ON DELETE CASCADE;
ALTER TABLE ONLY seedframe.extra_row
    ADD CONSTRAINT extra_row_baseline_id_fkey FOREIGN KEY (baseline_id) REFERENCES seedframe.baseline(id) ON DELETE CASCADE;
ALTER TABLE ONLY seedframe.guard
    ADD CONSTRAINT only_seedframe_commits FOREIGN KEY (unmet) REFERENCES seedframe.guard(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY seedframe.outcome
    ADD CONSTRAINT outcome_run_id_fkey FOREIGN KEY (run_id) REFERENCES seedframe.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY seedframe.owned_row
    ADD CONSTRAINT owned_row_baseline_id_fkey FOREIGN KEY (baseline_id) REFERENCES seedframe.baseline(id) ON DELETE CASCADE;
