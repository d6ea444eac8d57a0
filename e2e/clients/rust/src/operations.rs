//! The plain operations of the Rust client: their effect, their Stat, their errors.

use std::time::Duration;

use zookeeper_client::{Acl, Acls, AuthId, CreateMode, Error, MultiReadResult, MultiWriteError, MultiWriteResult};
use zookeeper_client::{Permission, SessionState};

use crate::world::{EPHEMERAL, OPEN, Outcome, World, equal, expect, fails, until};

pub async fn each_operation_shows_its_effect_and_its_stat(t: World) -> Outcome {
    let zk = t.rooted().await?;
    let a = t.path("/a");
    let (created, sequence) = zk.create(&a, b"one", OPEN).await?;
    equal(sequence.into_i64(), -1)?;
    let (data, stat) = zk.get_data(&a).await?;
    equal(data, b"one".to_vec())?;
    equal(stat, created)?;
    equal((stat.version, stat.data_length, stat.czxid == stat.mzxid), (0, 3, true))?;
    let changed = zk.set_data(&a, b"three", Some(0)).await?;
    expect(changed.mzxid > stat.mzxid && changed.version == 1, || format!("{changed:?}"))?;
    zk.create(&t.path("/a/b"), b"", OPEN).await?;
    let (children, parent) = zk.get_children(&a).await?;
    equal(children, vec!["b".to_owned()])?;
    equal((parent.cversion, parent.num_children, parent.version), (1, 1, 1))?;
    equal(zk.count_descendants_number(&t.root).await?, 2)?;
    zk.sync(&a).await?;
    zk.delete(&t.path("/a/b"), Some(0)).await?;
    zk.delete(&a, None).await?;
    equal(zk.check_stat(&a).await?, None)?;
    let sequential = CreateMode::PersistentSequential.with_acls(Acls::anyone_all());
    let (_, number) = zk.create(&t.path("/s-"), b"", &sequential).await?;
    equal(number.into_i64(), 1)?;
    zk.mkdir(&t.path("/x/y/z"), OPEN).await?;
    expect(zk.check_stat(&t.path("/x/y/z")).await?.is_some(), || "mkdir made nothing".into())
}

pub async fn wrong_requests_are_refused_by_their_code(t: World) -> Outcome {
    let zk = t.rooted().await?;
    let none = t.path("/none");
    fails(zk.get_data(&none).await, Error::NoNode)?;
    fails(zk.set_data(&none, b"", None).await, Error::NoNode)?;
    fails(zk.create(&t.path("/no/parent"), b"", OPEN).await, Error::NoNode)?;
    fails(zk.create(&t.root, b"", OPEN).await, Error::NodeExists)?;
    fails(zk.set_data(&t.root, b"", Some(5)).await, Error::BadVersion)?;
    zk.create(&t.path("/e"), b"", EPHEMERAL).await?;
    fails(zk.create(&t.path("/e/c"), b"", OPEN).await, Error::NoChildrenForEphemerals)?;
    fails(zk.delete(&t.root, None).await, Error::NotEmpty)?;
    fails(zk.create(&none, b"", &CreateMode::Persistent.with_acls(Acls::creator_all())).await, Error::InvalidAcl)
}

