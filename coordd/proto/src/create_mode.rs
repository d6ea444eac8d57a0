//! The flags of a create, and how a znode's kind is packed into the stored owner (CreateMode.java, EphemeralType.java).

/// How a znode is created; the numbers are those of the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i32)]
pub enum CreateMode {
    Persistent = 0,
    Ephemeral = 1,
    PersistentSequential = 2,
    EphemeralSequential = 3,
    Container = 4,
    PersistentWithTtl = 5,
    PersistentSequentialWithTtl = 6,
}

impl CreateMode {
    /// `None` for flags that ZooKeeper answers with BADARGUMENTS.
    pub fn from_wire(flags: i32) -> Option<CreateMode> {
        Some(match flags {
            0 => CreateMode::Persistent,
            1 => CreateMode::Ephemeral,
            2 => CreateMode::PersistentSequential,
            3 => CreateMode::EphemeralSequential,
            4 => CreateMode::Container,
            5 => CreateMode::PersistentWithTtl,
            6 => CreateMode::PersistentSequentialWithTtl,
            _ => return None,
        })
    }

    pub fn to_wire(self) -> i32 {
        self as i32
    }

    pub fn is_sequential(self) -> bool {
        matches!(
            self,
            CreateMode::PersistentSequential
                | CreateMode::EphemeralSequential
                | CreateMode::PersistentSequentialWithTtl
        )
    }

    pub fn is_ephemeral(self) -> bool {
        matches!(self, CreateMode::Ephemeral | CreateMode::EphemeralSequential)
    }

    pub fn has_ttl(self) -> bool {
        matches!(self, CreateMode::PersistentWithTtl | CreateMode::PersistentSequentialWithTtl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_numbered_as_in_java() {
        let seen: Vec<_> = (-1..=8).filter_map(CreateMode::from_wire).collect();
        assert_eq!(seen.iter().map(|mode| mode.to_wire()).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
        let which = |is: fn(CreateMode) -> bool| seen.iter().copied().filter(|mode| is(*mode)).collect::<Vec<_>>();
        use CreateMode::*;
        assert_eq!(which(CreateMode::is_ephemeral), [Ephemeral, EphemeralSequential]);
        let sequential = [PersistentSequential, EphemeralSequential, PersistentSequentialWithTtl];
        assert_eq!(which(CreateMode::is_sequential), sequential);
        assert_eq!(which(CreateMode::has_ttl), [PersistentWithTtl, PersistentSequentialWithTtl]);
    }
}
