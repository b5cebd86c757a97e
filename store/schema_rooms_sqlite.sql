-- Rooms: everything here is sealed, hashed or random. Nothing names an account,
-- a device or an address, and no row's place tells when it was made.

-- A room, a door, or (gone_until > 0) the stub of one that was dropped.
CREATE TABLE rooms (
	room       BLOB PRIMARY KEY,
	rev        INTEGER NOT NULL,
	door       INTEGER NOT NULL,
	made       BLOB NOT NULL,
	epoch      INTEGER NOT NULL,
	head       INTEGER NOT NULL,
	lapsed     INTEGER NOT NULL,
	early      INTEGER NOT NULL,
	token      BLOB NOT NULL,
	traced     INTEGER NOT NULL,
	gen        INTEGER NOT NULL,
	marks      BLOB NOT NULL,
	opened     INTEGER NOT NULL,
	hoard      INTEGER NOT NULL,
	closing    INTEGER NOT NULL,
	due        INTEGER NOT NULL,
	gone_until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX rooms_opened ON rooms (opened);
CREATE INDEX rooms_due ON rooms (due) WHERE due > 0;
CREATE INDEX rooms_gone ON rooms (gone_until) WHERE gone_until > 0;

-- seat_key is random, so that seats made together do not lie together.
CREATE TABLE seats (
	seat_key INTEGER PRIMARY KEY,
	room     BLOB NOT NULL,
	seat     BLOB NOT NULL,
	hash     BLOB NOT NULL,
	cursor   INTEGER NOT NULL,
	gen      INTEGER NOT NULL,
	claim_by INTEGER NOT NULL
);
CREATE INDEX seats_room ON seats (room);
CREATE INDEX seats_claim ON seats (claim_by) WHERE claim_by > 0;

-- Append-only: entry_key grows, so that inserting is cheap.
CREATE TABLE entries (
	entry_key INTEGER PRIMARY KEY,
	room      BLOB NOT NULL,
	number    INTEGER NOT NULL,
	entry     BLOB NOT NULL,
	kind      INTEGER NOT NULL,
	expires   INTEGER NOT NULL,
	class     BLOB,
	body      BLOB NOT NULL
);
CREATE UNIQUE INDEX entries_room ON entries (room, number);
CREATE INDEX entries_expires ON entries (expires);

CREATE TABLE classes (
	class_key INTEGER PRIMARY KEY,
	room      BLOB NOT NULL,
	class     BLOB NOT NULL,
	hash      BLOB NOT NULL,
	quota     INTEGER NOT NULL,
	uses      INTEGER NOT NULL,
	used      INTEGER NOT NULL,
	until     INTEGER NOT NULL
);
CREATE INDEX classes_room ON classes (room);

CREATE TABLE packages (
	package_key INTEGER PRIMARY KEY,
	room        BLOB NOT NULL,
	package     BLOB NOT NULL,
	sealed      BLOB NOT NULL,
	last_resort INTEGER NOT NULL,
	used        INTEGER NOT NULL
);
CREATE INDEX packages_room ON packages (room);

-- Blobs lie in files; this says until when. No room, no account, no uploader.
CREATE TABLE blobs (
	blob    BLOB PRIMARY KEY,
	size    INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	hash    BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX blobs_expires ON blobs (expires);
