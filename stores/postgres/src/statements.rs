//! The statements whose text is always the same for a table. Each store call is one statement, and so one transaction and one
//! round trip.
//!
//! A statement that reports what it found first locks the row, in the part named `l`, and decides by what `l` holds. Its
//! snapshot may be older: another transaction may have changed the row while this one waited for the lock. `materialized` keeps
//! `l` a step of its own, whose result all other parts share.

use http_session_store::record::TOMBSTONE_LIFETIME;

/// The columns of a record, which [`row::record`](super::row::record) reads, of the row named `r`. Ages are differences to the
/// server's `now()`, so that no clock of a client matters (R7).
pub(super) const COLUMNS: &str = "now(), r.expires, r.epoch, r.identity_epoch, r.verifier, r.previous, r.identity, r.cookie, \
    r.fields::text, r.keep::text, r.created, r.identity_changed, r.verifier_changed, r.touched";

/// The row is a session: neither expired nor a tombstone.
const LIVE: &str = "expires > now() and verifier is not null";

pub(super) struct Statements {
    /// The table's name, quoted.
    pub(super) table: String,
    pub(super) load: String,
    pub(super) insert: String,
    pub(super) destroy: String,
    pub(super) len: String,
    pub(super) ids: String,
    pub(super) clear: String,
    pub(super) linked: String,
    pub(super) generation: String,
    pub(super) raise_generation: String,
    pub(super) sweep: String,
    pub(super) sweep_generations: String,
}

impl Statements {
    pub(super) fn new(table: String, generations: &str) -> Self {
        // The epoch is raised, so that a request which loaded the session before is superseded (R6).
        let tombstone = format!(
            "epoch = s.epoch + 1, identity_epoch = 0, verifier = null, previous = null, identity = null, cookie = null, \
             fields = '{{}}', keep = '{{}}', verifier_changed = now(), expires = now() + interval '{} seconds'",
            TOMBSTONE_LIFETIME.as_secs()
        );
        Self {
            // Finds an expired row too, which the reader drops. With `expires > now()` the server weighs the index on
            // `expires` as well, and planning would take longer than the search.
            load: format!("select {COLUMNS} from {table} r where id = $1"),
            insert: insert(&table),
            // No row: there is no session. A row with null: another epoch.
            destroy: format!(
                "with l as materialized (select epoch from {table} where id = $1 and {LIVE} for update), \
                 u as (update {table} s set {tombstone} from l where s.id = $1 and l.epoch = coalesce($2, l.epoch) \
                 returning true as done) \
                 select u.done from l left join u on true"
            ),
            len: format!("select count(*) from {table} where {LIVE}"),
            // By the primary key after the last id instead of `offset`, so that a page costs the same wherever it is.
            ids: format!("select id from {table} where {LIVE} and id > $1 order by id limit $2"),
            // Locks the rows in the order of ids: two calls at the same time wait for each other, and do not deadlock.
            clear: format!(
                "with l as materialized (select id from {table} where {LIVE} and id > $1 order by id limit $2 for update), \
                 u as (update {table} s set {tombstone} where s.id = any(array(select id from l))) \
                 select max(id) from l"
            ),
            // `left` finds the rows by the index, which has the first 128 letters alone; the rest is compared in the rows.
            linked: format!(
                "select id from {table} where left(identity, 128) = left($1, 128) and identity = $1 and {LIVE} \
                 and id > $2 order by id limit $3"
            ),
            generation: format!("select generation from {generations} where identity_hash = $1 and expires > now()"),
            raise_generation: format!(
                "insert into {generations} (identity_hash, generation, expires) values ($1, $2, now() + $3) \
                 on conflict (identity_hash) do update set generation = excluded.generation, expires = excluded.expires"
            ),
            // `any(array(select ..))` uses the primary key; `in (select ..)` may become a scan of the whole table. With
            // `skip locked` a sweep waits for no request, and two sweeps share the work.
            sweep: format!(
                "with d as (delete from {table} where id = any(array(select id from {table} where expires <= now() \
                 order by expires limit $1 for update skip locked)) returning 1) \
                 select count(*) from d"
            ),
            sweep_generations: format!("delete from {generations} where expires <= now()"),
            table,
        }
    }
}

/// Never overwrites a row, except one that has expired and is not swept yet (R8). `on conflict` makes that one step: without it
/// two inserts at the same time could both find the id free.
fn insert(table: &str) -> String {
    let given = ["epoch", "identity_epoch", "verifier", "previous", "identity", "cookie", "fields", "keep"];
    let now = ["created", "identity_changed", "verifier_changed", "touched"];
    let columns = [given.as_slice(), &now, &["expires"]].concat();
    let excluded: Vec<String> = columns.iter().map(|column| format!("excluded.{column}")).collect();
    let columns = columns.join(", ");
    format!(
        "insert into {table} as s (id, {columns}) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now(), now(), now(), now() + $10) \
         on conflict (id) do update set ({columns}) = row({}) where s.expires <= now()",
        excluded.join(", ")
    )
}
