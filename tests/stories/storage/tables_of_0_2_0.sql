CREATE TABLE installation (
    id VARCHAR(32) NOT NULL,
    "only" BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    patrolled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    place VARCHAR(120),
    restored_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    UNIQUE ("only")
);

CREATE TABLE registrations (
    id VARCHAR(16) NOT NULL,
    version INTEGER NOT NULL,
    status VARCHAR(24) NOT NULL,
    team_id VARCHAR(32) NOT NULL,
    user_id VARCHAR(32) NOT NULL,
    requester_name VARCHAR(120) NOT NULL,
    form JSONB NOT NULL,
    profile_digest VARCHAR(64) NOT NULL,
    "key" VARCHAR(120) NOT NULL,
    origin VARCHAR(64) NOT NULL,
    wish_digest VARCHAR(64) NOT NULL,
    "plan" JSONB,
    digest VARCHAR(64),
    reasons JSONB NOT NULL,
    failure JSONB,
    heir JSONB,
    former JSONB,
    rotation JSONB,
    last_check JSONB,
    revocation JSONB,
    deleted JSONB,
    purged_at TIMESTAMP WITH TIME ZONE,
    deadline TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    quorum JSONB,
    changed INTEGER DEFAULT '0' NOT NULL,
    head VARCHAR(160),
    PRIMARY KEY (id),
    UNIQUE ("key"),
    UNIQUE (origin)
);

CREATE TABLE runs (
    id VARCHAR(40) NOT NULL,
    registration VARCHAR(16) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    subject VARCHAR(40),
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    outcome VARCHAR(120),
    begun INTEGER DEFAULT '0' NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(registration) REFERENCES registrations (id)
);

CREATE TABLE steps (
    run VARCHAR(40) NOT NULL,
    name VARCHAR(80) NOT NULL,
    registration VARCHAR(16) NOT NULL,
    title VARCHAR(120) NOT NULL,
    stage INTEGER NOT NULL,
    position INTEGER NOT NULL,
    lasting BOOLEAN NOT NULL,
    intended_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    failed BOOLEAN NOT NULL,
    facts JSONB,
    PRIMARY KEY (run, name),
    FOREIGN KEY(run) REFERENCES runs (id),
    FOREIGN KEY(registration) REFERENCES registrations (id)
);

CREATE TABLE votes (
    registration VARCHAR(16) NOT NULL,
    rotation VARCHAR(40) NOT NULL,
    team_id VARCHAR(32) NOT NULL,
    user_id VARCHAR(32) NOT NULL,
    name VARCHAR(120) NOT NULL,
    verdict VARCHAR(8) NOT NULL,
    digest VARCHAR(64) NOT NULL,
    groups JSONB NOT NULL,
    void VARCHAR(120),
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (registration, rotation, team_id, user_id),
    FOREIGN KEY(registration) REFERENCES registrations (id)
);

CREATE TABLE secrets (
    id VARCHAR(40) NOT NULL,
    registration VARCHAR(16) NOT NULL,
    run VARCHAR(40) NOT NULL,
    nonce VARCHAR(16) NOT NULL,
    state VARCHAR(16) NOT NULL,
    key_id VARCHAR(40),
    hint VARCHAR(16),
    expires_at TIMESTAMP WITH TIME ZONE,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    retires_at TIMESTAMP WITH TIME ZONE,
    sealed BYTEA,
    answer_to BYTEA,
    PRIMARY KEY (id),
    FOREIGN KEY(registration) REFERENCES registrations (id),
    FOREIGN KEY(run) REFERENCES runs (id),
    UNIQUE (nonce)
);

CREATE TABLE messages (
    id VARCHAR(40) NOT NULL,
    registration VARCHAR(16) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    audience VARCHAR(32) NOT NULL,
    subject VARCHAR(40),
    wanted INTEGER NOT NULL,
    shown INTEGER NOT NULL,
    channel VARCHAR(32),
    ts VARCHAR(32),
    claimed_until TIMESTAMP WITH TIME ZONE,
    shown_at TIMESTAMP WITH TIME ZONE,
    tries INTEGER NOT NULL,
    gone BOOLEAN NOT NULL,
    trouble VARCHAR(60),
    PRIMARY KEY (id),
    FOREIGN KEY(registration) REFERENCES registrations (id)
);

CREATE TABLE dues (
    id VARCHAR(40) NOT NULL,
    registration VARCHAR(16) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    subject VARCHAR(40),
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(registration) REFERENCES registrations (id)
);

CREATE TABLE history (
    registration VARCHAR(16) NOT NULL,
    seq INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    team_id VARCHAR(32) NOT NULL,
    user_id VARCHAR(32) NOT NULL,
    what VARCHAR(40) NOT NULL,
    details JSONB NOT NULL,
    previous VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    mac VARCHAR(80),
    PRIMARY KEY (registration, seq),
    FOREIGN KEY(registration) REFERENCES registrations (id)
);

CREATE TABLE seen_events (
    event_id VARCHAR(64) NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (event_id)
);

CREATE TABLE accepted_signatures (
    digest VARCHAR(64) NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (digest)
);

CREATE INDEX registrations_by_requester ON registrations (team_id, user_id, created_at);

CREATE INDEX registrations_by_status ON registrations (status, created_at);

CREATE INDEX ix_registrations_wish_digest ON registrations (wish_digest);

CREATE INDEX ix_registrations_created_at ON registrations (created_at);

CREATE INDEX ix_registrations_changed ON registrations (changed);

CREATE INDEX runs_by_registration ON runs (registration, created_at);

CREATE INDEX runs_by_end ON runs (ended_at);

CREATE INDEX runs_by_outcome ON runs (outcome, kind, ended_at);

CREATE INDEX steps_by_registration ON steps (registration);

CREATE INDEX secrets_by_registration ON secrets (registration);

CREATE INDEX secrets_by_run ON secrets (run);

CREATE INDEX secrets_by_expiry ON secrets (expires_at);

CREATE INDEX messages_by_registration ON messages (registration);

CREATE INDEX messages_by_kind ON messages (kind, shown_at);

CREATE INDEX ix_dues_at ON dues (at);

CREATE INDEX dues_by_registration ON dues (registration, kind);

CREATE INDEX dues_by_kind ON dues (kind, registration);

CREATE INDEX history_by_time ON history (at);

CREATE INDEX ix_accepted_signatures_expires_at ON accepted_signatures (expires_at);

CREATE UNIQUE INDEX runs_one_open ON runs (registration) WHERE ended_at IS NULL;

CREATE INDEX secrets_sealed ON secrets (registration) WHERE sealed IS NOT NULL;

CREATE INDEX messages_stale ON messages (shown_at) WHERE shown < wanted;
