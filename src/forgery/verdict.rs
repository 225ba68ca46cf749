//! Whether a request that changes something may pass (R24): a table, as a pure and total function.
//!
//! As `decide`, it has no wildcard arm over what it decides by: a new value does not compile before it has an answer.

/// `Sec-Fetch-Site` (Fetch Metadata): how the page that sent the request stands to this site. Scripts cannot set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    SameOrigin,
    SameSite,
    CrossSite,
    /// The user's own doing, without a page: an address typed, a bookmark, a window that was restored.
    UserInitiated,
    /// A value that is not in the specification, or several.
    Other,
    /// Not sent: an old browser, http but for localhost, or no browser at all.
    Absent,
}

/// `Origin` (RFC 6454, section 7): the origin of the page that sent the request. Scripts cannot set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// This site's own.
    Own,
    /// Another one that is trusted by configuration.
    Trusted,
    /// Any other one, or several.
    Foreign,
    /// `null`: a sandboxed frame, a local file, a redirect across origins, or a page that hides its origin.
    Null,
    /// Not sent: a browser from before 2020, or no browser at all.
    Absent,
}

/// What the request has of a session, and of a token for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Proof {
    /// No stored session was presented; a token proves nothing.
    NoSession,
    /// The store failed: nobody can tell (R18).
    StoreFailed,
    /// A session, and no token.
    NoToken,
    /// A session, and what is no token of it.
    WrongToken,
    /// A session, and a token of it.
    Token,
}

/// What becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    Pass,
    /// 403.
    Refuse(Reason),
    /// 503: a token would decide, and nobody can tell whether it is one.
    Unavailable,
}

/// Why, for the event alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    CrossSite,
    ForeignOrigin,
    NullOrigin,
    NoSession,
    NoToken,
    WrongToken,
}

impl Reason {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CrossSite => "cross-site",
            Self::ForeignOrigin => "foreign origin",
            Self::NullOrigin => "null origin",
            Self::NoSession => "no session",
            Self::NoToken => "no token",
            Self::WrongToken => "wrong token",
        }
    }
}

/// What the browser says of the sending page decides, if it says anything; else, `None`, the token does.
pub(crate) const fn by_origin(relation: Relation, source: Source) -> Option<Verdict> {
    match (relation, source) {
        // The browser has compared what it knows: a proxy that replaces the `Host` does not matter, nor does a page that
        // hides its origin.
        (Relation::SameOrigin, Source::Own | Source::Trusted | Source::Foreign | Source::Null | Source::Absent) => {
            Some(Verdict::Pass)
        }
        (
            Relation::SameSite | Relation::CrossSite | Relation::UserInitiated | Relation::Other | Relation::Absent,
            Source::Trusted,
        ) => Some(Verdict::Pass),
        // Another subdomain is another site, however near; and so is this host over http.
        (
            Relation::SameSite | Relation::CrossSite | Relation::Other,
            Source::Own | Source::Foreign | Source::Null | Source::Absent,
        ) => Some(Verdict::Refuse(Reason::CrossSite)),
        (Relation::UserInitiated | Relation::Absent, Source::Own) => Some(Verdict::Pass),
        (Relation::UserInitiated | Relation::Absent, Source::Foreign) => Some(Verdict::Refuse(Reason::ForeignOrigin)),
        (Relation::UserInitiated | Relation::Absent, Source::Null) => Some(Verdict::Refuse(Reason::NullOrigin)),
        (Relation::UserInitiated | Relation::Absent, Source::Absent) => None,
    }
}

/// The token decides.
pub(crate) const fn by_token(proof: Proof) -> Verdict {
    match proof {
        Proof::Token => Verdict::Pass,
        Proof::NoSession => Verdict::Refuse(Reason::NoSession),
        Proof::NoToken => Verdict::Refuse(Reason::NoToken),
        Proof::WrongToken => Verdict::Refuse(Reason::WrongToken),
        Proof::StoreFailed => Verdict::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELATIONS: [Relation; 6] = [
        Relation::SameOrigin,
        Relation::SameSite,
        Relation::CrossSite,
        Relation::UserInitiated,
        Relation::Other,
        Relation::Absent,
    ];
    const SOURCES: [Source; 5] = [Source::Own, Source::Trusted, Source::Foreign, Source::Null, Source::Absent];
    const PROOFS: [Proof; 5] = [Proof::NoSession, Proof::StoreFailed, Proof::NoToken, Proof::WrongToken, Proof::Token];

    fn verdict(relation: Relation, source: Source, proof: Proof) -> Verdict {
        by_origin(relation, source).unwrap_or_else(|| by_token(proof))
    }

    /// Each record of the manual's table: `Sec-Fetch-Site`, then `Origin` own, trusted, foreign, null, absent.
    #[test]
    fn r24_the_manuals_table() {
        let table = include_str!("../guide/csrf.md");
        let word = |relation: Relation, source: Source| match by_origin(relation, source) {
            Some(Verdict::Pass) => "pass",
            Some(Verdict::Refuse(_)) => "403",
            Some(Verdict::Unavailable) => "503",
            None => "token",
        };
        let names = ["`same-origin`", "`same-site`", "`cross-site`", "`none`", "anything else", "absent"];
        for (relation, name) in RELATIONS.into_iter().zip(names) {
            let record = format!("| {name} | {} |", SOURCES.map(|source| word(relation, source)).join(" | "));
            assert!(table.contains(&record), "{record}");
        }
    }

    #[test]
    fn r24_every_combination_keeps_the_rules() {
        for relation in RELATIONS {
            for source in SOURCES {
                for proof in PROOFS {
                    let passes = verdict(relation, source, proof) == Verdict::Pass;
                    let by_browser =
                        relation == Relation::SameOrigin || matches!(source, Source::Own | Source::Trusted);
                    let says_foreign = matches!(relation, Relation::SameSite | Relation::CrossSite | Relation::Other)
                        || matches!(source, Source::Foreign | Source::Null);
                    let case = (relation, source, proof);
                    // Without a valid token only what the browser says lets a request pass, without a session too.
                    assert!(!passes || by_browser || proof == Proof::Token, "{case:?}");
                    // A token never outweighs a browser that names another site.
                    let vouched = relation == Relation::SameOrigin || source == Source::Trusted;
                    assert!(!passes || !says_foreign || vouched, "{case:?}");
                    // Our own pages pass without a token, and without a store.
                    assert!(passes || relation != Relation::SameOrigin, "{case:?}");
                    assert!(passes || source != Source::Own || says_foreign, "{case:?}");
                    // A valid token helps where the browser says nothing.
                    assert!(passes || says_foreign || proof != Proof::Token, "{case:?}");
                    // Only there can a store that is down matter.
                    let unavailable = verdict(relation, source, proof) == Verdict::Unavailable;
                    assert_eq!(unavailable, proof == Proof::StoreFailed && by_origin(relation, source).is_none());
                }
            }
        }
    }
}
