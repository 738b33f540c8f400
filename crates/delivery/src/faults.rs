//! Faults that the simulation must find. What is shipped has none: there `planted` is constantly false.

/// A mistake that one could make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The saved place is the one that was read, not the one that is settled.
    SavesWhatIsNotSettled,
    /// After a restart nobody looks up what was attempted before.
    ForgetsWhatWasAttempted,
    /// An ordered endpoint's events do not wait for the one before of their key.
    IgnoresTheOrder,
    /// What was called back is gone.
    LosesWhatWasCalledBack,
    /// The memory limit is not looked at.
    ReadsWithoutLimit,
    /// Keys and batches are told before what became of them is written.
    TellsBeforeItIsWritten,
}

#[cfg(feature = "faults")]
impl Fault {
    pub const ALL: [Fault; 6] = [
        Fault::SavesWhatIsNotSettled,
        Fault::ForgetsWhatWasAttempted,
        Fault::IgnoresTheOrder,
        Fault::LosesWhatWasCalledBack,
        Fault::ReadsWithoutLimit,
        Fault::TellsBeforeItIsWritten,
    ];
}

#[cfg(feature = "faults")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// From now on this thread's cores make this mistake.
#[cfg(feature = "faults")]
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}

#[cfg(feature = "faults")]
pub(crate) fn planted(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

#[cfg(not(feature = "faults"))]
pub(crate) const fn planted(_: Fault) -> bool {
    false
}
