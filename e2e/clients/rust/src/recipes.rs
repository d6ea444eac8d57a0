//! Watches and locks as the Rust client ships them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zookeeper_client::{Acls, AddWatchMode, EventType, LockOptions, LockPrefix};

use crate::world::{OPEN, Outcome, World, equal, expect, soon};

pub async fn one_shot_watches_fire_once(t: World) -> Outcome {
    let (zk, other) = (t.rooted().await?, t.client().await?);
    let (a, b) = (t.path("/a"), t.path("/b"));
    zk.create(&a, b"", OPEN).await?;
    let (_, _, data) = zk.get_and_watch_data(&a).await?;
    let (_, _, children) = zk.get_and_watch_children(&t.root).await?;
    let (_, absent) = zk.check_and_watch_stat(&b).await?;
    other.set_data(&a, b"1", None).await?;
    other.create(&b, b"", OPEN).await?;
    let data = soon("the data event", data.changed()).await?;
    equal((data.event_type, data.path.as_str()), (EventType::NodeDataChanged, a.as_str()))?;
    let children = soon("the child event", children.changed()).await?;
    equal((children.event_type, children.path.as_str()), (EventType::NodeChildrenChanged, t.root.as_str()))?;
    let absent = soon("the created event", absent.changed()).await?;
    equal((absent.event_type, absent.path.as_str()), (EventType::NodeCreated, b.as_str()))
}

pub async fn persistent_watches_go_on(t: World) -> Outcome {
    let zk = t.rooted().await?;
    let mut plain = zk.watch(&t.root, AddWatchMode::Persistent).await?;
    let mut deep = zk.watch(&t.root, AddWatchMode::PersistentRecursive).await?;
    let a = t.path("/a");
    zk.create(&a, b"", OPEN).await?;
    zk.set_data(&a, b"1", None).await?;
    zk.set_data(&t.root, b"1", None).await?;
    zk.delete(&a, None).await?;
    for (kind, path) in [
        (EventType::NodeCreated, &a),
        (EventType::NodeDataChanged, &a),
        (EventType::NodeDataChanged, &t.root),
        (EventType::NodeDeleted, &a),
    ] {
        let event = soon("a recursive event", deep.changed()).await?;
        equal((event.event_type, &event.path), (kind, path))?;
    }
    for kind in [EventType::NodeChildrenChanged, EventType::NodeDataChanged, EventType::NodeChildrenChanged] {
        let event = soon("a persistent event", plain.changed()).await?;
        equal((event.event_type, &event.path), (kind, &t.root))?;
    }
    Ok(())
}

pub async fn a_removed_watch_is_silent(t: World) -> Outcome {
    let zk = t.rooted().await?;
    let (_, _, data) = zk.get_and_watch_data(&t.root).await?;
    let (_, _, children) = zk.get_and_watch_children(&t.root).await?;
    drop(data);
    drop(zk.watch(&t.root, AddWatchMode::Persistent).await?);
    zk.set_data(&t.root, b"", None).await?;
    zk.create(&t.path("/c"), b"", OPEN).await?;
    equal(soon("the watch that was kept", children.changed()).await?.event_type, EventType::NodeChildrenChanged)
}

pub async fn a_lock_is_held_by_one_and_guards_its_writes(t: World) -> Outcome {
    let zk = t.rooted().await?;
    zk.create(&t.path("/guarded"), b"", OPEN).await?;
    let inside = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::new();
    for _ in 0..3 {
        let (t, inside, client) = (t.clone(), Arc::clone(&inside), t.client().await?);
        workers.push(tokio::spawn(async move {
            for _ in 0..3 {
                let path = t.path("/lock");
                let prefix = LockPrefix::new_curator(&path, "latch-")?;
                let options = LockOptions::new(Acls::anyone_all()).with_ancestor_options(OPEN.clone())?;
                let lock = client.lock(prefix, b"", options).await?;
                equal(inside.fetch_add(1, Ordering::SeqCst), 0)?;
                lock.set_data(&t.path("/guarded"), b"x", None).await?;
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(lock);
            }
            Outcome::Ok(())
        }));
    }
    for worker in workers {
        worker.await??;
    }
    // Its member may be behind the one that took the last write.
    zk.sync(&t.path("/guarded")).await?;
    let stat = zk.check_stat(&t.path("/guarded")).await?;
    equal(stat.map(|stat| stat.version), Some(9))
}

pub async fn locks_of_every_prefix_exclude(t: World) -> Outcome {
    let (zk, other) = (t.rooted().await?, t.client().await?);
    let shared = t.path("/shared-");
    let options = || LockOptions::new(Acls::anyone_all());
    let held = zk.lock(LockPrefix::new_shared(&shared)?, b"", options()).await?;
    let path = held.lock_path().to_owned();
    let waiting = tokio::spawn({
        let shared = shared.clone();
        async move {
            let lock = other.lock(LockPrefix::new_shared(&shared)?, b"", options()).await?;
            Outcome::Ok(lock.lock_path().to_owned())
        }
    });
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), async {
        while !waiting.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    expect(early.await.is_err(), || "two hold the lock".into())?;
    drop(held);
    let next = soon("the lock to be handed on", waiting).await???;
    expect(next > path, || format!("{next} after {path}"))
}
