//! The wire between the members: a proxy in front of each peer port that can hold back what one member says to another.
//!
//! ```text
//!   member x ──► proxy of y (the address that all members are told) ──► peer port of y
//!                  bytes x → y stop while x → y is blocked, bytes y → x while y → x is
//! ```
//!
//! Rule: a blocked direction holds bytes back and closes nothing; when it opens, they go on. Reason: that is what a
//! network does to TCP, and silence is harder on a server than a closed connection. Who has dialled is looked up in
//! `/proc`, since all members must be told one and the same list of addresses.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::servers::Plan;

/// Who may speak to whom, and who runs as which process.
#[derive(Debug)]
pub struct Links {
    blocked: Vec<Vec<AtomicBool>>,
    pids: Vec<AtomicU32>,
    /// How often each member's connections were broken.
    breaks: Vec<AtomicU32>,
    over: AtomicBool,
}

impl Links {
    /// Starts a proxy for each member of a plan whose members are told of proxies.
    pub fn start(plan: &Plan) -> Result<Arc<Self>> {
        let row = || (0..plan.members).map(|_| AtomicBool::new(false)).collect();
        let links = Arc::new(Links {
            blocked: (0..plan.members).map(|_| row()).collect(),
            pids: (0..plan.members).map(|_| AtomicU32::new(0)).collect(),
            breaks: (0..plan.members).map(|_| AtomicU32::new(0)).collect(),
            over: AtomicBool::new(false),
        });
        if plan.proxied {
            for to in 0..plan.members {
                let port = plan.advertised_peer_port(to);
                let listener = TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("proxy port {port}"))?;
                listener.set_nonblocking(true)?;
                let target = SocketAddr::from(([127, 0, 0, 1], plan.peer_port(to)));
                let links = links.clone();
                thread::spawn(move || links.accept(&listener, to, target));
            }
        }
        Ok(links)
    }

    pub fn set_pid(&self, member: usize, pid: Option<u32>) {
        self.pids[member].store(pid.unwrap_or(0), Ordering::Relaxed);
    }

    pub fn block(&self, from: usize, to: usize) {
        self.blocked[from][to].store(true, Ordering::Relaxed);
    }

    pub fn open_all(&self) {
        self.blocked.iter().flatten().for_each(|link| link.store(false, Ordering::Relaxed));
    }

    /// Ends every connection that a member has now.
    pub fn break_all_of(&self, member: usize) {
        self.breaks[member].fetch_add(1, Ordering::Relaxed);
    }

    fn breaks(&self, from: usize, to: usize) -> u32 {
        self.breaks[from].load(Ordering::Relaxed).wrapping_add(self.breaks[to].load(Ordering::Relaxed))
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn blocked(&self, from: usize, to: usize) -> bool {
        self.blocked[from][to].load(Ordering::Relaxed)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener, to: usize, target: SocketAddr) {
        while !self.over() {
            match listener.accept() {
                Ok((stream, dialler)) => {
                    let links = self.clone();
                    thread::spawn(move || links.join(stream, dialler, to, target));
                }
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Connects both ends and carries bytes until one of them closes.
    fn join(self: &Arc<Self>, near: TcpStream, dialler: SocketAddr, to: usize, target: SocketAddr) {
        // A process that has ended meanwhile is nobody; its bytes pass, there are none.
        let from = self.member_at(dialler.port()).unwrap_or(to);
        // Either direction carries a part of TCP's handshake.
        while (self.blocked(from, to) || self.blocked(to, from)) && !self.over() {
            thread::sleep(Duration::from_millis(2));
        }
        let Ok(far) = TcpStream::connect(target) else { return };
        let (Ok(near_back), Ok(far_back)) = (near.try_clone(), far.try_clone()) else { return };
        let links = self.clone();
        thread::spawn(move || links.carry(far_back, near_back, to, from));
        self.carry(near, far, from, to);
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, source: usize, target: usize) {
        let _ = (from.set_nonblocking(false), from.set_read_timeout(Some(Duration::from_millis(50))));
        let _ = to.set_nodelay(true);
        let mut buffer = vec![0; 64 << 10];
        let breaks = self.breaks(source, target);
        while !self.over() && self.breaks(source, target) == breaks {
            if self.blocked(source, target) {
                thread::sleep(Duration::from_millis(2));
                continue;
            }
            let n = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            while self.blocked(source, target) && !self.over() {
                thread::sleep(Duration::from_millis(2));
            }
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    /// The member whose process owns the local end of this port.
    fn member_at(&self, port: u16) -> Option<usize> {
        let inode = inode_of(&fs::read_to_string("/proc/net/tcp").ok()?, port)?;
        let wanted = format!("socket:[{inode}]");
        self.pids.iter().position(|pid| {
            let Ok(open) = fs::read_dir(format!("/proc/{}/fd", pid.load(Ordering::Relaxed))) else { return false };
            open.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str()))
        })
    }
}

/// The inode of the socket bound to `port`, in the form of `/proc/net/tcp`.
fn inode_of(table: &str, port: u16) -> Option<u64> {
    let local = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let matches = fields.nth(1)?.ends_with(&local);
        let inode = fields.nth(7)?.parse().ok()?;
        matches.then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_of_a_port_is_found_by_its_local_end() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:56CE 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 777 1 0 20 4 0 10 -1\n\
             1: 0100007F:1F90 0100007F:56CE 01 00000000:00000000 00:00000000 00000000     0        0 888 1 0 20 4 0 10 -1\n";
        assert_eq!(inode_of(table, 0x56ce), Some(777));
        assert_eq!(inode_of(table, 0x1f90), Some(888));
        assert_eq!(inode_of(table, 1), None);
    }
}
