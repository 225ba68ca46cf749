// The promise is about the methods of a store.
use http_session::store::ConditionalCommit;

struct Remote;

impl ConditionalCommit for Remote {}

fn main() {}
