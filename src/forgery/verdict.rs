//! Decides whether a request that changes something may pass (R24), as a table in a pure function.
//!
//! As in `decide`, no `match` ends in a bare `_`: a new variant does not compile until the table has a row for it.

/// `Sec-Fetch-Site` (Fetch Metadata): the relation between the page that sent the request and this site. Scripts cannot
/// set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Relation {
    SameOrigin,
    SameSite,
    CrossSite,
    /// The user sent the request without a page: a typed address, a bookmark, a restored window.
    UserInitiated,
    /// A value that is not in the specification, or more than one value.
    Other,
    /// Not sent: an old browser, plain http except localhost, or not a browser.
    Absent,
}

/// `Origin` (RFC 6454, section 7): the origin of the page that sent the request. Scripts cannot set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// This site's own origin.
    Own,
    /// Another origin that the configuration trusts.
    Trusted,
    /// Any other origin, or more than one value.
    Foreign,
    /// `null`: a sandboxed frame, a local file, a redirect across origins, or a page that hides its origin.
    Null,
    /// Not sent: a browser from before 2020, or not a browser.
    Absent,
}

/// Whether the request has a session, and a token for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Proof {
    /// The request presented no stored session, so a token proves nothing.
    NoSession,
    /// The store failed, so a token cannot be checked (R18).
    StoreFailed,
    /// A session without a token.
    NoToken,
    /// A session with an invalid token.
    WrongToken,
    /// A session with its valid token.
    Token,
}

/// What happens to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    Pass,
    /// 403.
    Refuse(Reason),
    /// 503: a token would decide, but it cannot be checked.
    Unavailable,
}

/// The reason for a refusal, for the event only. The response does not say it.
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

/// Decides by what the browser says about the sending page. `None` if it says nothing, so that a token decides.
pub(crate) const fn by_origin(relation: Relation, source: Source) -> Option<Verdict> {
    match (relation, source) {
        // The browser itself compared the origins. So it does not matter whether a proxy replaced the `Host`, or
        // whether the page hides its origin.
        (Relation::SameOrigin, Source::Own | Source::Trusted | Source::Foreign | Source::Null | Source::Absent) => {
            Some(Verdict::Pass)
        }
        (
            Relation::SameSite | Relation::CrossSite | Relation::UserInitiated | Relation::Other | Relation::Absent,
            Source::Trusted,
        ) => Some(Verdict::Pass),
        // `same-site` is refused too: another subdomain may belong to someone else, and so may this host over plain
        // http.
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

/// Decides by the token.
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

    /// Each row of the manual's table: `Sec-Fetch-Site`, then `Origin` own, trusted, foreign, null, absent.
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
            let row = format!("| {name} | {} |", SOURCES.map(|source| word(relation, source)).join(" | "));
            assert!(table.contains(&row), "{row}");
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
                    // Without a valid token, a request passes only by what the browser says, with or without a session.
                    assert!(!passes || by_browser || proof == Proof::Token, "{case:?}");
                    // A token never outweighs a browser that names another site.
                    let vouched = relation == Relation::SameOrigin || source == Source::Trusted;
                    assert!(!passes || !says_foreign || vouched, "{case:?}");
                    // Our own pages pass without a token, even if the store is down.
                    assert!(passes || relation != Relation::SameOrigin, "{case:?}");
                    assert!(passes || source != Source::Own || says_foreign, "{case:?}");
                    // A valid token lets a request pass if the browser says nothing.
                    assert!(passes || says_foreign || proof != Proof::Token, "{case:?}");
                    // A store that is down matters only in that case.
                    let unavailable = verdict(relation, source, proof) == Verdict::Unavailable;
                    assert_eq!(unavailable, proof == Proof::StoreFailed && by_origin(relation, source).is_none());
                }
            }
        }
    }
}
