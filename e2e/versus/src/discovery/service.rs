//! The service that is measured: ten instances, registered by a session as Curator does it.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use coordd_proto::{Acl, Perms};

use crate::client::Client;
use crate::servers::Ensemble;
use crate::wire::op;

pub(super) const PATH: &str = "/v1/services/services/orders";
pub(super) const INSTANCES: usize = 10;
const EPHEMERAL: i32 = 1;

/// A session that registers.
pub(super) struct Registrar(Client);

fn data(id: usize) -> String {
    format!(
        r#"{{"name":"orders","id":"instance-{id:04}","address":"10.1.2.{}","port":8080,"sslPort":null,"payload":null,
        "registrationTimeUTC":1724300000000,"serviceType":"DYNAMIC","uriSpec":null,"enabled":true}}"#,
        id % 250
    )
}

fn name(id: usize) -> String {
    format!("/services/orders/instance-{id:04}")
}

impl Registrar {
    /// Registers the ten at the first member, and waits until answers to them can be followed.
    pub(super) fn start(ensemble: &Ensemble) -> Result<Registrar> {
        let mut registrar = Registrar::another(ensemble)?;
        registrar.make("/services", "", 0)?;
        registrar.make("/services/orders", "", 0)?;
        (0..INSTANCES).try_for_each(|id| registrar.register(id).map(drop))?;
        let end = Instant::now() + Duration::from_secs(30);
        for i in 0..ensemble.members.len() {
            while ensemble.http(i, &format!("{PATH}?after={}&wait=1ms", registrar.0.attach.last_zxid - 1)).is_err() {
                ensure!(Instant::now() < end, "member {i} does not let anybody follow");
                sleep(Duration::from_millis(50));
            }
        }
        Ok(registrar)
    }

    /// One more session at the first member.
    pub(super) fn another(ensemble: &Ensemble) -> Result<Registrar> {
        Ok(Registrar(Client::open(ensemble.clients()[0], 60_000)?))
    }

    /// Ends the session, and with it what it has registered; the zxid, once it is acknowledged.
    pub(super) fn close(mut self) -> Result<i64> {
        let answer = self.0.call(op::CLOSE_SESSION, |_| ())?;
        ensure!(answer.err == 0, "closeSession was answered with {}", answer.err);
        Ok(answer.zxid)
    }

    fn make(&mut self, path: &str, data: &str, flags: i32) -> Result<i64> {
        let answer = self.0.call(op::CREATE, |out| {
            out.string(path);
            out.buffer(Some(data.as_bytes()));
            Acl::encode_list(&[Acl::world(Perms::ALL)], out);
            out.i32(flags);
        })?;
        ensure!(answer.err == 0, "create {path} was answered with {}", answer.err);
        Ok(answer.zxid)
    }

    /// The zxid, once it is acknowledged.
    pub(super) fn register(&mut self, id: usize) -> Result<i64> {
        self.make(&name(id), &data(id), EPHEMERAL)
    }

    pub(super) fn remove(&mut self, id: usize) -> Result<i64> {
        let answer = self.0.call(op::DELETE, |out| {
            out.string(&name(id));
            out.i32(-1);
        })?;
        ensure!(answer.err == 0, "delete was answered with {}", answer.err);
        Ok(answer.zxid)
    }

    /// Writes an instance anew, as it was.
    pub(super) fn set(&mut self, id: usize) -> Result<i64> {
        let answer = self.0.call(op::SET_DATA, |out| {
            out.string(&name(id));
            out.buffer(Some(data(id).as_bytes()));
            out.i32(-1);
        })?;
        ensure!(answer.err == 0, "setData was answered with {}", answer.err);
        Ok(answer.zxid)
    }
}

pub(super) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
