//! What following is bounded by, in number, in size and in time, and what is said where a bound is reached.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_nobody_can_have_seen_is_not_waited_for() {
    let rig = Rig::new().await;
    let zxid = rig.create("/k");
    for (ahead, seconds) in [(i64::MAX - zxid, 0), (1_000_000, 5)] {
        let began = Instant::now();
        let behind = rig.ask(&format!("/v1/config/k?after={}", zxid + ahead), &[]).await;
        assert_eq!((behind.status(), began.elapsed().as_secs()), (503, seconds));
        let text = behind.text().await;
        assert!(text.contains("problem:behind") && text.contains("ensemble_id"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_readers_keep_nobody_from_an_answer_that_is_tiny() {
    let rig = Rig::new().await;
    rig.create("/k");
    let answers = &rig.http.desk.answers;
    let _all: Vec<_> = std::iter::from_fn(|| answers.hold(vec![0; 64 * 1024], None).ok()).collect();
    rig.set("/k", &[b'1'; 4096]);
    assert_eq!(rig.ask("/v1/config/k", &[]).await.status(), 200);
    rig.set("/k", &[b'1'; 4097]);
    assert_eq!(rig.ask("/v1/config/k", &[]).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_says_of_himself_and_of_what_he_has_is_bounded_where_it_is_kept() {
    let rig = Rig::new().await;
    rig.create("/k");
    let basic = |bytes: usize| format!("Basic {}", STANDARD.encode(format!("{}:p", "u".repeat(bytes - 2))));
    for (bytes, status) in [(512, 200), (513, 401)] {
        assert_eq!(rig.ask("/v1/config/k", &[("authorization", &basic(bytes))]).await.status(), status);
    }
    let tags = format!("\"{}\"", "x".repeat(5000));
    let has = [("if-none-match", tags.as_str())];
    assert_eq!(rig.ask("/v1/config/k", &has).await.status(), 200);
    let kept = rig.ask("/v1/config/k?wait=0s", &has).await;
    assert_eq!(kept.status(), 400);
    assert!(kept.text().await.contains("at most 4096 bytes"));
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_short_though_the_first_reading_is_not() {
    let rig = Rig::new().await;
    rig.create("/k");
    let turns = &rig.http.desk.follow.turns;
    let taken = (turns.small().await, turns.small().await, turns.small().await);
    let began = Instant::now();
    assert_eq!(rig.ask("/v1/config/k?wait=500ms", &[]).await.status(), 503);
    assert!(began.elapsed() <= 3 * SECOND, "{:?}", began.elapsed());
    drop(taken);
    assert_eq!(rig.ask("/v1/config/k?wait=500ms", &[]).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn who_waits_says_what_he_has_and_a_member_that_stops_is_not_followed() {
    let rig = Rig::new().await;
    rig.create("/k");
    let any = rig.ask("/v1/config/k?wait=5s", &[("if-none-match", "\"1\", *")]).await;
    assert_eq!(any.status(), 400);
    assert_eq!(rig.ask("/v1/config/k", &[("if-none-match", "*")]).await.status(), 304);
    let (mut stream, _) = rig.stream("/v1/config/k").await;
    rig.http.draining.begin();
    assert_eq!(rig.ask("/v1/config/k?wait=0s", &[]).await.status(), 503);
    rig.set("/k", b"x");
    while !stream.frame().await.is_empty() {}
    assert_eq!(rig.topics().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_at_a_member_that_stops_is_told_that_it_stops() {
    let rig = Rig::new().await;
    let path = format!("/v1/config/k?wait=20s&after={}", rig.create("/k"));
    let mut waiting = Box::pin(rig.ask(&path, &[]));
    assert!(poll_immediate(waiting.as_mut()).await.is_none());
    rig.http.draining.begin();
    let ended = waiting.await;
    assert_eq!(ended.status(), 503);
    assert!(ended.text().await.contains("it is stopping"));
}

#[tokio::test(start_paused = true)]
async fn on_a_connection_that_is_answered_once_nothing_is_followed() {
    let rig = Rig::new().await;
    rig.create("/k");
    assert_eq!(rig.ask_as("/v1/config/k", &[], true).await.status(), 200);
    assert_eq!(rig.ask_as("/v1/config/k?wait=0s", &[], true).await.status(), 503);
    assert_eq!(rig.ask_as("/v1/config/k", &[("accept", "text/event-stream")], true).await.status(), 503);
    assert_eq!(rig.topics().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_over_what_does_not_change_says_within_15_s_that_it_is_alive() {
    let rig = Rig::new().await;
    rig.create("/k");
    let (mut stream, _) = rig.stream("/v1/config/k").await;
    for _ in 0..5 {
        let began = Instant::now();
        assert_eq!(stream.frame().await, ":\n\n");
        assert!(began.elapsed() > SECOND && began.elapsed() <= 15 * SECOND, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_follow_and_those_who_wait_for_a_zxid_are_counted() {
    let rig = Rig::new().await;
    let zxid = rig.create("/k");
    let (stream, path) = ([("accept", "text/event-stream")], "/v1/config/k");
    let (follow, most) = (&rig.http.desk.follow, u32::try_from(FOLLOWERS_MAX).unwrap());
    let _others = follow.followers.clone().try_acquire_many_owned(most - 1).unwrap();
    let last = rig.ask(path, &stream).await;
    let refused = rig.ask(path, &stream).await;
    assert_eq!((last.status(), refused.status(), refused.header("retry-after")), (200, 503, "1"));
    assert!(refused.text().await.contains("too many follow"));
    drop(last);
    assert_eq!(rig.ask(path, &stream).await.status(), 200, "there is a place again");
    let _others = follow.behind.try_acquire_many(most).unwrap();
    assert_eq!(rig.ask(&format!("{path}?after={zxid}"), &[]).await.status(), 200, "who need not wait needs no place");
    let refused = rig.ask(&format!("{path}?after={}", zxid + 1), &[]).await;
    assert!(refused.status() == 503 && refused.text().await.contains("too many wait"));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_serves_nobody_says_why_at_once_whatever_one_has_seen() {
    let rig = Rig::new().await;
    let zxid = rig.create("/k");
    rig.double.not_serving(Some("this disk is empty: coordd admin replace m3"));
    for headers in [[("accept", "text/event-stream")].as_slice(), &[]] {
        let began = Instant::now();
        let refused = rig.ask(&format!("/v1/config/k?after={}", zxid + 1000), headers).await;
        assert_eq!((refused.status(), began.elapsed()), (503, Duration::ZERO));
        assert!(refused.text().await.contains("coordd admin replace m3"));
    }
}
