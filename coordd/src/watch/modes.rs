//! In which ways one connection watches one path; several ways coexist, and each trigger still yields one event.

/// A set of watch modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Modes(u8);

impl Modes {
    pub const NONE: Modes = Modes(0);
    /// Left by a read; gone once it fired.
    pub const STANDARD: Modes = Modes(1);
    /// Stays; told of its path and of its path's children list.
    pub const PERSISTENT: Modes = Modes(2);
    /// Stays; told of its path and of everything below it, never of children lists.
    pub const RECURSIVE: Modes = Modes(4);
    /// Goes with `STANDARD`: the znode did not exist when the watch was left (`exists` on a missing path).
    pub const ABSENT: Modes = Modes(8);

    pub fn with(self, other: Modes) -> Modes {
        Modes(self.0 | other.0)
    }

    pub fn without(self, other: Modes) -> Modes {
        Modes(self.0 & !other.0)
    }

    pub fn has_any(self, other: Modes) -> bool {
        self.0 & other.0 != 0
    }

    /// What is left once a trigger used up the one-shot part.
    pub fn after_fire(self) -> Modes {
        self.without(Modes::STANDARD.with(Modes::ABSENT))
    }
}
