//! What a hundred clusters cost.

use std::time::{Duration, Instant};
use std::{env, fs};

use kube::api::ListParams;
use operator::crd::CoordinationCluster;
use serde_json::json;

use crate::stage::{Operator, Stage, is};

/// Of those promised hundred, as many as every run has time for; COORDD_CLUSTERS=100 for all.
const CLUSTERS: usize = 10;
const MEMORY_MAX_KIB: u64 = 60 << 10;

fn memory_kib(operator: &Operator) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", operator.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clusters_fit_in_sixty_mebibytes() {
    let Some(stage) = Stage::set("many").await else { return };
    let clusters = env::var("COORDD_CLUSTERS").ok().and_then(|count| count.parse().ok()).unwrap_or(CLUSTERS);
    let operator = stage.operator("a", &["--log-level", "info"]);
    let began = Instant::now();
    for number in 0..clusters {
        stage.apply(&format!("c{number}x"), json!({})).await;
    }
    loop {
        let all = stage.api::<CoordinationCluster>().list(&ListParams::default()).await.unwrap();
        let ready =
            all.iter().filter_map(|cluster| cluster.status.as_ref()).filter(|status| is(status, "Ready", "True"));
        let ready = ready.count();
        if ready == clusters {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30 + 6 * clusters as u64), "{ready} of {clusters} are ready");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let took = began.elapsed().as_secs_f64();
    // A few looks at all of them.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let memory = memory_kib(&operator);
    println!("{clusters} clusters: ready after {took:.0} s, the operator's memory at its highest {} MiB", memory >> 10);
    assert!(memory <= MEMORY_MAX_KIB, "{memory} KiB");
}
