package main

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

var open = zk.WorldACL(zk.PermAll)

func everyOperationAndItsStat(t *t) {
	conn := t.rooted()
	path, err := conn.Create(t.root+"/a", []byte("one"), 0, open)
	must(err)
	equal(path, t.root+"/a")
	data, stat, err := conn.Get(path)
	must(err)
	equal(string(data), "one")
	equal([]int32{stat.Version, stat.DataLength, stat.NumChildren}, []int32{0, 3, 0})
	changed, err := conn.Set(path, []byte("three"), 0)
	must(err)
	expect(changed.Mzxid > stat.Mzxid && changed.Czxid == stat.Czxid, "zxids of set: %+v", changed)
	t.make(conn, "/a/b")
	names, parent, err := conn.Children(path)
	must(err)
	equal(names, []string{"b"})
	equal([]int32{parent.Cversion, parent.NumChildren, parent.Version}, []int32{1, 1, 1})
	there, _, err := conn.Exists(t.root + "/none")
	must(err)
	equal(there, false)
	synced, err := conn.Sync(path)
	must(err)
	equal(synced, path)
	must(conn.Delete(path+"/b", 0))
	must(conn.Delete(path, 1))
}

func versionsAndNamesAreGuarded(t *t) {
	conn := t.rooted()
	path := t.make(conn, "/a")
	_, err := conn.Set(path, nil, 3)
	fails(err, zk.ErrBadVersion)
	_, err = conn.Create(path, nil, 0, open)
	fails(err, zk.ErrNodeExists)
	_, err = conn.Create(t.root+"/no/parent", nil, 0, open)
	fails(err, zk.ErrNoNode)
	_, err = conn.Create(t.root+"/x", nil, 0, nil)
	fails(err, zk.ErrInvalidACL)
	fails(conn.Delete(t.root, -1), zk.ErrNotEmpty)
	_, err = conn.Create(t.root+"/e", nil, zk.FlagEphemeral, open)
	must(err)
	_, err = conn.Create(t.root+"/e/c", nil, 0, open)
	fails(err, zk.ErrNoChildrenForEphemerals)
	_, _, err = conn.Get(t.root + "/none")
	fails(err, zk.ErrNoNode)
}

func aMultiIsAllOrNothing(t *t) {
	conn := t.rooted()
	results, err := conn.Multi(
		&zk.CreateRequest{Path: t.root + "/a", Data: []byte("1"), Acl: open},
		&zk.SetDataRequest{Path: t.root + "/a", Data: []byte("2"), Version: 0},
		&zk.CheckVersionRequest{Path: t.root + "/a", Version: 1})
	must(err)
	equal(results[0].String, t.root+"/a")
	equal(results[1].Stat.Version, int32(1))
	results, err = conn.Multi(
		&zk.DeleteRequest{Path: t.root + "/a", Version: -1},
		&zk.DeleteRequest{Path: t.root + "/none", Version: -1})
	fails(err, zk.ErrNoNode)
	equal(results[1].Error, zk.ErrNoNode)
	there, _, err := conn.Exists(t.root + "/a")
	must(err)
	equal(there, true)
}

func aclsAdmitWhomTheyName(t *t) {
	stranger := t.rooted()
	owner, _ := t.client(8 * time.Second)
	must(owner.AddAuth("digest", []byte("u:p")))
	path, err := owner.Create(t.root+"/mine", nil, 0, zk.DigestACL(zk.PermAll, "u", "p"))
	must(err)
	synced(stranger)
	_, _, err = stranger.Get(path)
	fails(err, zk.ErrNoAuth)
	acls, stat, err := owner.GetACL(path)
	must(err)
	equal(acls, zk.DigestACL(zk.PermAll, "u", "p"))
	_, err = owner.SetACL(path, open, stat.Aversion)
	must(err)
	_, err = stranger.Set(path, []byte("x"), -1)
	must(err)
	_, err = stranger.Create(t.root+"/b", nil, 0, zk.AuthACL(zk.PermAll))
	fails(err, zk.ErrInvalidACL)
}

func watchesFireOnceForTheirChange(t *t) {
	conn := t.rooted()
	other, _ := t.client(8 * time.Second)
	t.make(conn, "/a")
	_, _, data, err := conn.GetW(t.root + "/a")
	must(err)
	_, _, children, err := conn.ChildrenW(t.root)
	must(err)
	_, _, absent, err := conn.ExistsW(t.root + "/b")
	must(err)
	for range 2 {
		_, err = other.Set(t.root+"/a", nil, -1)
		must(err)
	}
	t.make(other, "/b")
	equal(event("data", data).Type, zk.EventNodeDataChanged)
	equal(event("children", children).Type, zk.EventNodeChildrenChanged)
	created := event("created", absent)
	equal(created.Type, zk.EventNodeCreated)
	equal(created.Path, t.root+"/b")
}

