-- The tables of http-session-postgres. The store creates them itself, unless `existing_table` is set. Nothing is changed if they
-- exist.

create table if not exists http_session (
  id text collate "C" primary key,       -- "C": ids are listed in the order of their bytes, whatever the locale
  epoch bigint not null,                 -- counts the changes of the verifier
  identity_epoch bigint not null,        -- the epoch in which the identity last changed
  verifier bytea,                        -- SHA-256 of the secret in the cookie; null: destroyed within the last minute
  previous bytea,                        -- the verifier before, while it is still valid
  identity text collate "C",             -- who is signed in, as JSON
  cookie text,                           -- the session's own cookie attributes, as a JSON object
  fields jsonb not null,                 -- name -> JSON of the value, as a string
  keep jsonb not null,                   -- name -> "sign_in" or "always", if the field survives a change of identity
  created timestamptz not null,
  identity_changed timestamptz not null,
  verifier_changed timestamptz not null,
  touched timestamptz not null,          -- the last activity
  expires timestamptz not null           -- the end of the session; a sweep removes the row later
) with (fillfactor = 80);                -- every update writes a new version of the row; room for it on the same page

-- For sweeps. Because of this index no update is a heap-only update: `expires` moves with each of them.
create index if not exists http_session_expires on http_session (expires);

-- For the sessions of one identity. An identity may be longer than an index entry, so only its first letters are in it.
create index if not exists http_session_identity on http_session (left(identity, 128), id) where identity is not null;

-- One row for each identity whose sessions were destroyed together within the last day.
create table if not exists http_session_generations (
  identity_hash bytea primary key,       -- SHA-256 of the identity
  generation bigint not null,            -- changes each time
  expires timestamptz not null
);