pub async fn a_multi_is_all_or_nothing_and_a_multi_read_answers_each_part(t: World) -> Outcome {
    let zk = t.rooted().await?;
    let (a, none) = (t.path("/a"), t.path("/none"));
    let mut writer = zk.new_multi_writer();
    writer.add_create(&a, b"1", OPEN)?;
    writer.add_set_data(&a, b"22", Some(0))?;
    writer.add_check_version(&a, 1)?;
    let results = writer.commit().await?;
    let MultiWriteResult::SetData { stat } = &results[1] else { return Err(format!("{results:?}").into()) };
    equal((stat.version, stat.czxid == stat.mzxid), (1, true))?;
    writer.add_delete(&a, None)?;
    writer.add_delete(&none, None)?;
    match writer.commit().await {
        Err(MultiWriteError::OperationFailed { index: 1, source: Error::NoNode }) => {}
        other => return Err(format!("got {other:?}").into()),
    }
    let mut reader = zk.new_multi_reader();
    reader.add_get_data(&a)?;
    reader.add_get_data(&none)?;
    reader.add_get_children(&t.root)?;
    let results = reader.commit().await?;
    let fine = matches!(&results[0], MultiReadResult::Data { data, .. } if data == b"22")
        && matches!(&results[1], MultiReadResult::Error { err: Error::NoNode })
        && matches!(&results[2], MultiReadResult::Children { children } if children == &["a"]);
    expect(fine, || format!("{results:?}"))
}

pub async fn acls_admit_whom_they_name(t: World) -> Outcome {
    let (stranger, owner) = (t.rooted().await?, t.client().await?);
    owner.auth("digest", b"u:p").await?;
    let mine = t.path("/mine");
    owner.create(&mine, b"", &CreateMode::Persistent.with_acls(Acls::creator_all())).await?;
    stranger.sync("/").await?;
    fails(stranger.get_data(&mine).await, Error::NoAuth)?;
    let (acls, stat) = owner.get_acl(&mine).await?;
    expect(acls.len() == 1 && acls[0].scheme() == "digest" && acls[0].id().starts_with("u:"), || format!("{acls:?}"))?;
    let users = owner.list_auth_users().await?;
    expect(users.iter().any(|user| user.scheme() == "digest" && user.user() == "u"), || format!("{users:?}"))?;
    let near = [Acl::new(Permission::ALL, AuthId::new("ip", "127.0.0.1"))];
    owner.set_acl(&mine, &near, Some(stat.aversion)).await?;
    stranger.set_data(&mine, b"x", None).await?;
    fails(owner.set_acl(&mine, &near, Some(stat.aversion)).await, Error::BadVersion)?;
    let intruder = t.client().await?;
    fails(intruder.auth("nosuchscheme", b"x").await, Error::AuthFailed)?;
    equal(intruder.state(), SessionState::AuthFailed)
}

pub async fn a_chroot_hides_what_is_above(t: World) -> Outcome {
    let zk = t.rooted().await?;
    let inner = t.client().await?.chroot(t.root.clone()).map_err(|_| "no chroot")?;
    inner.create("/in", b"1", OPEN).await?;
    zk.sync("/").await?;
    equal(zk.get_data(&t.path("/in")).await?.0, b"1".to_vec())?;
    let (_, _, watcher) = inner.get_and_watch_data("/in").await?;
    zk.set_data(&t.path("/in"), b"2", None).await?;
    equal(watcher.changed().await.path, "/in".to_owned())
}

pub async fn ephemerals_containers_and_lifetimes_end(t: World) -> Outcome {
    let (zk, other) = (t.rooted().await?, t.client().await?);
    let session = other.session_id().0;
    other.create(&t.path("/e"), b"", EPHEMERAL).await?;
    equal(other.list_ephemerals(&t.root).await?, vec![t.path("/e")])?;
    zk.sync(&t.root).await?;
    let stat = zk.check_stat(&t.path("/e")).await?;
    equal(stat.map(|stat| stat.ephemeral_owner), Some(session))?;
    drop(other);
    zk.create(&t.path("/box"), b"", &CreateMode::Container.with_acls(Acls::anyone_all())).await?;
    zk.create(&t.path("/box/c"), b"", OPEN).await?;
    zk.delete(&t.path("/box/c"), None).await?;
    let brief = CreateMode::Persistent.with_acls(Acls::anyone_all()).with_ttl(Duration::from_millis(300));
    zk.create(&t.path("/brief"), b"", &brief).await?;
    until("all three gone", || async { Ok(zk.list_children(&t.root).await?.is_empty()) }).await
}
