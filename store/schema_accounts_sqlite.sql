-- Accounts: public keys and public names. Nothing names a room or a seat; the
-- one exception is the knock door behind a public name.

CREATE TABLE accounts (
	account BLOB PRIMARY KEY,
	head    BLOB NOT NULL,
	length  INTEGER NOT NULL,
	made    INTEGER NOT NULL,
	name    TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE chain (
	account  BLOB NOT NULL,
	position INTEGER NOT NULL,
	entry    BLOB NOT NULL,
	PRIMARY KEY (account, position)
) WITHOUT ROWID;

CREATE TABLE names (
	name     TEXT PRIMARY KEY,
	skeleton TEXT NOT NULL UNIQUE,
	account  BLOB NOT NULL UNIQUE
) WITHOUT ROWID;

CREATE TABLE knocks (
	account BLOB NOT NULL,
	device  BLOB NOT NULL,
	door    BLOB NOT NULL,
	key     BLOB NOT NULL,
	sealing BLOB NOT NULL,
	PRIMARY KEY (account, device)
) WITHOUT ROWID;

CREATE TABLE invitations (
	hash  BLOB PRIMARY KEY,
	uses  INTEGER NOT NULL,
	until INTEGER NOT NULL
) WITHOUT ROWID;
