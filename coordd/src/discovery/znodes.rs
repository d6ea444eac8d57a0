//! A znode as it is: data and Stat, or the names of its children.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use coordd_api::discovery::{ChildList, Encoding, ZnodeStat, ZnodeView};
use coordd_proto::{SessionId, Stat};

use super::{Failure, Look, Newest, ZNODES_MAX};

pub(super) fn stat_view(stat: Stat) -> ZnodeStat {
    let owner = Some(stat.ephemeral_owner).filter(|owner| *owner != SessionId::NONE);
    ZnodeStat {
        czxid: stat.czxid.0,
        mzxid: stat.mzxid.0,
        pzxid: stat.pzxid.0,
        ctime: stat.ctime,
        mtime: stat.mtime,
        version: stat.version,
        cversion: stat.cversion,
        aversion: stat.aversion,
        ephemeral_owner: owner.map(|owner| format!("{:#x}", owner.0)),
        data_length: stat.data_length,
        num_children: stat.num_children,
    }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn znode(look: Look<'_>, path: &str) -> Result<ZnodeView, Failure> {
    let znode = look.find(path)?;
    let mut newest = Newest::none();
    newest.data(znode);
    newest.children(znode);
    look.room().take(znode.data().map_or(0, <[u8]>::len), path)?;
    let (encoding, data) = match znode.data().map(|data| (data, std::str::from_utf8(data))) {
        None => (Encoding::Text, None),
        Some((_, Ok(text))) => (Encoding::Text, Some(text.to_owned())),
        Some((bytes, Err(_))) => (Encoding::Base64, Some(base64(bytes))),
    };
    Ok(ZnodeView { path: path.to_owned(), zxid: newest.zxid(), encoding, data, stat: stat_view(znode.stat()) })
}

pub(crate) fn children(look: Look<'_>, path: &str) -> Result<ChildList, Failure> {
    let znode = look.find(path)?;
    if znode.child_count() > ZNODES_MAX {
        return Err(Failure::TooMany { path: path.to_owned() });
    }
    let mut newest = Newest::none();
    newest.data(znode);
    newest.children(znode);
    let (mut room, mut children) = (look.room(), Vec::with_capacity(znode.child_count()));
    for child in znode.children() {
        room.take(child.name().len(), path)?;
        children.push(child.name().to_owned());
    }
    children.sort_unstable();
    Ok(ChildList { path: path.to_owned(), zxid: newest.zxid(), children, stat: stat_view(znode.stat()) })
}
