// Browsers decide what a prefix allows, so programs cannot add a prefix.
use http_session::config::cookie::DomainIsFree;

struct MyPrefix;

impl DomainIsFree for MyPrefix {}

fn main() {}
