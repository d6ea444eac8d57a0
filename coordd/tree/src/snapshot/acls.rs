//! The table of ACLs as bytes: numbers and their order of reuse come back as they were.

use bytes::BytesMut;
use coordd_proto::{Acl, AuthId, Perms};

use super::{SnapshotError, varint};
use crate::acl::AclView;
use crate::acl::table::AclTable;

impl AclTable {
    pub(super) fn encode(&self, out: &mut BytesMut) {
        let entries = self.entries_after_open();
        varint::put(out, entries.len() as u64);
        for (view, holders) in entries {
            varint::put(out, u64::from(holders));
            let list = view.entries().unwrap_or_default();
            varint::put(out, list.len() as u64);
            for acl in list {
                varint::put_signed(out, i64::from(acl.perms.0));
                varint::put_bytes(out, acl.id.scheme.as_bytes());
                varint::put_bytes(out, acl.id.id.as_bytes());
            }
        }
        varint::put(out, self.free_numbers().len() as u64);
        self.free_numbers().iter().for_each(|&id| varint::put(out, u64::from(id)));
    }

    pub(super) fn decode(from: &mut &[u8]) -> Result<AclTable, SnapshotError> {
        let mut table = AclTable::new();
        for _ in 0..varint::get(from)? {
            let holders = varint::get_u32(from)?;
            let mut list = Vec::new();
            for _ in 0..varint::get(from)? {
                let perms = i32::try_from(varint::get_signed(from)?).map_err(|_| SnapshotError::BadRow)?;
                let id = AuthId::new(varint::get_string(from)?, varint::get_string(from)?);
                list.push(Acl { perms: Perms(perms), id });
            }
            table.restore(AclView::new(list), holders);
        }
        for _ in 0..varint::get(from)? {
            let id = varint::get_u32(from)?;
            table.restore_free(id);
        }
        Ok(table)
    }
}
