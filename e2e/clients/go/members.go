package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
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

func aSilentSessionExpiresWithItsEphemerals(t *t) {
	conn := t.rooted()
	began := time.Now()
	silent := silentSession(t.hosts[0], time.Second, t.root+"/e")
	defer silent.Close()
	synced(conn)
	there, _, gone, err := conn.ExistsW(t.root + "/e")
	must(err)
	if there {
		equal(event("the end of the ephemeral", gone).Type, zk.EventNodeDeleted)
	}
	expect(time.Since(began) > 950*time.Millisecond, "expired after %s, before its time", time.Since(began))
}

// silentSession opens a session by hand, creates an ephemeral and is never heard of again: no pings.
func silentSession(server string, timeout time.Duration, path string) net.Conn {
	link, err := net.Dial("tcp", server)
	must(err)
	number := binary.BigEndian.AppendUint32
	text := func(to []byte, value string) []byte { return append(number(to, uint32(len(value))), value...) }
	connect := append(make([]byte, 12), number(nil, uint32(timeout.Milliseconds()))...)
	connect = append(number(append(connect, make([]byte, 8)...), 16), make([]byte, 17)...)
	frame(link, connect)
	create := text(number(number(nil, 1), 1), path)
	create = number(number(number(create, 0), 1), 31)
	create = number(text(text(create, "world"), "anyone"), zk.FlagEphemeral)
	reply := frame(link, create)
	equal(int32(binary.BigEndian.Uint32(reply[12:])), int32(0))
	return link
}

// frame sends one and gives the next that comes.
func frame(link net.Conn, body []byte) []byte {
	_, err := link.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	must(err)
	length := make([]byte, 4)
	_, err = io.ReadFull(link, length)
	must(err)
	reply := make([]byte, binary.BigEndian.Uint32(length))
	_, err = io.ReadFull(link, reply)
	must(err)
	return reply
}
