//! What a request costs on its way through this folder, counted (design D16).

use std::sync::atomic::Ordering;

use bytes::BytesMut;
use coordd_proto::OpCode;
use tokio::time::Instant;

use super::support::{Member, frame, read, set};
use crate::server::batch::{self, Step};

const BATCH: i32 = 32;
const ROUNDS: u64 = 200;

fn frames(op: OpCode, path: &str) -> BytesMut {
    let mut out = BytesMut::new();
    (1..=BATCH).for_each(|n| {
        frame(&mut out, n, op.to_wire(), |w| match op {
            OpCode::SetData => set(w, path, &[7; 100]),
            _ => read(w, path, false),
        });
    });
    out
}

#[tokio::test]
async fn pipelined_reads_allocate_nothing() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", &[7; 100]).await;
    let conn = member.hub.connections().remove(0);
    for op in [OpCode::GetData, OpCode::Exists, OpCode::GetChildren2, OpCode::Ping] {
        let requests = frames(op, "/a");
        let (mut input, mut writes) = (BytesMut::new(), Vec::new());
        let mut round = || {
            input.extend_from_slice(&requests);
            let step = batch::take(&conn, &member.server.shared, &mut input, &mut writes, Instant::now());
            assert_eq!(step, Ok(Step::NeedBytes));
            conn.queue().out.clear();
        };
        (0..10).for_each(|_| round());
        let counted = allocation_counter::measure(|| (0..ROUNDS).for_each(|_| round()));
        assert_eq!(counted.count_total, 0, "{op:?}");
    }
}

#[tokio::test]
async fn a_batch_of_writes_allocates_for_its_input_buffer_and_no_more() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.create(1, "/a", b"").await;
    member.double.holding.store(true, Ordering::SeqCst);
    let conn = member.hub.connections().remove(0);
    let requests = frames(OpCode::SetData, "/a");
    let mut writes = Vec::with_capacity(64);
    let mut round = || {
        let mut input = BytesMut::with_capacity(requests.len());
        input.extend_from_slice(&requests);
        let counted = allocation_counter::measure(|| {
            let step = batch::take(&conn, &member.server.shared, &mut input, &mut writes, Instant::now());
            assert_eq!(step, Ok(Step::NeedBytes));
        });
        assert_eq!(member.double.commit(usize::MAX), BATCH as usize);
        conn.queue().out.clear();
        counted.count_total
    };
    for _ in 0..10 {
        round();
    }
    let worst = (0..20).map(|_| round()).max();
    assert!(worst <= Some(2), "the buffer becomes shared once a batch: {worst:?}");
}
