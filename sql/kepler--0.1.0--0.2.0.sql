-- From version 0.1.0 of the extension to 0.2.0. Written by make upgrade-script from what differs: not to be edited.
-- What it replaces are members of the extension: Postgres refuses to replace anything else in a script like this.
\echo Use "ALTER EXTENSION kepler UPDATE TO '0.2.0'" to load this file. \quit

