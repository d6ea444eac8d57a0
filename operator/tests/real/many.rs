//! What a hundred clusters cost: `cargo test --release -p operator --test real -- --ignored --nocapture`
//!
//! Rule: the figure is printed, whose goal is 60 MiB, and fails only beyond a bound of three times as much. Reason:
//! what an allocator keeps differs by machine and build, and a measurement that fails by it is soon ignored; what leaks
//! with each look or each cluster comes to hundreds.

use std::fs;
use std::time::{Duration, Instant};

use kube::api::ListParams;
use operator::crd::CoordinationCluster;
use serde_json::json;

use crate::stage::{Operator, Stage, is};

const CLUSTERS: usize = 100;
const BOUND_MIB: u64 = 200;

pub(crate) fn memory_kib(operator: &Operator) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", operator.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it measures, for minutes"]
async fn the_memory_of_an_operator_with_a_hundred_clusters() {
    let Some(stage) = Stage::set("many").await else { return };
    let operator = stage.operator("a", &["--log-level", "info"]);
    let began = Instant::now();
    for number in 0..CLUSTERS {
        stage.apply(&format!("c{number}x"), json!({})).await;
    }
    loop {
        let all = stage.api::<CoordinationCluster>().list(&ListParams::default()).await.unwrap();
        let ready =
            all.iter().filter_map(|cluster| cluster.status.as_ref()).filter(|status| is(status, "Ready", "True"));
        let ready = ready.count();
        if ready == CLUSTERS {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30 + 6 * CLUSTERS as u64), "{ready} of {CLUSTERS} are ready");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let took = began.elapsed().as_secs_f64();
    // A few looks at all of them.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let memory = memory_kib(&operator) >> 10;
    println!("{CLUSTERS} clusters: ready after {took:.0} s, the operator's memory at its highest {memory} MiB");
    assert!(memory <= BOUND_MIB, "{memory} MiB of memory, which is beyond {BOUND_MIB}");
}
