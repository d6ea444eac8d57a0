//! Sessions across members that die, sessions that are taken up again, and one that expires.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use zookeeper_client::{Client, Error, EventType, SessionState};

use crate::world::{Doors, EPHEMERAL, OPEN, Outcome, World, control, equal, expect, fails, soon, until};

/// Persistent watches are left out: version 0.11.2 does not set them again after a reconnection.
pub async fn a_session_and_its_watches_outlive_the_member(t: World) -> Outcome {
    let (writer, zk) = (t.rooted().await?, t.client().await?);
    let session = zk.session_id();
    zk.create(&t.path("/e"), b"", EPHEMERAL).await?;
    zk.create(&t.path("/data"), b"", OPEN).await?;
    let (_, _, data) = zk.get_and_watch_data(&t.path("/data")).await?;
    let (_, absent) = zk.check_and_watch_stat(&t.path("/later")).await?;
    let port = t.kill_server_of(&zk).await?;
    until("a write", || async { writer.set_data(&t.path("/data"), b"1", None).await.map(|_| true) }).await?;
    until("a create", || async {
        match writer.create(&t.path("/later"), b"", OPEN).await {
            Ok(_) | Err(Error::NodeExists) => Ok(true),
            Err(error) => Err(error),
        }
    })
    .await?;
    let event = soon("the event of the data watch", data.changed()).await?;
    equal(event.event_type, EventType::NodeDataChanged)?;
    let event = soon("the event of the exists watch", absent.changed()).await?;
    equal(event.event_type, EventType::NodeCreated)?;
    let owner = zk.check_stat(&t.path("/e")).await?.map(|stat| stat.ephemeral_owner);
    equal(owner, Some(session.0))?;
    control(&format!("start {port}")).await?;
    drop(zk);
    until("the ephemeral's end", || async { Ok(writer.check_stat(&t.path("/e")).await?.is_none()) }).await
}

pub async fn a_session_is_taken_up_by_id_and_password(t: World) -> Outcome {
    let writer = t.rooted().await?;
    let detached = Client::connector().with_detached().with_session_timeout(Duration::from_secs(2));
    let first = detached.connect(&t.hosts).await?;
    first.create(&t.path("/e"), b"", EPHEMERAL).await?;
    let id = first.session_id();
    let session = first.into_session();
    let second = Client::connector().with_session(session.clone()).connect(&t.hosts).await?;
    equal(second.session_id(), id)?;
    equal(second.check_stat(&t.path("/e")).await?.map(|stat| stat.ephemeral_owner), Some(id.0))?;
    drop(second);
    until("the ephemeral's end", || async { Ok(writer.check_stat(&t.path("/e")).await?.is_none()) }).await?;
    match Client::connector().with_session(session).connect(&t.hosts).await {
        Err(Error::SessionExpired) => Ok(()),
        other => Err(format!("a closed session gave {:?}", other.map(|client| client.session_id())).into()),
    }
}

pub async fn a_session_that_is_not_heard_of_expires_with_its_ephemerals(t: World) -> Outcome {
    let (watcher, doors) = (t.rooted().await?, Doors::new(&t).await?);
    let connector = || Client::connector().with_session_timeout(Duration::from_secs(1));
    let zk = connector().connect(&doors.hosts).await?;
    let (e, mut states) = (t.path("/e"), zk.state_watcher());
    zk.create(&e, b"", EPHEMERAL).await?;
    let (_, _, watched) = zk.get_and_watch_data(&t.root).await?;
    watcher.sync("/").await?;
    let (_, gone) = watcher.check_and_watch_stat(&e).await?;
    let began = Instant::now();
    doors.set("shut").await?;
    equal(soon("the end of the ephemeral", gone.changed()).await?.event_type, EventType::NodeDeleted)?;
    expect(began.elapsed() > Duration::from_millis(500), || format!("expired after {:?}", began.elapsed()))?;
    doors.set("open").await?;
    while soon("the word of expiry", states.changed()).await? != SessionState::Expired {}
    equal(soon("the end of its watch", watched.changed()).await?.session_state, SessionState::Expired)?;
    fails(zk.check_stat(&e).await, Error::SessionExpired)?;
    let again = connector().connect(&doors.hosts).await?;
    expect(again.session_id() != zk.session_id(), || "the old session goes on".into())?;
    again.create(&e, b"", EPHEMERAL).await?;
    watcher.sync("/").await?;
    let stat = watcher.check_stat(&e).await?;
    equal(stat.map(|stat| stat.ephemeral_owner), Some(again.session_id().0))
}

pub async fn writes_go_on_through_a_killed_member(t: World) -> Outcome {
    let (checker, writer) = (t.rooted().await?, t.client().await?);
    let (written, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let work = tokio::spawn({
        let (t, writer, written, stop) = (t.clone(), writer.clone(), Arc::clone(&written), Arc::clone(&stop));
        async move {
            while !stop.load(Ordering::SeqCst) {
                let name = t.path(&format!("/w{}", written.load(Ordering::SeqCst)));
                match writer.create(&name, b"", OPEN).await {
                    Ok(_) | Err(Error::NodeExists) => drop(written.fetch_add(1, Ordering::SeqCst)),
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        }
    });
    until("the first writes", || async { Ok(written.load(Ordering::SeqCst) > 20) }).await?;
    let port = t.kill_server_of(&writer).await?;
    let before = written.load(Ordering::SeqCst);
    until("writes after the kill", || async { Ok(written.load(Ordering::SeqCst) > before + 20) }).await?;
    stop.store(true, Ordering::SeqCst);
    soon("the last write", work).await??;
    control(&format!("start {port}")).await?;
    until("a sync", || async { checker.sync(&t.root).await.map(|()| true) }).await?;
    let there = checker.list_children(&t.root).await?.len();
    let acknowledged = written.load(Ordering::SeqCst);
    expect(there >= acknowledged, || format!("acknowledged {acknowledged}, there are {there}"))
}
