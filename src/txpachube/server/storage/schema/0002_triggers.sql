-- Times are microseconds since 1970-01-01T00:00:00Z.

-- A trigger goes with its datastream, and with the account that made it.
CREATE TABLE triggers (
    -- AUTOINCREMENT, because keys are limited to triggers by their ids.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    datastream INTEGER NOT NULL REFERENCES datastreams (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    type TEXT NOT NULL,
    -- The text that was sent; NULL for types that compare with nothing.
    threshold TEXT,
    -- What URLs in its notifications start with: the address at which it was made.
    base TEXT NOT NULL,
    -- When somebody made or changed it: what was written before doesn't count for it.
    changed INTEGER NOT NULL,
    -- 1: the condition is true and has been told.
    fulfilled INTEGER NOT NULL DEFAULT 0,
    -- When it fired last, and when a notification was sent last.
    fired_at INTEGER,
    notified_at INTEGER
);

CREATE INDEX triggers_by_owner ON triggers (owner);
CREATE INDEX triggers_by_datastream ON triggers (datastream);

-- What is still to be sent.
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trigger_id INTEGER NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    -- When to try next, and how often it was tried.
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    -- The JSON text.
    body TEXT NOT NULL
);

CREATE INDEX notifications_by_trigger ON notifications (trigger_id);

-- What became of the newest attempts to send something.
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trigger_id INTEGER NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    -- Of the answer; NULL: there was none, and fault says why.
    status INTEGER,
    fault TEXT
);

CREATE INDEX attempts_by_trigger ON attempts (trigger_id);
