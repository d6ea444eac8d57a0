//! A tree as a person changes it: `coordd cli` in the pod of a member.

use anyhow::Result;

use crate::ensemble::Ensemble;

#[derive(Debug, Clone)]
pub struct Tree<'a> {
    ensemble: Ensemble<'a>,
    member: String,
}

impl<'a> Tree<'a> {
    pub fn of(ensemble: &Ensemble<'a>) -> Result<Self> {
        Ok(Tree { ensemble: *ensemble, member: ensemble.leader()? })
    }

    fn cli(&self, words: &[&str]) -> Result<()> {
        self.ensemble.coordd(&self.member, &[&["cli"], words].concat()).map(drop)
    }

    /// Each of these znodes, in this order.
    pub fn make(&self, znodes: &[(&str, &str)]) -> Result<()> {
        znodes.iter().try_for_each(|(path, data)| self.cli(&["create", path, data]))
    }

    pub fn set(&self, path: &str, data: &str) -> Result<()> {
        self.cli(&["set", path, data])
    }

    pub fn delete(&self, path: &str) -> Result<()> {
        self.cli(&["delete", path])
    }

    /// The znode and all below it.
    pub fn delete_all(&self, path: &str) -> Result<()> {
        self.cli(&["deleteall", path])
    }
}
