//! `Stat`, the 68 bytes that describe a znode to a client (zookeeper.jute `org.apache.zookeeper.data.Stat`).

use crate::ids::{SessionId, Zxid};
use crate::jute::{DecodeError, Reader, Writer};

/// What a client sees of a znode beside its data. Times are milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    pub czxid: Zxid,
    pub mzxid: Zxid,
    pub ctime: i64,
    pub mtime: i64,
    pub version: i32,
    pub cversion: i32,
    pub aversion: i32,
    /// The owning session of an ephemeral; 0 for every other znode, containers and TTL ones included.
    pub ephemeral_owner: SessionId,
    pub data_length: i32,
    pub num_children: i32,
    pub pzxid: Zxid,
}

impl Stat {
    pub const WIRE_LEN: usize = 68;

    pub fn encode(&self, out: &mut Writer<'_>) {
        out.i64(self.czxid.0);
        out.i64(self.mzxid.0);
        out.i64(self.ctime);
        out.i64(self.mtime);
        out.i32(self.version);
        out.i32(self.cversion);
        out.i32(self.aversion);
        out.i64(self.ephemeral_owner.0);
        out.i32(self.data_length);
        out.i32(self.num_children);
        out.i64(self.pzxid.0);
    }

    pub fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Stat {
            czxid: Zxid(from.i64()?),
            mzxid: Zxid(from.i64()?),
            ctime: from.i64()?,
            mtime: from.i64()?,
            version: from.i32()?,
            cversion: from.i32()?,
            aversion: from.i32()?,
            ephemeral_owner: SessionId(from.i64()?),
            data_length: from.i32()?,
            num_children: from.i32()?,
            pzxid: Zxid(from.i64()?),
        })
    }
}
