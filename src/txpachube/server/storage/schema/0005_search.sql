-- What lists and searches read instead of the feeds themselves.

-- A short row for each feed, so that all of them can be looked through in some milliseconds. The times that
-- change with the data are kept here from now on, where a fold of the journal finds many rows on one page; the
-- columns of the same names in feeds say how it was when the feed was made.
CREATE TABLE listed (
    feed INTEGER PRIMARY KEY REFERENCES feeds (id) ON DELETE CASCADE,
    owner INTEGER NOT NULL,
    private INTEGER NOT NULL,
    created INTEGER NOT NULL,
    -- Arrival of the last PUT on the feed, and of the last data at any level. Both lag behind
    -- the journal until it is folded.
    updated INTEGER NOT NULL,
    data_at INTEGER NOT NULL
);

INSERT INTO listed SELECT id, owner, private, created, updated, data_at FROM feeds;

CREATE INDEX listed_by_creation ON listed (created, feed, private, owner);
CREATE INDEX listed_by_owner ON listed (owner, created, feed, private);

-- The words of each feed, its datastreams and its creator, in one of two tables: how relevant a
-- public feed is depends on how common a word is, and what is private must not count for that.
-- The texts are words already, with blanks between them, and for this tokenizer everything that is not
-- ASCII belongs to a word.
CREATE VIRTUAL TABLE public_words USING fts5 (
    title, tags, streams, description, creator, tokenize = 'ascii'
);
CREATE VIRTUAL TABLE private_words USING fts5 (
    title, tags, streams, description, creator, tokenize = 'ascii'
);

-- The tags of feeds and their datastreams, and the units, without case.
CREATE TABLE search_tags (
    tag TEXT NOT NULL,
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, feed)
) WITHOUT ROWID;

CREATE INDEX search_tags_by_feed ON search_tags (feed);

CREATE TABLE search_units (
    unit TEXT NOT NULL,
    feed INTEGER NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    PRIMARY KEY (unit, feed)
) WITHOUT ROWID;

CREATE INDEX search_units_by_feed ON search_units (feed);

-- Where feeds are, on a ball of radius 1. So a distance is a sum of squares, and there is nothing special
-- about the poles and the date line.
CREATE TABLE search_places (
    feed INTEGER PRIMARY KEY REFERENCES feeds (id) ON DELETE CASCADE,
    x REAL NOT NULL,
    y REAL NOT NULL,
    z REAL NOT NULL
);

CREATE INDEX search_places_by_latitude ON search_places (z, x, y);

-- What has changed in the transaction that is open, and must be brought up to date before it is committed:
-- the part is 'words' (tags and units with them) or 'place'. Whoever changes a feed need not know of it.
CREATE TABLE unindexed (
    feed INTEGER NOT NULL,
    part TEXT NOT NULL,
    PRIMARY KEY (feed, part)
) WITHOUT ROWID;

INSERT INTO unindexed SELECT id, 'words' FROM feeds;
INSERT INTO unindexed SELECT id, 'place' FROM feeds;

CREATE TRIGGER feed_made AFTER INSERT ON feeds BEGIN
    INSERT INTO listed VALUES (new.id, new.owner, new.private, new.created, new.updated, new.data_at);
    INSERT OR IGNORE INTO unindexed VALUES (new.id, 'words'), (new.id, 'place');
END;

CREATE TRIGGER feed_shown AFTER UPDATE OF private, owner ON feeds BEGIN
    UPDATE listed SET private = new.private, owner = new.owner WHERE feed = new.id;
END;

CREATE TRIGGER feed_renamed AFTER UPDATE OF title, description, tags, private, owner ON feeds BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (new.id, 'words');
END;

CREATE TRIGGER feed_moved AFTER UPDATE OF location ON feeds BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (new.id, 'place');
END;

CREATE TRIGGER feed_gone AFTER DELETE ON feeds BEGIN
    DELETE FROM public_words WHERE rowid = old.id;
    DELETE FROM private_words WHERE rowid = old.id;
END;

CREATE TRIGGER stream_made AFTER INSERT ON datastreams BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (new.feed, 'words');
END;

CREATE TRIGGER stream_renamed AFTER UPDATE OF name, tags, unit ON datastreams BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (new.feed, 'words');
END;

CREATE TRIGGER stream_gone AFTER DELETE ON datastreams BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (old.feed, 'words');
END;

CREATE TRIGGER user_renamed AFTER UPDATE OF login ON users BEGIN
    INSERT OR IGNORE INTO unindexed SELECT id, 'words' FROM feeds WHERE owner = new.id;
END;
