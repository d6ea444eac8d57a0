package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

func aSessionAndItsWatchesOutliveTheMember(t *t) {
	writer := t.rooted()
	conn, _ := t.client(10 * time.Second)
	session := conn.SessionID()
	_, err := conn.Create(t.root+"/e", nil, zk.FlagEphemeral, open)
	must(err)
	t.make(conn, "/data")
	_, _, data, err := conn.GetW(t.root + "/data")
	must(err)
	_, _, absent, err := conn.ExistsW(t.root + "/later")
	must(err)
	port := t.killServerOf(conn)
	again(func() error { _, err := writer.Set(t.root+"/data", []byte("1"), -1); return err })
	again(func() error { _, err := writer.Create(t.root+"/later", nil, 0, open); return err })
	equal(event("of the data watch set before the kill", data).Type, zk.EventNodeDataChanged)
	equal(event("of the exists watch set before the kill", absent).Type, zk.EventNodeCreated)
	until("the session", func() bool { return conn.State() == zk.StateHasSession })
	equal(conn.SessionID(), session)
	var stat *zk.Stat
	again(func() (err error) { _, stat, err = conn.Exists(t.root + "/e"); return err })
	equal(stat.EphemeralOwner, session)
	control("start " + port)
	conn.Close()
	until("the end of the ephemeral", func() (gone bool) {
		again(func() error { there, _, err := writer.Exists(t.root + "/e"); gone = !there; return err })
		return gone
	})
}

func writesGoOnThroughAKilledMember(t *t) {
	checker := t.rooted()
	conn, _ := t.client(10 * time.Second)
	var written atomic.Int64
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				path := fmt.Sprintf("%s/w%d", t.root, written.Load())
				if _, err := conn.Create(path, nil, 0, open); err == nil || err == zk.ErrNodeExists {
					written.Add(1)
				}
			}
		}
	}()
	until("the first writes", func() bool { return written.Load() > 20 })
	port := t.killServerOf(conn)
	before := written.Load()
	until("writes after the kill", func() bool { return written.Load() > before+20 })
	close(stop)
	<-done
	control("start " + port)
	again(func() error { _, err := checker.Sync(t.root); return err })
	var names []string
	again(func() (err error) { names, _, err = checker.Children(t.root); return err })
	expect(int64(len(names)) >= written.Load(), "acknowledged %d, there are %d", written.Load(), len(names))
}

func aSessionThatIsNotHeardOfExpiresWithItsEphemerals(t *t) {
	watcher := t.rooted()
	hosts, set := t.doors()
	conn, events := t.clientAt(hosts, time.Second)
	var expired atomic.Bool
	go func() {
		for event := range events {
			expired.CompareAndSwap(false, event.State == zk.StateExpired)
		}
	}()
	session := conn.SessionID()
	_, err := conn.Create(t.root+"/e", nil, zk.FlagEphemeral, open)
	must(err)
	_, _, watched, err := conn.GetW(t.root)
	must(err)
	lock := zk.NewLock(conn, t.root+"/lock", open)
	must(lock.LockWithData([]byte("victim")))
	synced(watcher)
	_, _, gone, err := watcher.ExistsW(t.root + "/e")
	must(err)
	began := time.Now()
	set("shut")
	equal(event("the end of the ephemeral", gone).Type, zk.EventNodeDeleted)
	expect(time.Since(began) > 500*time.Millisecond, "expired after %s, before its time", time.Since(began))
	must(zk.NewLock(watcher, t.root+"/lock", open).Lock())
	set("open")
	fails(event("on the watch of the old session", watched).Err, zk.ErrSessionExpired)
	until("the word of expiry", expired.Load)
	until("a new session", func() bool { return conn.State() == zk.StateHasSession })
	expect(conn.SessionID() != session, "the old session goes on")
	again(func() error { _, err := conn.Create(t.root+"/e", nil, zk.FlagEphemeral, open); return err })
	synced(watcher)
	_, stat, err := watcher.Exists(t.root + "/e")
	must(err)
	equal(stat.EphemeralOwner, conn.SessionID())
}
