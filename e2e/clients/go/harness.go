package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// t is the surroundings of one case: clients that are closed at its end and an empty path of its own.
// A failed expectation panics with a failure, which main reports as `FAIL NAME: why`.
type t struct {
	hosts []string
	root  string
	open  []*zk.Conn
}

type failure string

type silent struct{}

func (silent) Printf(string, ...interface{}) {}

func (t *t) client(timeout time.Duration) (*zk.Conn, <-chan zk.Event) {
	return t.clientAt(t.hosts, timeout)
}

func (t *t) clientAt(hosts []string, timeout time.Duration) (*zk.Conn, <-chan zk.Event) {
	conn, events, err := zk.Connect(hosts, timeout, zk.WithLogger(silent{}))
	must(err)
	t.open = append(t.open, conn)
	until("a connection", func() bool { return conn.State() == zk.StateHasSession })
	return conn, events
}

// rooted is a client, with the root of this case made.
func (t *t) rooted() *zk.Conn {
	conn, _ := t.client(8 * time.Second)
	t.make(conn, "")
	return conn
}

func (t *t) make(conn *zk.Conn, name string) string {
	path, err := conn.Create(t.root+name, nil, 0, zk.WorldACL(zk.PermAll))
	must(err)
	return path
}

// synced brings the member that serves conn up to every write acknowledged before: another's writes may reach it late.
func synced(conn *zk.Conn) {
	_, err := conn.Sync("/")
	must(err)
}

func (t *t) lone() bool { return len(t.hosts) == 1 }

func (t *t) close() {
	for _, conn := range t.open {
		conn.Close()
	}
}

func expect(condition bool, format string, args ...any) {
	if !condition {
		panic(failure(fmt.Sprintf(format, args...)))
	}
}

func must(err error) { expect(err == nil, "unexpected error: %v", err) }

func fails(err, wanted error) { expect(errors.Is(err, wanted), "got error %v, wanted %v", err, wanted) }

func equal(got, wanted any) { expect(reflect.DeepEqual(got, wanted), "got %v, wanted %v", got, wanted) }

func until(what string, condition func() bool) {
	end := time.Now().Add(20 * time.Second)
	for !condition() {
		expect(time.Now().Before(end), "not within 20 s: %s", what)
		time.Sleep(10 * time.Millisecond)
	}
}

func event(what string, events <-chan zk.Event) zk.Event {
	select {
	case event := <-events:
		return event
	case <-time.After(20 * time.Second):
		panic(failure("no event within 20 s: " + what))
	}
}

// again repeats while the connection is being made anew.
func again(action func() error) {
	end := time.Now().Add(20 * time.Second)
	for {
		err := action()
		if err == nil {
			return
		}
		lost := errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer)
		expect(lost && time.Now().Before(end), "unexpected error: %v", err)
		time.Sleep(50 * time.Millisecond)
	}
}

// control asks the runner to kill or start a member, named by its client port.
func control(line string) string {
	link, err := net.Dial("tcp", os.Getenv("E2E_CONTROL"))
	must(err)
	defer link.Close()
	fmt.Fprintln(link, line)
	answer, err := bufio.NewReader(link).ReadString('\n')
	must(err)
	expect(strings.HasPrefix(answer, "ok"), "%s: %s", line, answer)
	return strings.TrimSpace(strings.TrimPrefix(answer, "ok"))
}

// killServerOf kills the member that this client is connected to; a lone one is started again at once.
func (t *t) killServerOf(conn *zk.Conn) string {
	_, port, err := net.SplitHostPort(conn.Server())
	must(err)
	control("kill " + port)
	if t.lone() {
		control("start " + port)
	}
	return port
}

// doors gives ways to the members that can be shut: what is said through them then is lost, and nobody is told.
func (t *t) doors() (hosts []string, set func(verb string)) {
	for _, host := range t.hosts {
		_, port, err := net.SplitHostPort(host)
		must(err)
		hosts = append(hosts, "127.0.0.1:"+control("door "+port))
	}
	return hosts, func(verb string) {
		for _, host := range hosts {
			control(verb + " " + strings.TrimPrefix(host, "127.0.0.1:"))
		}
	}
}
