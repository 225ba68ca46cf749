//! The mistakes that a store can make.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    InsertOverwrites,
    InsertOverwritesTombstone,
    UpdateCreates,
    UpdateResurrects,
    NoTombstone,
    TombstoneKeepsValues,
    TombstoneAsLongAsTheRecord,
    UpdateIgnoresEpoch,
    TouchIgnoresEpoch,
    DestroyIgnoresEpoch,
    RotationKeepsPrevious,
    RenewalRaisesEpoch,
    PreviousRenews,
    LostRenewalLosesPatch,
    IdentityEpochStays,
    TouchShortens,
    AbsoluteEndIgnored,
    SetNeverShortens,
    AgesStandStill,
    InsertKeepsGivenAges,
    LoadExtends,
    UnchangedIsActivity,
    SignInKeepsIdentityAge,
    RotationRestartsAbsolute,
    NeverExpires,
    WritesBeforeConflict,
    UnknownFieldsLost,
    OlderNamesStay,
    LastWriteWins,
    MergesAgainstTheirsOnly,
    StaleConflict,
    GateMerges,
    LimitIgnored,
    FullWritesAllTheSame,
    MarksLost,
    CookieAttributesLost,
    ValuesNormalised,
    EmptyIsAbsent,
    HashCutAtZero,
    IdsIgnoreCase,
    NamesDestroyed,
    NamesExpired,
    PagesLeaveOut,
    LostUpdate,
    TornWrite,
    MergesTwice,
    TouchWritesDataBack,
    RacingInsert,
    OnlySeemsInstant,
    Panics,
    LinksLost,
    LinkShortens,
    UnlinksAtOnce,
    GenerationLost,
    LinkAnswersNoGeneration,
    IdentitiesNormalised,
}

impl Flaw {
    /// In which stores it is tried: those that merge by themselves, those that answer with a conflict.
    pub const fn modes(self) -> &'static [bool] {
        match self {
            Self::StaleConflict => &[false],
            Self::WritesBeforeConflict | Self::LastWriteWins | Self::LostUpdate => &[true, false],
            _ => &[true],
        }
    }
}
