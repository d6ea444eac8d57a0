/* Sessions across members that die, taken up again, closed, and expired. */
#include "cases.h"
#include "harness.h"

#include <string.h>
#include <time.h>

void a_session_and_its_watches_outlive_the_member(zhandle_t *zh) {
    static struct seen data;
    char buffer[8], event[200];
    int length = sizeof buffer, code;
    struct Stat stat;
    zhandle_t *victim = connected(10000);
    make(victim, path_of("/e"), "", ZOO_EPHEMERAL);
    make(victim, path_of("/data"), "", ZOO_PERSISTENT);
    seen_reset(&data);
    CODE(zoo_wget(victim, path_of("/data"), into_seen, &data, buffer, &length, NULL), ZOK);
    long long session = zoo_client_id(victim)->client_id;
    int port = server_port(victim);
    control("kill", port);
    if (strchr(hosts, ',') == NULL) control("start", port);
    CODE(exists_again(zh, root, &stat), ZOK);
    do code = zoo_set(zh, path_of("/data"), "1", 1, -1);
    while (code == ZCONNECTIONLOSS && (nap(100), 1));
    CODE(code, ZOK);
    snprintf(event, sizeof event, "changed %s", path_of("/data"));
    UNTIL(seen_has(&data, event), "the event of the watch set before the kill");
    CODE(exists_again(victim, path_of("/e"), &stat), ZOK);
    EXPECT(stat.ephemeralOwner == session && zoo_client_id(victim)->client_id == session, "another session");
    control("start", port);
    CODE(zookeeper_close(victim), ZOK);
    UNTIL(exists_again(zh, path_of("/e"), &stat) == ZNONODE, "the end of the ephemeral");
}

void a_session_is_taken_up_with_its_password_and_ends_when_closed(zhandle_t *zh) {
    struct Stat stat;
    zhandle_t *first = connected(8000);
    clientid_t id = *zoo_client_id(first), wrong = id;
    make(first, path_of("/e"), "", ZOO_EPHEMERAL);
    memset(wrong.passwd, 1, sizeof wrong.passwd);
    zhandle_t *thief = zookeeper_init(hosts, NULL, 8000, &wrong, NULL, 0);
    UNTIL(zoo_state(thief) == ZOO_EXPIRED_SESSION_STATE, "the refusal of a wrong password");
    zookeeper_close(thief);
    // The first handle, once cut off, takes the session back; a close goes out only from the one that has it.
    for (int ended = 0, i = 0; !ended; i++) {
        EXPECT(i < 50, "the session could not be closed");
        zhandle_t *second = zookeeper_init(hosts, NULL, 8000, &id, NULL, 0);
        UNTIL(zoo_state(second) == ZOO_CONNECTED_STATE || zoo_state(second) == ZOO_EXPIRED_SESSION_STATE, "an answer");
        ended = zoo_state(second) == ZOO_EXPIRED_SESSION_STATE;
        EXPECT(i > 0 || zoo_client_id(second)->client_id == id.client_id, "another session");
        zookeeper_close(second);
    }
    UNTIL(exists_again(zh, path_of("/e"), &stat) == ZNONODE, "the end of the ephemeral");
    UNTIL(zoo_state(first) == ZOO_EXPIRED_SESSION_STATE, "the word of expiry");
    zookeeper_close(first);
}

static int milliseconds_since(const struct timespec *began) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)((now.tv_sec - began->tv_sec) * 1000 + (now.tv_nsec - began->tv_nsec) / 1000000);
}

void a_session_that_is_not_heard_of_expires_with_its_ephemerals(zhandle_t *zh) {
    static struct seen gone;
    char event[200];
    struct Stat stat;
    struct timespec began;
    zhandle_t *victim = connected_at(doors(), 1000);
    make(victim, path_of("/e"), "", ZOO_EPHEMERAL);
    synced(zh);
    seen_reset(&gone);
    CODE(zoo_wexists(zh, path_of("/e"), into_seen, &gone, &stat), ZOK);
    long long session = stat.ephemeralOwner;
    clock_gettime(CLOCK_MONOTONIC, &began);
    doors_set("shut");
    snprintf(event, sizeof event, "deleted %s", path_of("/e"));
    UNTIL(seen_has(&gone, event), "the end of the ephemeral");
    EXPECT(milliseconds_since(&began) > 500, "it ended before its time");
    EXPECT(zoo_state(victim) != ZOO_EXPIRED_SESSION_STATE, "the client knows before anybody can have told it");
    doors_set("open");
    UNTIL(zoo_state(victim) == ZOO_EXPIRED_SESSION_STATE, "the word of expiry");
    CODE(zoo_exists(victim, root, 0, &stat), ZINVALIDSTATE);
    CODE(zookeeper_close(victim), ZOK);
    victim = connected_at(doors(), 1000);
    EXPECT(zoo_client_id(victim)->client_id != session, "the old session goes on");
    make(victim, path_of("/e"), "", ZOO_EPHEMERAL);
    CODE(zookeeper_close(victim), ZOK);
}
