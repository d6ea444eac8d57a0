//! When bytes arrived, by the kernel's own time stamp.
//!
//! Rule: who measures a server reads later and takes the stamps. Reason: on a machine that is shared, the time of a
//! reader that is woken for each packet is the servers' time, and would be measured as theirs.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::net::TcpStream;
use nix::sys::socket::{self, ControlMessageOwned, MsgFlags, sockopt};
use nix::sys::time::TimeSpec;

/// Every read of the socket by [`read`] tells from now on when its last byte arrived.
pub(crate) fn ask(stream: &TcpStream) -> io::Result<()> {
    Ok(socket::setsockopt(stream, sockopt::ReceiveTimestampns, &true)?)
}

/// Reads as [`io::Read::read`] does; `arrived` becomes the time since the epoch of Unix at which the last of these
/// bytes came, where the kernel says so.
pub(crate) fn read(stream: &TcpStream, into: &mut [u8], arrived: &mut Option<Duration>) -> io::Result<usize> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(into)];
    let message = socket::recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmTimestampns(time) = part {
            *arrived = Some(Duration::from(time));
        }
    }
    Ok(message.bytes)
}
