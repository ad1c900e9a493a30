/**
 * The tables of catalog.db. Only this file and the folder's queries know them.
 *
 * Keys are dense integers, never reused, below 2^31 so that they fit Int32Array and the index's labels.
 * Ids are the source's own text, compared byte by byte: two Unicode spellings of one word are two ids.
 * `time` is a number of milliseconds or a position; NO_TIME where the source has none, because a primary
 * key holds no NULL.
 */

/** 'txrc' in ASCII: tells a textrec catalogue from any other SQLite file. */
export const APPLICATION_ID = 0x74787263

/** Stands for "no time". Outside the range of dates, and exact as a double. */
export const NO_TIME = Number.MIN_SAFE_INTEGER

/** Step n brings a database from version n to n + 1. Steps that have shipped are never edited. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- change: grows with every transaction that alters records or item vectors.
  -- arrival: the order in which reviews and interactions came.
  -- time_kind: 0 none, 1 order, 2 date.
  CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counter VALUES ('change', 0), ('arrival', 0), ('time_kind', 0);

  -- declared: 0 while the item is only named by reviews and interactions.
  CREATE TABLE item (
    key INTEGER PRIMARY KEY AUTOINCREMENT CHECK (key < 2147483648),
    id TEXT NOT NULL UNIQUE,
    declared INTEGER NOT NULL,
    title TEXT,
    description TEXT,
    attributes TEXT
  ) STRICT;

  -- Apart from item, so that a new review does not rewrite a long description.
  CREATE TABLE item_state (
    item INTEGER PRIMARY KEY REFERENCES item ON DELETE CASCADE,
    text_version INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE user (
    key INTEGER PRIMARY KEY AUTOINCREMENT CHECK (key < 2147483648),
    id TEXT NOT NULL UNIQUE
  ) STRICT;

  -- key is the review's arrival number; id is '' where the source has none.
  CREATE TABLE review (
    key INTEGER PRIMARY KEY,
    item INTEGER NOT NULL REFERENCES item ON DELETE CASCADE,
    user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,
    time REAL NOT NULL,
    rating REAL,
    helpful REAL,
    id TEXT NOT NULL,
    title TEXT,
    text TEXT,
    attributes TEXT,
    UNIQUE (user, item, time, id)
  ) STRICT;
  CREATE UNIQUE INDEX review_id ON review (id) WHERE id <> '';
  CREATE INDEX review_item ON review (item, time, key);

  -- One row per person, item and time, whether an interaction record (recorded = 1, value, attributes),
  -- a rated review (rating) or both said so. Triggers keep the review's side.
  -- The largest table by far, so it has this one B-tree and no references: an index on item and the two
  -- look-ups halve the speed of imports. Deleting an item scans the table; check() looks for orphans.
  CREATE TABLE event (
    user INTEGER NOT NULL,
    item INTEGER NOT NULL,
    time REAL NOT NULL,
    arrival INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    value REAL,
    rating REAL,
    attributes TEXT,
    PRIMARY KEY (user, item, time)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER review_rated AFTER INSERT ON review WHEN new.rating IS NOT NULL BEGIN
    INSERT INTO event (user, item, time, arrival, recorded, rating)
      VALUES (new.user, new.item, new.time, new.key, 0, new.rating)
      ON CONFLICT (user, item, time) DO UPDATE SET rating = excluded.rating;
  END;
  CREATE TRIGGER review_unrated AFTER DELETE ON review WHEN old.rating IS NOT NULL BEGIN
    UPDATE event SET rating = (
      SELECT rating FROM review WHERE user = old.user AND item = old.item AND time = old.time
        AND rating IS NOT NULL ORDER BY key DESC LIMIT 1
    ) WHERE user = old.user AND item = old.item AND time = old.time;
    DELETE FROM event WHERE user = old.user AND item = old.item AND time = old.time
      AND recorded = 0 AND rating IS NULL;
  END;
  CREATE TRIGGER review_rerated AFTER UPDATE OF user, item, time, rating ON review BEGIN
    UPDATE event SET rating = (
      SELECT rating FROM review WHERE user = old.user AND item = old.item AND time = old.time
        AND rating IS NOT NULL ORDER BY key DESC LIMIT 1
    ) WHERE user = old.user AND item = old.item AND time = old.time;
    INSERT INTO event (user, item, time, arrival, recorded, rating)
      SELECT user, item, time, new.key, 0, rating FROM review
        WHERE user = new.user AND item = new.item AND time = new.time AND rating IS NOT NULL
        ORDER BY key DESC LIMIT 1
      ON CONFLICT (user, item, time) DO UPDATE SET rating = excluded.rating;
    DELETE FROM event WHERE user = old.user AND item = old.item AND time = old.time
      AND recorded = 0 AND rating IS NULL;
  END;

  -- Typed attribute rows, for filters. kind: 'n' number, 'b' boolean, 'd' date (milliseconds), 't' text,
  -- 'e' an empty list. A list is several rows.
  CREATE TABLE attribute_name (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE item_attribute (
    item INTEGER NOT NULL REFERENCES item ON DELETE CASCADE,
    name INTEGER NOT NULL REFERENCES attribute_name,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    value ANY,
    PRIMARY KEY (item, name, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX item_attribute_value ON item_attribute (name, kind, value, item);

  -- A space is where vectors of one origin live: the fingerprint of what made them.
  CREATE TABLE space (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    text_dim INTEGER,
    item_dim INTEGER
  ) STRICT;
  CREATE TABLE embedding (
    key INTEGER PRIMARY KEY,
    space INTEGER NOT NULL REFERENCES space,
    hash BLOB NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (space, hash)
  ) STRICT;
  CREATE TABLE planned_text (
    key INTEGER PRIMARY KEY,
    space INTEGER NOT NULL REFERENCES space,
    batch INTEGER NOT NULL,
    hash BLOB NOT NULL,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX planned_text_batch ON planned_text (space, batch, key);

  -- vector is NULL for an item about which there is no text.
  CREATE TABLE item_vector (
    key INTEGER PRIMARY KEY,
    space INTEGER NOT NULL REFERENCES space,
    item INTEGER NOT NULL REFERENCES item ON DELETE CASCADE,
    text_version INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    vector BLOB
  ) STRICT;
  CREATE UNIQUE INDEX item_vector_item ON item_vector (item, space);
  -- Covers the search for stale items, so that it reads no vectors.
  CREATE INDEX item_vector_version ON item_vector (space, item, text_version);
  CREATE INDEX item_vector_sequence ON item_vector (space, sequence);
  CREATE TABLE vector_removal (
    space INTEGER NOT NULL REFERENCES space,
    sequence INTEGER NOT NULL,
    item INTEGER NOT NULL,
    PRIMARY KEY (space, sequence, item)
  ) STRICT, WITHOUT ROWID;

  -- Full text over the rows above; the words are kept, the text is not copied.
  CREATE VIRTUAL TABLE item_text USING fts5(
    title, description, content='item', content_rowid='key', tokenize='unicode61 remove_diacritics 2'
  );
  CREATE VIRTUAL TABLE review_text USING fts5(
    title, text, content='review', content_rowid='key', tokenize='unicode61 remove_diacritics 2'
  );
  INSERT INTO item_text (item_text, rank) VALUES ('secure-delete', 1);
  INSERT INTO review_text (review_text, rank) VALUES ('secure-delete', 1);

  CREATE TRIGGER item_text_insert AFTER INSERT ON item
    WHEN new.title IS NOT NULL OR new.description IS NOT NULL BEGIN
    INSERT INTO item_text (rowid, title, description) VALUES (new.key, new.title, new.description);
  END;
  CREATE TRIGGER item_text_delete AFTER DELETE ON item
    WHEN old.title IS NOT NULL OR old.description IS NOT NULL BEGIN
    INSERT INTO item_text (item_text, rowid, title, description)
      VALUES ('delete', old.key, old.title, old.description);
  END;
  CREATE TRIGGER item_text_update AFTER UPDATE OF title, description ON item
    WHEN old.title IS NOT new.title OR old.description IS NOT new.description BEGIN
    INSERT INTO item_text (item_text, rowid, title, description)
      SELECT 'delete', old.key, old.title, old.description
      WHERE old.title IS NOT NULL OR old.description IS NOT NULL;
    INSERT INTO item_text (rowid, title, description)
      SELECT new.key, new.title, new.description
      WHERE new.title IS NOT NULL OR new.description IS NOT NULL;
  END;
  CREATE TRIGGER review_text_insert AFTER INSERT ON review
    WHEN new.title IS NOT NULL OR new.text IS NOT NULL BEGIN
    INSERT INTO review_text (rowid, title, text) VALUES (new.key, new.title, new.text);
  END;
  CREATE TRIGGER review_text_delete AFTER DELETE ON review
    WHEN old.title IS NOT NULL OR old.text IS NOT NULL BEGIN
    INSERT INTO review_text (review_text, rowid, title, text)
      VALUES ('delete', old.key, old.title, old.text);
  END;
  CREATE TRIGGER review_text_update AFTER UPDATE OF title, text ON review
    WHEN old.title IS NOT new.title OR old.text IS NOT new.text BEGIN
    INSERT INTO review_text (review_text, rowid, title, text)
      SELECT 'delete', old.key, old.title, old.text
      WHERE old.title IS NOT NULL OR old.text IS NOT NULL;
    INSERT INTO review_text (rowid, title, text)
      SELECT new.key, new.title, new.text
      WHERE new.title IS NOT NULL OR new.text IS NOT NULL;
  END;
  `,
]

export const SCHEMA_VERSION = MIGRATIONS.length
