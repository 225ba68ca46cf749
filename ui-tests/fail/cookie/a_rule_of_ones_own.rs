// What a prefix allows is for browsers to say.
use http_session::config::cookie::DomainIsFree;

struct MyPrefix;

impl DomainIsFree for MyPrefix {}

fn main() {}
