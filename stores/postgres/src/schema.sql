-- The tables of the session store. Run by the store itself where it may, otherwise once by hand.

create table if not exists http_session (
  id text collate "C" primary key,
  epoch bigint not null,
  identity_epoch bigint not null,
  verifier bytea,                  -- SHA-256; null: destroyed within the last minute
  previous bytea,
  identity text collate "C",
  cookie text,
  fields jsonb not null,           -- name -> text of the value
  keep jsonb not null,             -- name -> "sign_in" or "always"
  created timestamptz not null,
  identity_changed timestamptz not null,
  verifier_changed timestamptz not null,
  touched timestamptz not null,
  expires timestamptz not null
) with (fillfactor = 80);

create index if not exists http_session_expires on http_session (expires);

-- An identity may be longer than an entry of an index.
create index if not exists http_session_identity on http_session (left(identity, 128), id) where identity is not null;

create table if not exists http_session_generations (
  identity_hash bytea primary key, -- SHA-256 of the identity
  generation bigint not null,
  expires timestamptz not null
);
