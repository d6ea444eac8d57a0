//! What one connection did so far, as `cons` and `stat` show it. Plain numbers: they live under the connection's lock.

use coordd_proto::{OpCode, Xid, Zxid};

/// Counters of one connection; `crst` sets them back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub received: u64,
    pub sent: u64,
    pub last_op: Option<OpCode>,
    pub last_xid: Xid,
    pub last_zxid: Zxid,
    /// When the last response left, on the monotonic clock, as in ZooKeeper (`Time.currentElapsedTime`).
    pub last_response_ms: u64,
    pub last_latency_ms: u64,
    pub latency: MinAvgMax,
}

/// A running minimum, average and maximum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MinAvgMax {
    pub count: u64,
    pub sum: u64,
    min: u64,
    pub max: u64,
}

impl MinAvgMax {
    pub(crate) fn add(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum += value;
    }

    pub(crate) fn min(&self) -> u64 {
        self.min
    }

    pub(crate) fn avg(&self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }
}

impl Tally {
    /// A request is answered at `now_ms` of the monotonic clock.
    pub(crate) fn answered(&mut self, op: OpCode, xid: Xid, zxid: Zxid, now_ms: u64, latency_ms: u64) {
        self.sent += 1;
        self.last_op = Some(op);
        // Pings and the like have special xids; the client's last real request stays to be seen.
        if xid.0 >= 0 {
            self.last_xid = xid;
        }
        self.last_zxid = zxid;
        self.last_latency_ms = latency_ms;
        self.last_response_ms = now_ms;
        self.latency.add(latency_ms);
    }
}

/// The short name of an operation in `cons` (ServerCnxn, FinalRequestProcessor).
pub(crate) fn last_op_name(op: Option<OpCode>) -> &'static str {
    use OpCode::*;
    match op {
        None => "NA",
        Some(op) => match op {
            CreateSession => "SESS",
            Ping => "PING",
            Create | Create2 | CreateContainer | CreateTtl => "CREA",
            Delete | DeleteContainer => "DELE",
            SetData => "SETD",
            GetData => "GETD",
            Exists => "EXIS",
            GetChildren | GetChildren2 => "GETC",
            GetAcl => "GETA",
            SetAcl => "SETA",
            Sync => "SYNC",
            Multi => "MULT",
            MultiRead => "MLTR",
            SetWatches => "SETW",
            SetWatches2 => "STW2",
            AddWatch => "ADDW",
            CheckWatches => "CHKW",
            RemoveWatches => "REMW",
            Reconfig => "RECO",
            GetEphemerals => "GETE",
            GetAllChildrenNumber => "GETACN",
            WhoAmI => "HOMI",
            CloseSession => "CLOS",
            Check => "CHEC",
            Auth | Sasl | Error => "NA",
        },
    }
}
