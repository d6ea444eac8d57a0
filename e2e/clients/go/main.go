// The Go client (go-zookeeper/zk) against running servers: `main HOSTS [CASE]`, exit code 1 when any case failed.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"time"
)

const caseTime = 40 * time.Second

var cases = []func(*t){
	everyOperationAndItsStat, versionsAndNamesAreGuarded, aMultiIsAllOrNothing, aclsAdmitWhomTheyName,
	watchesFireOnceForTheirChange, aLockIsHeldByOneAtATime, protectedSequencesAndContainers,
	ephemeralsAndTimeToLiveEnd, aSessionAndItsWatchesOutliveTheMember, writesGoOnThroughAKilledMember,
	aSessionThatIsNotHeardOfExpiresWithItsEphemerals, aHeldLockShowsItsDataAndIsTakenOnce, reconfigurationIsRefused,
	fourLetterWordsAreUnderstood,
}

func main() {
	hosts := strings.Split(os.Args[1], ",")
	ran, bad := 0, 0
	for _, run := range cases {
		full := runtime.FuncForPC(reflect.ValueOf(run).Pointer()).Name()
		name := full[strings.LastIndex(full, ".")+1:]
		if len(os.Args) > 2 && !strings.Contains(name, os.Args[2]) {
			continue
		}
		ran++
		if why := attempt(run, &t{hosts: hosts, root: "/go-" + name}); why != "" {
			bad++
			fmt.Printf("FAIL %s: %s\n", name, why)
			control("revive")
		} else {
			fmt.Printf("ok %s\n", name)
		}
	}
	if ran == 0 || bad > 0 {
		os.Exit(1)
	}
}

// attempt gives the reason why the case failed, or nothing.
func attempt(run func(*t), surroundings *t) string {
	done := make(chan string, 1)
	go func() {
		defer func() {
			switch why := recover().(type) {
			case nil:
				done <- ""
			case failure:
				done <- string(why)
			default:
				done <- fmt.Sprint("panic: ", why)
			}
		}()
		run(surroundings)
	}()
	select {
	case why := <-done:
		surroundings.close()
		return why
	case <-time.After(caseTime):
		return fmt.Sprintf("no end within %s", caseTime)
	}
}
