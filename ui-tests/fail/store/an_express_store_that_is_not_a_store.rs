// `ExpressFormat` is a promise about the methods of a store.
use http_session::store::ExpressFormat;

struct Remote;

impl ExpressFormat for Remote {}

fn main() {}
