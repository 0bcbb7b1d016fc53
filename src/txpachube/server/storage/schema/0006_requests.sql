-- Times are microseconds since 1970-01-01T00:00:00Z.

-- The request log: the newest requests that concern a feed, for its owner to look at. It is bounded: what
-- is too many goes when something is added.
CREATE TABLE requests (
    -- AUTOINCREMENT, because whoever follows the log asks for what is newer than the last one seen.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- NULL: the request named no feed that exists; then owner is whose key it carried.
    feed INTEGER REFERENCES feeds (id) ON DELETE CASCADE,
    owner INTEGER REFERENCES users (id) ON DELETE CASCADE,
    -- What it is kept with: 1 writes, 2 reads, 3 what was refused to keys of the owner, 4 what came from
    -- anybody else, 5 what named no feed. Each is bounded for itself.
    ring INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- How many like this one came; then it is the first of them, and "at" the time of the last.
    times INTEGER NOT NULL,
    -- Of the answer; 0: there was none.
    status INTEGER NOT NULL,
    -- Why it was refused, in words; NULL when it was not.
    reason TEXT,
    -- JSON: how it came, what was sent, without secrets.
    facts TEXT NOT NULL
);

CREATE INDEX requests_by_feed ON requests (feed, ring);
CREATE INDEX requests_by_owner ON requests (owner) WHERE owner IS NOT NULL;
CREATE INDEX requests_of_strangers ON requests (ring) WHERE ring = 4;
