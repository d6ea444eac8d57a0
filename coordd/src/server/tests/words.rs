//! Four-letter words over the wire.

use coordd_proto::OpCode;
use tokio::io::AsyncWriteExt;

use super::support::{Member, create, read};
use crate::clock;
use crate::server::AllowList;

async fn ask(member: &Member, word: &str) -> String {
    let mut raw = member.raw().await;
    raw.send(word.as_bytes()).await;
    raw.stream.shutdown().await.unwrap();
    raw.text().await
}

#[tokio::test]
async fn each_word_answers_in_zookeepers_form() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.ask(1, OpCode::GetData, |w| read(w, "/", true)).await;
    assert_eq!(ask(&member, "ruok").await, "imok");
    assert_eq!(ask(&member, "isro").await, "rw");
    assert_eq!(ask(&member, "wchs").await, "1 connections watching 1 paths\nTotal watches:1\n");
    assert_eq!(ask(&member, "wchp").await, format!("/\n\t{}\n\n", c.session));
    assert_eq!(ask(&member, "wchc").await, format!("{}\n\t/\n\n", c.session));
    let srvr = ask(&member, "srvr").await;
    assert!(srvr.starts_with("Zookeeper version: 3.9.5-") && srvr.contains("\nNode count: 5\n"), "{srvr}");
    let cons = ask(&member, "cons").await;
    assert!(cons.contains(&format!("sid={},lop=GETD", c.session)), "{cons}");
    let mntr = ask(&member, "mntr").await;
    for name in
        ["zk_version\t", "zk_server_state\t", "zk_znode_count\t5\n", "zk_watch_count\t1\n", "zk_cnt_readlatency\t"]
    {
        assert!(mntr.contains(name), "{name} in {mntr}");
    }
    for word in ["conf", "dirs", "dump", "envi", "hash", "stat"] {
        assert!(!ask(&member, word).await.is_empty(), "{word}");
    }
    assert_eq!(ask(&member, "srst").await, "Server stats reset.\n");
    assert_eq!(ask(&member, "crst").await, "Connection stats reset.\n");
}

#[tokio::test]
async fn a_word_that_is_not_allowed_says_so() {
    let member = Member::with(|config| config.four_letter_words = AllowList::default()).await;
    assert_eq!(ask(&member, "ruok").await, "ruok is not executed because it is not in the whitelist.\n");
}

#[tokio::test]
async fn without_service_only_the_words_that_need_none_answer() {
    let member = Member::start().await;
    member.double.not_serving(Some("no quorum"));
    assert_eq!(ask(&member, "ruok").await, "imok");
    assert_eq!(ask(&member, "isro").await, "null");
    assert_eq!(ask(&member, "srvr").await, "This ZooKeeper instance is not currently serving requests\n");
}

#[tokio::test]
async fn a_word_is_one_only_at_the_start_of_a_connection() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.raw.send(b"ruok").await;
    assert!(c.raw.is_closed().await);
}

#[tokio::test]
async fn trace_masks_are_told_and_echoed_and_change_nothing() {
    let member = Member::start().await;
    assert_eq!(ask(&member, "gtmk").await, "306");
    assert_eq!(ask(&member, "stmk\0\0\0\0\0\0\0\x07").await, "7");
    assert_eq!(ask(&member, "gtmk").await, "306");
    assert_eq!(ask(&member, "stmk").await, "", "without a mask");
}

#[tokio::test]
async fn a_word_is_a_packet_received_and_the_asker_one_of_the_clients() {
    let member = Member::start().await;
    assert!(ask(&member, "srvr").await.contains("\nReceived: 1\nSent: 0\nConnections: 1\n"));
    let stat = ask(&member, "stat").await;
    assert!(stat.contains("[0](queued=0,recved=1,sent=0)\n") && stat.contains("\nReceived: 2\n"), "{stat}");
}

#[tokio::test]
async fn the_last_response_is_timed_by_the_clock_that_nobody_sets() {
    let member = Member::start().await;
    let mut c = member.client().await;
    for op in [OpCode::GetData, OpCode::Create] {
        let before = clock::monotonic_ms();
        match op {
            OpCode::GetData => c.ask(1, op, |w| read(w, "/", false)).await,
            _ => c.ask(2, op, |w| create(w, "/timed", b"", 0)).await,
        };
        let cons = ask(&member, "cons").await;
        let time = cons.split("lresp=").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
        let time: u64 = time.parse().unwrap();
        assert!((before..=clock::monotonic_ms()).contains(&time), "{op:?}: {time} in {cons}");
    }
}

/// Whether `line` is `form`, in which `#` stands for one or more digits, hex digits, dots or signs.
fn is_form(line: &str, form: &str) -> bool {
    let mut rest = line;
    for (i, part) in form.split('#').enumerate() {
        let number =
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '.' || c == '-').len();
        match (i, rest[if i == 0 { 0 } else { number }..].strip_prefix(part)) {
            (0, Some(behind)) => rest = behind,
            (_, Some(behind)) if number > 0 => rest = behind,
            _ => return false,
        }
    }
    rest.is_empty()
}

#[tokio::test]
async fn the_longer_words_answer_line_by_line_as_zookeepers() {
    let member = Member::start().await;
    let mut c = member.client().await;
    c.ask(1, OpCode::Create, |w| create(w, "/e", b"", 1)).await;
    let cons = " /127.0.0.1:#[1](queued=0,recved=2,sent=2,sid=0x#,lop=CREA,est=#,to=#,lcxid=0x1,lzxid=0x#,\
                lresp=#,llat=#,minlat=#,avglat=#,maxlat=#)";
    assert!(ask(&member, "cons").await.lines().any(|line| is_form(line, cons)));
    c.ask(-2, OpCode::Ping, |_| {}).await;
    let pinged = cons.replace("recved=2,sent=2", "recved=3,sent=3").replace("CREA", "PING");
    let session = format!("{}:", c.session);
    let established = format!("\tip: /127.0.0.1:# sessionId: {}", c.session);
    for (word, forms) in [
        ("conf", vec!["clientPort=#", "secureClientPort=-1", "tickTime=#", "maxClientCnxns=#", "serverId=#"]),
        ("conf", vec!["dataDirSize=#", "dataLogSize=#"]),
        ("conf", vec!["minSessionTimeout=#", "maxSessionTimeout=#", "clientPortListenBacklog=-1"]),
        ("envi", vec!["Environment:", "zookeeper.version=3.9.5-coordd-#, built on n/a", "java.version=n/a (no Java)"]),
        ("stat", vec!["Clients:", " /127.0.0.1:#[1](queued=0,recved=3,sent=3)", "Mode: leader", "Zxid: 0x#"]),
        ("cons", vec![pinged.as_str()]),
        (
            "dump",
            vec!["SessionTracker dump:", "ephemeral nodes dump:", "Sessions with Ephemerals (1):", &session, "\t/e"],
        ),
        ("dump", vec!["Connections Sets (2)/(2):", &established, "\tip: /127.0.0.1:# sessionId: 0x0"]),
        ("dirs", vec!["datadir_size: #", "logdir_size: #"]),
        ("hash", vec!["#: #"]),
    ] {
        let text = ask(&member, word).await;
        for form in forms {
            assert!(text.lines().any(|line| is_form(line, form)), "{form} is missing in {word}: {text}");
        }
    }
}
