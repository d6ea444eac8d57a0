/* The implementation of harness.h. */
#include "harness.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void nap(int milliseconds) {
    struct timespec time = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
    nanosleep(&time, NULL);
}

static void ignore(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)type, (void)state, (void)path, (void)context;
}

zhandle_t *connected(int timeout_ms) {
    return connected_at(hosts, timeout_ms);
}

zhandle_t *connected_at(const char *where, int timeout_ms) {
    zhandle_t *zh = zookeeper_init(where, ignore, timeout_ms, NULL, NULL, 0);
    EXPECT(zh != NULL, "zookeeper_init gave nothing");
    UNTIL(zoo_state(zh) == ZOO_CONNECTED_STATE, "a connection");
    return zh;
}

void make(zhandle_t *zh, const char *path, const char *data, int mode) {
    CODE(zoo_create(zh, path, data, (int)strlen(data), &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0), ZOK);
}

static int sync_code;

static void on_sync(int code, const char *value, const void *context) {
    (void)value, (void)context;
    sync_code = code;
}

/* Brings the member that serves this handle up to every write acknowledged before. */
void synced(zhandle_t *zh) {
    sync_code = 1;
    CODE(zoo_async(zh, root, on_sync, NULL), ZOK);
    UNTIL(sync_code != 1, "the answer to sync");
    EXPECT(sync_code == ZOK, "sync was answered with %s", zerror(sync_code));
}

/* Asks again while the connection is being made anew. */
int exists_again(zhandle_t *zh, const char *path, struct Stat *stat) {
    int code = ZCONNECTIONLOSS;
    for (int i = 0; i < 200 && (code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT); i++) {
        code = zoo_exists(zh, path, 0, stat);
        if (code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT) nap(100);
    }
    return code;
}

void seen_reset(struct seen *seen) {
    memset(seen, 0, sizeof *seen);
    pthread_mutex_init(&seen->lock, NULL);
}

static const char *type_name(int type) {
    if (type == ZOO_CREATED_EVENT) return "created";
    if (type == ZOO_DELETED_EVENT) return "deleted";
    if (type == ZOO_CHANGED_EVENT) return "changed";
    if (type == ZOO_CHILD_EVENT) return "child";
    return "session";
}

/* A watcher: session events are left out, since each disconnection tells them to everybody. */
void into_seen(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)state;
    struct seen *seen = context;
    if (type == ZOO_SESSION_EVENT) return;
    pthread_mutex_lock(&seen->lock);
    if (seen->count < EVENTS) snprintf(seen->events[seen->count++], 160, "%s %s", type_name(type), path);
    pthread_mutex_unlock(&seen->lock);
}

int seen_has(struct seen *seen, const char *event) {
    int times = 0;
    pthread_mutex_lock(&seen->lock);
    for (int i = 0; i < seen->count; i++) times += strcmp(seen->events[i], event) == 0;
    pthread_mutex_unlock(&seen->lock);
    return times;
}

/* Asks the runner to kill or start a member, named by its client port; gives the port that was answered, if any. */
int control(const char *verb, int port) {
    const char *address = getenv("E2E_CONTROL");
    EXPECT(address != NULL, "E2E_CONTROL is not set");
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(strchr(address, ':') + 1))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int link = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(connect(link, (struct sockaddr *)&at, sizeof at) == 0, "no control at %s", address);
    if (port) dprintf(link, "%s %d\n", verb, port);
    else dprintf(link, "%s\n", verb);
    char answer[200] = {0};
    ssize_t length = read(link, answer, sizeof answer - 1);
    close(link);
    EXPECT(length > 1 && strncmp(answer, "ok", 2) == 0, "%s %d: %s", verb, port, answer);
    return atoi(answer + 2);
}

/* Makes a door to each member, once; gives what to connect to. What is said through shut doors is lost. */
const char *doors(void) {
    static char list[160];
    if (list[0]) return list;
    for (const char *at = hosts; at; at = strchr(at, ',')) {
        at += *at == ',';
        size_t length = strlen(list);
        int door = control("door", atoi(strchr(at, ':') + 1));
        snprintf(list + length, sizeof list - length, "%s127.0.0.1:%d", length ? "," : "", door);
    }
    return list;
}

void doors_set(const char *verb) {
    for (const char *at = doors(); (at = strchr(at, ':')); at++) control(verb, atoi(at + 1));
}

int server_port(zhandle_t *zh) {
    struct sockaddr_in6 address;
    socklen_t size = sizeof address;
    EXPECT(zookeeper_get_connected_host(zh, (struct sockaddr *)&address, &size) != NULL, "not connected");
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* The path of `name` below the root of the case, in a few buffers that take turns. */
char *path_of(const char *name) {
    static __thread char paths[8][160];
    static __thread int next;
    char *path = paths[next++ % 8];
    snprintf(path, 160, "%s%s", root, name);
    return path;
}
