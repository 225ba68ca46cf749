//! The text of the statements. Each call is one, which is a transaction of its own.
//!
//! Where a statement says what it found, it locks the row first, in `l`, and goes by what is there: its snapshot may be older
//! than the row, which another one changes at the same moment.

use http_session_store::record::TOMBSTONE_LIFETIME;

/// What [`value::row`](super::value::row) reads, of the row that is named `r`.
pub(super) const COLUMNS: &str = "now(), r.expires, r.epoch, r.identity_epoch, r.verifier, r.previous, r.identity, r.cookie, \
    r.fields, r.keep, r.created, r.identity_changed, r.verifier_changed, r.touched";

/// Whether a row is a session, neither expired nor destroyed.
const LIVE: &str = "expires > now() and verifier is not null";

/// The statements of a table whose text is always the same.
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
        let tombstone = format!(
            "epoch = s.epoch + 1, identity_epoch = 0, verifier = null, previous = null, identity = null, cookie = null, \
             fields = '{{}}', keep = '{{}}', verifier_changed = now(), expires = now() + interval '{} seconds'",
            TOMBSTONE_LIFETIME.as_secs()
        );
        Self {
            // Of a row that has expired too: a condition more, and the server plans for longer than it then searches.
            load: format!("select {COLUMNS} from {table} r where id = $1"),
            insert: insert(&table),
            destroy: format!(
                "with l as materialized (select epoch from {table} where id = $1 and {LIVE} for update), \
                 u as (update {table} s set {tombstone} from l where s.id = $1 and l.epoch = coalesce($2, l.epoch) \
                 returning true as done) \
                 select u.done from l left join u on true"
            ),
            len: format!("select count(*) from {table} where {LIVE}"),
            ids: format!("select id from {table} where {LIVE} and id > $1 order by id limit $2"),
            clear: format!(
                "with l as materialized (select id from {table} where {LIVE} and id > $1 order by id limit $2 for update), \
                 u as (update {table} s set {tombstone} where s.id = any(array(select id from l))) \
                 select max(id) from l"
            ),
            linked: format!(
                "select id from {table} where left(identity, 128) = left($1, 128) and identity = $1 and {LIVE} \
                 and id > $2 order by id limit $3"
            ),
            generation: format!("select generation from {generations} where identity_hash = $1 and expires > now()"),
            raise_generation: format!(
                "insert into {generations} (identity_hash, generation, expires) values ($1, $2, now() + $3) \
                 on conflict (identity_hash) do update set generation = excluded.generation, expires = excluded.expires"
            ),
            // `id in (select ..)` becomes a scan of the whole table.
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

/// A row that has expired is not there (R8).
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