func aLockIsHeldByOneAtATime(t *t) {
	t.rooted()
	var inside, held atomic.Int32
	var workers sync.WaitGroup
	why := make(chan failure, 3)
	for range 3 {
		conn, _ := t.client(8 * time.Second)
		workers.Add(1)
		go func() {
			defer workers.Done()
			lock := zk.NewLock(conn, t.root+"/lock", open)
			for range 4 {
				if err := lock.Lock(); err != nil {
					why <- failure(err.Error())
					return
				}
				if inside.Add(1) != 1 {
					why <- "two hold the lock"
				}
				held.Add(1)
				inside.Add(-1)
				if err := lock.Unlock(); err != nil {
					why <- failure(err.Error())
				}
			}
		}()
	}
	workers.Wait()
	expect(len(why) == 0 && held.Load() == 12, "held %d times, %d errors", held.Load(), len(why))
}

func aHeldLockShowsItsDataAndIsTakenOnce(t *t) {
	conn := t.rooted()
	other, _ := t.client(8 * time.Second)
	lock, next := zk.NewLock(conn, t.root+"/lock", open), zk.NewLock(other, t.root+"/lock", open)
	fails(lock.Unlock(), zk.ErrNotLocked)
	must(lock.LockWithData([]byte("holder")))
	fails(lock.Lock(), zk.ErrDeadlock)
	handed := make(chan error, 1)
	go func() { handed <- next.LockWithData([]byte("next")) }()
	var names []string
	until("both in the queue", func() bool { names, _, _ = conn.Children(t.root + "/lock"); return len(names) == 2 })
	expect(len(handed) == 0, "two hold the lock")
	sort.Slice(names, func(i, j int) bool { return names[i][len(names[i])-10:] < names[j][len(names[j])-10:] })
	for i, wanted := range []string{"holder", "next"} {
		data, _, err := conn.Get(t.root + "/lock/" + names[i])
		must(err)
		equal(string(data), wanted)
	}
	must(lock.Unlock())
	must(<-handed)
	must(next.Unlock())
}

func protectedSequencesAndContainers(t *t) {
	conn := t.rooted()
	first, err := conn.CreateProtectedEphemeralSequential(t.root+"/p-", nil, open)
	must(err)
	second, err := conn.Create(t.root+"/p-", nil, zk.FlagSequence, open)
	must(err)
	expect(first[len(first)-10:] == "0000000000" && second == t.root+"/p-0000000001", "%s and %s", first, second)
	box, err := conn.CreateContainer(t.root+"/box", nil, zk.FlagContainer, open)
	must(err)
	must(conn.Delete(t.make(conn, "/box/c"), -1))
	until("the container's end", func() bool { there, _, _ := conn.Exists(box); return !there })
}

func ephemeralsAndTimeToLiveEnd(t *t) {
	conn := t.rooted()
	other, _ := t.client(8 * time.Second)
	_, err := other.Create(t.root+"/e", nil, zk.FlagEphemeral, open)
	must(err)
	_, err = conn.CreateTTL(t.root+"/ttl", nil, zk.FlagTTL, open, 300*time.Millisecond)
	must(err)
	synced(conn)
	_, stat, err := conn.Exists(t.root + "/e")
	must(err)
	equal(stat.EphemeralOwner, other.SessionID())
	other.Close()
	until("both gone", func() bool {
		names, _, err := conn.Children(t.root)
		must(err)
		sort.Strings(names)
		return len(names) == 0
	})
}

func reconfigurationIsRefused(t *t) {
	conn, _ := t.client(8 * time.Second)
	_, err := conn.IncrementalReconfig([]string{"server.9=127.0.0.1:1:2;3"}, nil, -1)
	fails(err, zk.ErrReconfigDisabled)
	_, err = conn.IncrementalReconfig(nil, []string{"1"}, -1)
	fails(err, zk.ErrReconfigDisabled)
	_, err = conn.Reconfig([]string{"server.1=127.0.0.1:1:2;3"}, -1)
	fails(err, zk.ErrReconfigDisabled)
}

// FLWSrvr is left out: version 1.0.4 does not understand the date that ZooKeeper 3.9 gives.
func fourLetterWordsAreUnderstood(t *t) {
	conn := t.rooted()
	equal(zk.FLWRuok(t.hosts, 5*time.Second), slices.Repeat([]bool{true}, len(t.hosts)))
	var mine []*zk.ServerClient
	members, _ := zk.FLWCons(t.hosts, 5*time.Second)
	for _, member := range members {
		must(member.Error)
		for _, client := range member.Clients {
			if client.SessionID == conn.SessionID() {
				mine = append(mine, client)
			}
		}
	}
	expect(len(mine) == 1, "%d connections of one session", len(mine))
	equal(mine[0].Timeout, int32(8000))
	equal([]int64{mine[0].Received, mine[0].Sent, mine[0].Queued}, []int64{2, 2, 0})
	expect(mine[0].Lcxid == 1 && mine[0].LastOperation == "CREA", "%+v", mine[0])
}
