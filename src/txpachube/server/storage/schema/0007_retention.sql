-- How many days the datapoints of a feed are kept; 0: for ever. Feeds without a row are kept as long as the
-- settings say.
CREATE TABLE retention (
    feed INTEGER PRIMARY KEY REFERENCES feeds (id) ON DELETE CASCADE,
    days INTEGER NOT NULL
);
