//! What the disk is known to hold. Recovery builds it by applying every record it reads; the writer keeps it up by
//! applying every record that it flushed: one function, so that the two cannot differ.

use bytes::Bytes;

use crate::format::{Checkpoint, EntryId, Record};
use crate::positions::Positions;
use crate::view::View;

#[derive(Default)]
pub(crate) struct Durable {
    pub(crate) view: View,
    pub(crate) positions: Positions,
    pub(crate) vote: Option<Bytes>,
    pub(crate) committed: Option<Bytes>,
}

impl Durable {
    /// Applies a record that lies at `offset` of the newest segment. `base`: it is the first record that is known.
    pub(crate) fn apply(&mut self, record: Record<'_>, offset: u64, base: bool) -> Result<(), &'static str> {
        match record {
            Record::Entry { id, .. } => {
                if self.view.next().is_some_and(|next| next != id.index) {
                    return Err("an entry that does not follow the one before it");
                }
                self.view.append(id);
                self.positions.add(id.index, offset);
            }
            Record::Vote(bytes) => self.vote = Some(Bytes::copy_from_slice(bytes)),
            Record::Committed(bytes) => self.committed = Some(Bytes::copy_from_slice(bytes)),
            Record::TruncateAfter(to) => {
                self.view.truncate_after(to);
                self.positions.truncate(to.map_or(0, |to| to.index + 1));
            }
            Record::PurgeUpto(upto) => self.purge(upto),
            Record::Checkpoint(checkpoint) if base => {
                let Checkpoint { last, purged, vote, committed } = checkpoint;
                self.view = View::at_checkpoint(last, purged);
                (self.vote, self.committed) = (vote, committed);
            }
            Record::Checkpoint(checkpoint) if checkpoint != self.checkpoint() => {
                return Err("a checkpoint that contradicts the segments before it");
            }
            Record::Checkpoint(_) => {}
        }
        Ok(())
    }

    fn purge(&mut self, upto: EntryId) {
        self.view.purge_upto(upto);
        self.positions.purge(upto.index);
    }

    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let View { last, purged, .. } = self.view;
        Checkpoint { last, purged, vote: self.vote.clone(), committed: self.committed.clone() }
    }
}
