-- Times are microseconds since 1970-01-01T00:00:00Z.

-- The account that made it over the API and may change it; NULL: the command line did.
ALTER TABLE users ADD COLUMN creator INTEGER REFERENCES users (id) ON DELETE SET NULL;

-- What it says of itself; '' where it says nothing.
ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN full_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN last_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN organisation TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN website TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';

-- JSON arrays of texts: what it is, and what it may make others.
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '["default"]';
ALTER TABLE users ADD COLUMN creatable_roles TEXT NOT NULL DEFAULT '[]';

-- Settings: 1 is yes.
ALTER TABLE users ADD COLUMN deliver_email INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN display_activity INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN display_information INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN display_stats INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN receive_forum_notifications INTEGER NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN subscribed_to_mailings INTEGER NOT NULL DEFAULT 1;

-- How many it may have; NULL: as many as the service's settings say; -1: as many as it likes.
ALTER TABLE users ADD COLUMN feeds_allowed INTEGER;
ALTER TABLE users ADD COLUMN datastreams_allowed INTEGER;

-- Requests of its keys: all of them, and those of one day, which is counted from 1970-01-01 in UTC.
-- Both lag behind a little.
ALTER TABLE users ADD COLUMN accesses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN accesses_that_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN accesses_day INTEGER NOT NULL DEFAULT 0;

CREATE INDEX users_by_creator ON users (creator);

-- A new login must differ in more than its capitals.
CREATE INDEX users_by_login ON users (login COLLATE NOCASE);

-- The account that the first start makes.
UPDATE users
SET creatable_roles = '["default","basic","device","my_users"]', feeds_allowed = -1, datastreams_allowed = -1
WHERE login = 'admin';
