-- A ledger of version 2, as it was made, and what two runs of an apply then left in it.
CREATE SCHEMA seedframe;
CREATE TABLE seedframe.ledger (version integer NOT NULL);
CREATE TABLE seedframe.run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text NOT NULL,
    target_schema text NOT NULL,
    env text NOT NULL,
    command text NOT NULL,
    mode text NOT NULL,
    status text NOT NULL DEFAULT 'running',
    version text NOT NULL,
    role text NOT NULL DEFAULT current_user,
    os_user text NOT NULL,
    host text NOT NULL,
    arguments jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    duration_s double precision,
    error jsonb
);
CREATE INDEX run_by_target ON seedframe.run (project, target_schema, id DESC);
CREATE TABLE seedframe.outcome (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES seedframe.run ON DELETE CASCADE,
    seed text NOT NULL,
    origin text NOT NULL,
    status text NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    deleted bigint NOT NULL,
    unchanged bigint NOT NULL,
    duration_s double precision NOT NULL,
    error jsonb,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX outcome_by_run ON seedframe.outcome (run_id);
CREATE TABLE seedframe.applied_seed (
    project text NOT NULL,
    target_schema text NOT NULL,
    seed text NOT NULL,
    origin text NOT NULL,
    first_run bigint NOT NULL,
    first_applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project, target_schema, seed)
);
CREATE TABLE seedframe.baseline (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
    run_id bigint NOT NULL,
    UNIQUE (project, target_schema, seed, resource),
    FOREIGN KEY (project, target_schema, seed) REFERENCES seedframe.applied_seed ON DELETE CASCADE
);
CREATE TABLE seedframe.baseline_row (
    baseline_id bigint NOT NULL REFERENCES seedframe.baseline ON DELETE CASCADE,
    key_hash bigint NOT NULL,
    cell_hashes bigint[] NOT NULL,
    declared_hashes bigint[],
    kept boolean[],
    absent boolean NOT NULL DEFAULT false,
    PRIMARY KEY (baseline_id, key_hash)
);
CREATE TABLE seedframe.owned_row (
    baseline_id bigint NOT NULL REFERENCES seedframe.baseline ON DELETE CASCADE,
    key_hash bigint NOT NULL,
    table_name text NOT NULL,
    key jsonb NOT NULL,
    PRIMARY KEY (baseline_id, key_hash)
);
CREATE TABLE seedframe.extra_row (
    baseline_id bigint NOT NULL REFERENCES seedframe.baseline ON DELETE CASCADE,
    key_hash bigint NOT NULL,
    PRIMARY KEY (baseline_id, key_hash)
);

INSERT INTO seedframe.ledger (version) VALUES
    (2);
INSERT INTO seedframe.run (id, project, target_schema, env, command, mode, status, version, role, os_user, host, arguments, started_at, finished_at, duration_s, error) OVERRIDING SYSTEM VALUE VALUES
    (1, 'shop', 'public', 'development', 'apply', 'apply', 'failed', '0.1.0', 'postgres', 'deploy', 'web1', '{"skip": [], "tags": [], "seeds": [], "strict": false, "keep_going": false, "on_conflict": "seed", "transaction": "seed"}', '2026-11-23 06:00:16.80304+00', '2026-11-23 06:00:16.828865+00', 0.08657288699760102, NULL);
INSERT INTO seedframe.run (id, project, target_schema, env, command, mode, status, version, role, os_user, host, arguments, started_at, finished_at, duration_s, error) OVERRIDING SYSTEM VALUE VALUES
    (2, 'shop', 'public', 'development', 'apply', 'apply', 'in_sync', '0.1.0', 'postgres', 'deploy', 'web1', '{"skip": [], "tags": [], "seeds": [], "strict": false, "keep_going": false, "on_conflict": "seed", "transaction": "seed"}', '2026-11-23 06:00:16.84419+00', '2026-11-23 06:00:16.862128+00', 0.031097186998522375, NULL);
INSERT INTO seedframe.outcome (id, run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error, recorded_at) OVERRIDING SYSTEM VALUE VALUES
    (1, 1, '10_a', 'seeds/10_a.py', 'changed', 2, 0, 0, 0, 0.016324475000146776, NULL, '2026-11-23 06:00:16.823408+00');
INSERT INTO seedframe.outcome (id, run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error, recorded_at) OVERRIDING SYSTEM VALUE VALUES
    (2, 1, '20_bad', 'seeds/20_bad.py', 'failed', 0, 0, 0, 0, 0.0028085859994462226, '{"code": "hook_failed", "hint": "run with -v for the traceback", "where": "seeds/20_bad.py:2", "message": "`check` of seed 20_bad failed: ValueError: no"}', '2026-11-23 06:00:16.828097+00');
INSERT INTO seedframe.outcome (id, run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error, recorded_at) OVERRIDING SYSTEM VALUE VALUES
    (3, 2, '10_a', 'seeds/10_a.py', 'in_sync', 0, 0, 0, 2, 0.015370821001852164, NULL, '2026-11-23 06:00:16.86121+00');
INSERT INTO seedframe.applied_seed (project, target_schema, seed, origin, first_run, first_applied_at) VALUES
    ('shop', 'public', 'a', 'seeds/10_a.py', 1, '2026-11-23 06:00:16.820147+00');
INSERT INTO seedframe.baseline (id, project, target_schema, seed, resource, table_name, declared_digest, fingerprint, rows, columns, key_columns, by_row, kept, server_major, hash_probe, run_id) OVERRIDING SYSTEM VALUE VALUES
    (1, 'shop', 'public', 'a', 'rows:items', 'public.items', 'ba0040fc104902562d607584cfa46af9d6fef42e561453262e22dfb831b8de91', NULL, 2, '{name}', '{sku}', true, 0, 15, -489894838668755329, 1);
INSERT INTO seedframe.baseline_row (baseline_id, key_hash, cell_hashes, declared_hashes, kept, absent) VALUES
    (1, 3591986179850072241, '{8680131335536356089}', NULL, NULL, false);
INSERT INTO seedframe.baseline_row (baseline_id, key_hash, cell_hashes, declared_hashes, kept, absent) VALUES
    (1, -1633062336851484768, '{8680131335536356089}', NULL, NULL, false);
INSERT INTO seedframe.owned_row (baseline_id, key_hash, table_name, key) VALUES
    (1, -8403495815541746218, 'public.items', '{"sku": "a"}');
INSERT INTO seedframe.owned_row (baseline_id, key_hash, table_name, key) VALUES
    (1, 6048254064885611207, 'public.items', '{"sku": "b"}');
SELECT pg_catalog.setval('seedframe.baseline_id_seq', 1, true);
SELECT pg_catalog.setval('seedframe.outcome_id_seq', 3, true);
SELECT pg_catalog.setval('seedframe.run_id_seq', 2, true);
