//! How a multi takes back what its earlier operations did when a later one fails.
//!
//! Rule: undone in reverse order, so that each entry meets exactly the state that it left. A znode that a multi deletes
//! keeps its slot until the multi is through: its slot remembers its neighbours, and `relink` puts it back among them.

use coordd_proto::Zxid;

use crate::state::State;
use crate::znode::NodeId;

#[derive(Debug)]
pub(crate) enum Undo {
    Created { id: NodeId, parent_creates: i32, parent_pzxid: Zxid },
    Deleted { id: NodeId, parent_pzxid: Zxid },
    DataSet { id: NodeId, data: Option<Box<[u8]>>, version: i32, mzxid: Zxid, mtime: i64 },
}

impl State {
    /// From now on everything can be taken back, until `keep_changes` or `take_back`.
    pub(crate) fn record_undo(&mut self) {
        self.undo = Some(Vec::new());
    }

    pub(crate) fn keep_changes(&mut self) {
        for entry in self.undo.take().into_iter().flatten() {
            if let Undo::Deleted { id, .. } = entry {
                self.znodes.free(id);
            }
        }
    }

    pub(crate) fn take_back(&mut self) {
        for entry in self.undo.take().into_iter().flatten().rev() {
            self.take_back_one(entry);
        }
    }

    fn take_back_one(&mut self, entry: Undo) {
        match entry {
            Undo::Created { id, parent_creates, parent_pzxid } => {
                let parent = self.znodes.get(id).parent;
                let path = self.znodes.path(id);
                self.remove(id, &path);
                self.znodes.free(id);
                self.znodes.update(parent, |parent| {
                    (parent.creates, parent.pzxid) = (parent_creates, parent_pzxid);
                });
            }
            Undo::Deleted { id, parent_pzxid } => {
                let parent = self.znodes.get(id).parent;
                let path = self.znodes.path(id);
                self.put_back(id, &path);
                self.znodes.update(parent, |parent| parent.pzxid = parent_pzxid);
            }
            Undo::DataSet { id, data, version, mzxid, mtime } => {
                self.write_data(id, data.as_deref(), |node| {
                    (node.version, node.mzxid, node.mtime) = (version, mzxid, mtime);
                });
            }
        }
    }
}
