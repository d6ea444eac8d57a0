/*
 * The C client (the multi-threaded library) against running servers: `main HOSTS [CASE]`.
 *
 * Each case prints `ok NAME` or `FAIL NAME: why`; the exit code is 1 when any failed.
 */
#include "cases.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

const char *hosts;
char root[64];
jmp_buf failed;
char why[512];

static void each_operation_and_its_stat(zhandle_t *zh) {
    char created[200], buffer[32];
    int length = sizeof buffer;
    struct Stat stat, later;
    CODE(zoo_create2(zh, path_of("/a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, created, sizeof created, &stat), ZOK);
    EXPECT(strcmp(created, path_of("/a")) == 0 && stat.dataLength == 3 && stat.version == 0, "stat of %s", created);
    CODE(zoo_set2(zh, path_of("/a"), "three", 5, 0, &later), ZOK);
    EXPECT(later.version == 1 && later.czxid == stat.czxid && later.mzxid > stat.mzxid, "stat of set");
    CODE(zoo_set(zh, path_of("/a"), "x", 1, 0), ZBADVERSION);
    CODE(zoo_get(zh, path_of("/a"), 0, buffer, &length, &stat), ZOK);
    EXPECT(length == 5 && memcmp(buffer, "three", 5) == 0, "got %d bytes", length);
    CODE(zoo_exists(zh, path_of("/none"), 0, &stat), ZNONODE);
    CODE(zoo_create(zh, path_of("/a"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZNODEEXISTS);
    make(zh, path_of("/a/b"), "", ZOO_PERSISTENT);
    CODE(zoo_delete(zh, path_of("/a"), -1), ZNOTEMPTY);
    CODE(zoo_delete(zh, path_of("/a/b"), 4), ZBADVERSION);
    CODE(zoo_delete(zh, path_of("/a/b"), 0), ZOK);
    CODE(zoo_create(zh, path_of("/null"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
    length = sizeof buffer;
    CODE(zoo_get(zh, path_of("/null"), 0, buffer, &length, NULL), ZOK);
    EXPECT(length == -1, "null data came back with length %d", length);
}

static void sequences_ephemerals_and_children(zhandle_t *zh) {
    char first[200], second[200];
    int mode = ZOO_EPHEMERAL_SEQUENTIAL;
    CODE(zoo_create(zh, path_of("/s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, mode, first, sizeof first), ZOK);
    CODE(zoo_create(zh, path_of("/s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, mode, second, sizeof second), ZOK);
    EXPECT(strcmp(second, path_of("/s-0000000001")) == 0, "got %s", second);
    struct String_vector names;
    struct Stat stat;
    CODE(zoo_get_children2(zh, root, 0, &names, &stat), ZOK);
    EXPECT(names.count == 2 && stat.numChildren == 2 && stat.cversion == 2, "%d children", names.count);
    deallocate_String_vector(&names);
    CODE(zoo_exists(zh, first, 0, &stat), ZOK);
    EXPECT(stat.ephemeralOwner == zoo_client_id(zh)->client_id, "another owner");
    CODE(zoo_create(zh, strcat(first, "/c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZNOCHILDRENFOREPHEMERALS);
    zhandle_t *other = connected(8000);
    make(other, path_of("/theirs"), "", ZOO_EPHEMERAL);
    CODE(zookeeper_close(other), ZOK);
    synced(zh);
    CODE(zoo_exists(zh, path_of("/theirs"), 0, &stat), ZNONODE);
}

static void watches_fire_once_for_their_change(zhandle_t *zh) {
    static struct seen data, absent, children;
    char buffer[8], event[200];
    int length = sizeof buffer;
    struct String_vector names;
    seen_reset(&data), seen_reset(&absent), seen_reset(&children);
    make(zh, path_of("/a"), "", ZOO_PERSISTENT);
    CODE(zoo_wget(zh, path_of("/a"), into_seen, &data, buffer, &length, NULL), ZOK);
    CODE(zoo_wexists(zh, path_of("/b"), into_seen, &absent, NULL), ZNONODE);
    CODE(zoo_wget_children(zh, root, into_seen, &children, &names), ZOK);
    deallocate_String_vector(&names);
    CODE(zoo_set(zh, path_of("/a"), "1", 1, -1), ZOK);
    CODE(zoo_set(zh, path_of("/a"), "2", 1, -1), ZOK);
    make(zh, path_of("/b"), "", ZOO_PERSISTENT);
    make(zh, path_of("/c"), "", ZOO_PERSISTENT);
    snprintf(event, sizeof event, "changed %s", path_of("/a"));
    UNTIL(seen_has(&data, event), "the data event");
    snprintf(event, sizeof event, "created %s", path_of("/b"));
    UNTIL(seen_has(&absent, event), "the created event");
    snprintf(event, sizeof event, "child %s", root);
    UNTIL(seen_has(&children, event), "the child event");
    synced(zh);
    EXPECT(data.count + absent.count + children.count == 3, "more events than changes watched");
}

static void a_multi_is_all_or_nothing(zhandle_t *zh) {
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    char created[200];
    struct Stat stat;
    char *a = strdup(path_of("/a")), *none = strdup(path_of("/none"));
    zoo_create_op_init(&ops[0], a, "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, created, sizeof created);
    zoo_set_op_init(&ops[1], a, "22", 2, 0, &stat);
    zoo_check_op_init(&ops[2], a, 1);
    CODE(zoo_multi(zh, 3, ops, results), ZOK);
    EXPECT(stat.version == 1 && stat.dataLength == 2 && stat.czxid == stat.mzxid, "stat of the second part");
    zoo_delete_op_init(&ops[0], a, -1);
    zoo_delete_op_init(&ops[1], none, -1);
    zoo_create_op_init(&ops[2], none, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, created, sizeof created);
    CODE(zoo_multi(zh, 3, ops, results), ZNONODE);
    EXPECT(results[0].err == ZOK && results[1].err == ZNONODE && results[2].err == ZRUNTIMEINCONSISTENCY,
           "codes %d %d %d", results[0].err, results[1].err, results[2].err);
    CODE(zoo_exists(zh, a, 0, &stat), ZOK);
    free(a), free(none);
}

static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static int answered, out_of_order, refused;

static void count_answer(int code, const void *number) {
    pthread_mutex_lock(&order_lock);
    out_of_order += (int)(long)number != answered;
    refused += code != ZOK;
    answered++;
    pthread_mutex_unlock(&order_lock);
}

static void on_string(int code, const char *value, const void *number) {
    (void)value;
    count_answer(code, number);
}

static void on_data(int code, const char *value, int length, const struct Stat *stat, const void *number) {
    (void)value, (void)length, (void)stat;
    count_answer(code, number);
}

static void asynchronous_calls_are_answered_in_order(zhandle_t *zh) {
    answered = out_of_order = refused = 0;
    char name[32];
    for (long i = 0; i < 400; i += 2) {
        snprintf(name, sizeof name, "/n%ld", i);
        CODE(zoo_acreate(zh, path_of(name), "x", 1, &ZOO_OPEN_ACL_UNSAFE, 0, on_string, (void *)i), ZOK);
        CODE(zoo_aget(zh, path_of(name), 0, on_data, (void *)(i + 1)), ZOK);
    }
    UNTIL(answered == 400, "all answers");
    EXPECT(out_of_order == 0 && refused == 0, "%d out of order, %d refused", out_of_order, refused);
}

static int auth_code;

static void on_auth(int code, const void *context) {
    (void)context;
    auth_code = code;
}

static void acls_admit_whom_they_name(zhandle_t *zh) {
    zhandle_t *owner = connected(8000);
    auth_code = 1;
    CODE(zoo_add_auth(owner, "digest", "u:p", 3, on_auth, NULL), ZOK);
    UNTIL(auth_code != 1, "the answer to auth");
    EXPECT(auth_code == ZOK, "auth was answered with %s", zerror(auth_code));
    CODE(zoo_create(owner, path_of("/mine"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZOK);
    CODE(zoo_set(zh, path_of("/mine"), "x", 1, -1), ZNOAUTH);
    CODE(zoo_create(zh, path_of("/b"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZINVALIDACL);
    struct ACL_vector acls;
    struct Stat stat;
    CODE(zoo_get_acl(owner, path_of("/mine"), &acls, &stat), ZOK);
    EXPECT(acls.count == 1 && strncmp(acls.data[0].id.id, "u:", 2) == 0, "another acl");
    deallocate_ACL_vector(&acls);
    CODE(zoo_set_acl(owner, path_of("/mine"), stat.aversion, &ZOO_OPEN_ACL_UNSAFE), ZOK);
    CODE(zoo_set(zh, path_of("/mine"), "x", 1, -1), ZOK);
    CODE(zookeeper_close(owner), ZOK);
}

static const struct {
    const char *name;
    void (*run)(zhandle_t *);
} cases[] = {
#define CASE(name) {#name, name}
    CASE(each_operation_and_its_stat),
    CASE(sequences_ephemerals_and_children),
    CASE(watches_fire_once_for_their_change),
    CASE(a_multi_is_all_or_nothing),
    CASE(asynchronous_calls_are_answered_in_order),
    CASE(acls_admit_whom_they_name),
    CASE(a_session_and_its_watches_outlive_the_member),
    CASE(a_session_is_taken_up_with_its_password_and_ends_when_closed),
    CASE(a_session_that_is_not_heard_of_expires_with_its_ephemerals),
    CASE(a_lock_is_handed_on_in_the_order_of_those_who_asked),
    CASE(a_queue_gives_each_item_to_one_in_order),
};

int main(int count, char **args) {
    if (count < 2) return 2;
    hosts = args[1];
    zoo_set_debug_level(0);
    int ran = 0, bad = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (count > 2 && strstr(cases[i].name, args[2]) == NULL) continue;
        ran++;
        snprintf(root, sizeof root, "/c-%.50s", cases[i].name);
        if (setjmp(failed) == 0) {
            zhandle_t *zh = connected(10000);
            make(zh, root, "", ZOO_PERSISTENT);
            cases[i].run(zh);
            zookeeper_close(zh);
            printf("ok %s\n", cases[i].name);
        } else {
            bad++;
            printf("FAIL %s: %s\n", cases[i].name, why);
            if (setjmp(failed) == 0) control("revive", 0);
        }
        fflush(stdout);
    }
    return ran == 0 || bad > 0;
}
