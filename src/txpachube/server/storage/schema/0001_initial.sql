-- Times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    login TEXT NOT NULL UNIQUE,
    -- An argon2 hash; NULL: nobody can log in as this user.
    password_hash TEXT,
    created INTEGER NOT NULL
);

CREATE TABLE keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of the text: what a request is looked up by.
    hash BLOB NOT NULL UNIQUE,
    -- The API shows keys to the master key of their account, so the text itself is kept.
    text TEXT NOT NULL,
    owner INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    private_access INTEGER NOT NULL,
    expires_at INTEGER
);

CREATE INDEX keys_by_owner ON keys (owner);

CREATE TABLE permissions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key INTEGER NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
    -- Among get put post delete, joined by commas.
    access_methods TEXT NOT NULL,
    source_ip TEXT,
    referer TEXT,
    minimum_interval INTEGER,
    label TEXT
);

CREATE INDEX permissions_by_key ON permissions (key);

CREATE TABLE resources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    permission INTEGER NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    feed_id INTEGER,
    datastream_id TEXT,
    datastream_trigger_id INTEGER
);

CREATE INDEX resources_by_permission ON resources (permission);
CREATE INDEX resources_by_feed ON resources (feed_id);

CREATE TABLE feeds (
    -- AUTOINCREMENT, because an id must never come back for another feed.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    private INTEGER NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    website TEXT,
    email TEXT,
    icon TEXT,
    auto_feed_url TEXT,
    product_id TEXT,
    device_serial TEXT,
    -- JSON array of texts.
    tags TEXT NOT NULL,
    -- JSON object in the API's spelling, only the parts that are set.
    location TEXT NOT NULL,
    location_at INTEGER,
    created INTEGER NOT NULL,
    -- Arrival of the last PUT on the feed, and of the last data at any level. Both lag behind
    -- the journal until it is folded.
    updated INTEGER NOT NULL,
    data_at INTEGER NOT NULL
);

CREATE INDEX feeds_by_owner ON feeds (owner);

CREATE TABLE waypoints (
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    lat REAL,
    lon REAL,
    ele TEXT,
    PRIMARY KEY (feed, at)
) WITHOUT ROWID;

CREATE TABLE datastreams (
    -- AUTOINCREMENT, because rows in journal and history outlive a deleted datastream for a while.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    unit TEXT NOT NULL,
    -- The current value and the limits as of journal row state_seq; later rows of the journal
    -- have to be counted in to know the truth.
    value TEXT,
    at INTEGER,
    max_value REAL,
    min_value REAL,
    data_at INTEGER NOT NULL,
    state_seq INTEGER NOT NULL,
    UNIQUE (feed, name)
);

-- Where datapoints arrive, in the order of arrival: appending costs a fraction of a page.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    datastream INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value TEXT NOT NULL,
    arrived INTEGER NOT NULL,
    -- 1: came with a PUT on the feed, which moves the feed's "updated".
    through_feed INTEGER NOT NULL
);

-- Where datapoints stay, in the order of reading. The journal is folded into it now and then.
CREATE TABLE history (
    datastream INTEGER NOT NULL,
    at INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (datastream, at)
) WITHOUT ROWID;

-- Deleted datastreams whose history is still to be removed, a slice at a time.
CREATE TABLE purges (
    datastream INTEGER PRIMARY KEY
);

-- What another process (the command line) changed, for a running service to notice.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    subject INTEGER NOT NULL
);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- The last number the journal gave away: numbers must go on when it is empty.
INSERT INTO counters (name, value) VALUES ('journal', 0);
