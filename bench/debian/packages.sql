-- SPDX-License-Identifier: GPL-2.0-or-later
-- An in-memory database of the package lists; see rows.pl.
.bail on
CREATE TABLE package(name, version, section, maintainer, size INTEGER, depends, homepage, file, sha256, description);
.mode tabs
.import "|perl rows.pl" package
CREATE INDEX package_name ON package(name, version);
CREATE INDEX package_file ON package(file);
CREATE INDEX package_maintainer ON package(maintainer, size);
CREATE TABLE section AS SELECT section, count(*) AS packages, sum(size) AS size FROM package GROUP BY section;
.once ready/sqlite3
SELECT count(*) || ' rows' FROM package;
