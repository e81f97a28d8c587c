-- What an administrator does once on a new PostgreSQL server, with psql: the three roles that `makegood migrate` would make
-- where it may, a login for each, and the database. The passwords come from the environment.
--
--   makegood_migrate   runs the migrations, as owner of the tables
--   makegood_serve     the service: adds rows, changes what lives, deletes nothing
--   makegood_audit     `makegood audit`: reads
\set ON_ERROR_STOP on
\getenv migrate MAKEGOOD_MIGRATE_PASSWORD
\getenv serve MAKEGOOD_SERVE_PASSWORD
\getenv audit MAKEGOOD_AUDIT_PASSWORD

CREATE ROLE makegood_owner NOLOGIN;
CREATE ROLE makegood_app NOLOGIN;
CREATE ROLE makegood_auditor NOLOGIN;

CREATE ROLE makegood_migrate LOGIN PASSWORD :'migrate' IN ROLE makegood_owner;
CREATE ROLE makegood_serve LOGIN PASSWORD :'serve' IN ROLE makegood_app;
CREATE ROLE makegood_audit LOGIN PASSWORD :'audit' IN ROLE makegood_auditor;

CREATE DATABASE makegood OWNER makegood_owner;
