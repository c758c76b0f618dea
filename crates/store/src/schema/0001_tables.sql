-- One text for three engines. What differs is in braces and filled in by `schema.rs`:
-- {serial} a key that counts up; {exact} comparison byte by byte; {json} and {bytes} long values;
-- {tail} what a table's definition ends with. A statement ends with a semicolon at a line's end.
CREATE TABLE counter (
    name VARCHAR(32) {exact} NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
) {tail};

INSERT INTO counter (name, value) VALUES ('job', 0), ('claim', 0);

CREATE TABLE seal_check (
    id SMALLINT NOT NULL PRIMARY KEY,
    sealed {bytes} NOT NULL
) {tail};

CREATE TABLE account (
    id {serial},
    name VARCHAR(64) {exact} NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
) {tail};

CREATE TABLE access_key (
    key_id VARCHAR(36) {exact} NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL,
    secret {bytes} NOT NULL,
    enabled SMALLINT NOT NULL DEFAULT 1,
    created_at BIGINT NOT NULL,
    FOREIGN KEY (account) REFERENCES account (id)
) {tail};

CREATE TABLE instance (
    id VARCHAR(63) {exact} NOT NULL PRIMARY KEY,
    account BIGINT NOT NULL,
    name VARCHAR(255) {exact} NOT NULL,
    engine VARCHAR(16) {exact} NOT NULL,
    host VARCHAR(255) {exact} NOT NULL,
    port INTEGER NOT NULL,
    options {json} NOT NULL,
    admin_user VARCHAR(128) {exact} NOT NULL,
    admin_password {bytes} NOT NULL,
    region VARCHAR(64) {exact} NOT NULL,
    zone VARCHAR(64) {exact} NOT NULL,
    class VARCHAR(64) {exact} NOT NULL,
    storage_gb BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    status VARCHAR(16) {exact} NOT NULL,
    version VARCHAR(128) {exact},
    used_bytes BIGINT,
    probed_at BIGINT,
    probe_error {json},
    FOREIGN KEY (account) REFERENCES account (id),
    CHECK (engine IN ('mysql', 'mariadb', 'sqlserver')),
    CHECK (port BETWEEN 1 AND 65535),
    CHECK (status IN ('unknown', 'running', 'unreachable'))
) {tail};

CREATE TABLE upload (
    id {serial},
    account BIGINT NOT NULL,
    name VARCHAR(255) {exact} NOT NULL,
    state VARCHAR(16) {exact} NOT NULL,
    size_bytes BIGINT,
    received_bytes BIGINT NOT NULL,
    sha256 VARCHAR(64) {exact},
    storage_key VARCHAR(255) {exact} NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    expires_at BIGINT NOT NULL,
    UNIQUE (account, name),
    FOREIGN KEY (account) REFERENCES account (id),
    CHECK (state IN ('receiving', 'finished')),
    CHECK ((state = 'finished') = (finished_at IS NOT NULL))
) {tail};

CREATE INDEX upload_expires ON upload (expires_at);

-- `holds` is the exclusive key while the job is unfinished, then null: a unique index lets any
-- number of nulls in, on all three engines.
-- MySQL 9.7 does not check a foreign key whose index holds a null in a later column, so the first
-- index on `account` is one without.
-- Every change of `state` puts the old one into `came_from`: the last check is the transition table.
CREATE TABLE job (
    id BIGINT NOT NULL PRIMARY KEY,
    public_id VARCHAR(32) {exact} NOT NULL UNIQUE,
    account BIGINT NOT NULL,
    kind VARCHAR(32) {exact} NOT NULL,
    instance_id VARCHAR(63) {exact} NOT NULL,
    source_instance_id VARCHAR(63) {exact},
    exclusive_key VARCHAR(255) {exact},
    holds VARCHAR(255) {exact},
    idempotency_key VARCHAR(255) {exact},
    request_digest VARCHAR(128) {exact},
    payload {json} NOT NULL,
    secret {bytes},
    state VARCHAR(16) {exact} NOT NULL,
    came_from VARCHAR(16) {exact} NOT NULL,
    attempt BIGINT NOT NULL,
    owner VARCHAR(128) {exact},
    token BIGINT NOT NULL,
    lease_until BIGINT,
    cancel_requested SMALLINT NOT NULL,
    progress {json},
    percent SMALLINT NOT NULL,
    result {json},
    error {json},
    event_seq BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    UNIQUE (account, id),
    UNIQUE (account, holds),
    UNIQUE (account, idempotency_key),
    FOREIGN KEY (account) REFERENCES account (id),
    CHECK (id BETWEEN 1 AND 2147483647),
    CHECK (percent BETWEEN 0 AND 100),
    CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    CHECK ((state = 'running') = (owner IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('queued', 'running')) = (finished_at IS NULL)),
    CHECK (state IN ('queued', 'cancelled') OR started_at IS NOT NULL),
    CHECK (holds IS NULL OR finished_at IS NULL),
    CHECK (secret IS NULL OR finished_at IS NULL),
    CHECK ((came_from = 'new' AND state = 'queued')
        OR (came_from = 'queued' AND state IN ('running', 'cancelled'))
        OR (came_from = 'running'
            AND state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')))
) {tail};

CREATE INDEX job_state ON job (state, id);

CREATE INDEX job_instance ON job (instance_id, state);

CREATE INDEX job_source ON job (source_instance_id, state);

CREATE INDEX job_finished ON job (finished_at);

CREATE TABLE job_event (
    job BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    kind VARCHAR(32) {exact} NOT NULL,
    data {json} NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (job, seq),
    FOREIGN KEY (job) REFERENCES job (id)
) {tail};

CREATE TABLE audit (
    id {serial},
    account BIGINT,
    actor VARCHAR(64) {exact} NOT NULL,
    action VARCHAR(64) {exact} NOT NULL,
    object VARCHAR(255) {exact} NOT NULL,
    outcome VARCHAR(255) {exact} NOT NULL,
    created_at BIGINT NOT NULL
) {tail};

CREATE INDEX audit_account ON audit (account, id);

CREATE INDEX audit_created ON audit (created_at);

CREATE TABLE nonce (
    key_id VARCHAR(36) {exact} NOT NULL,
    nonce VARCHAR(128) {exact} NOT NULL,
    keep_from BIGINT NOT NULL,
    PRIMARY KEY (key_id, nonce)
) {tail};

CREATE INDEX nonce_keep ON nonce (keep_from);
