-- Times are microseconds since 1970-01-01T00:00:00Z.

-- A series of devices that are all alike.
CREATE TABLE products (
    -- AUTOINCREMENT, because a request that is under way must not meet another product in the same row.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What the API calls it.
    public_id TEXT NOT NULL UNIQUE,
    owner INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    -- 40 hex digits, of which and a serial number an activation code is made.
    secret TEXT NOT NULL,
    state TEXT NOT NULL,
    -- JSON object in the API's spelling, only the parts that are set.
    feed_defaults TEXT NOT NULL,
    -- Kept here, because counting the devices of a large series takes long.
    devices_count INTEGER NOT NULL DEFAULT 0,
    activated_devices_count INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX products_by_owner ON products (owner);

CREATE TABLE devices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    serial TEXT NOT NULL,
    -- SHA-256 of the activation code: what an activation is looked up by.
    code_hash BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    -- NULL: not yet.
    activated INTEGER,
    -- What it got when it was activated; NULL again when that was deleted.
    feed INTEGER REFERENCES feeds (id) ON DELETE SET NULL,
    key INTEGER REFERENCES keys (id) ON DELETE SET NULL,
    UNIQUE (product, serial)
);

-- Lists are in the order of registration.
CREATE INDEX devices_by_product ON devices (product);

-- Without these, deleting a feed or a key would look at every device there is.
CREATE INDEX devices_by_feed ON devices (feed);
CREATE INDEX devices_by_key ON devices (key);
