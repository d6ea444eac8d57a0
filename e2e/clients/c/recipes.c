/* ZooKeeper's recipes in C, lock and queue, compiled from its source (no package has them). */
#include "cases.h"
#include "harness.h"

#include <string.h>
#include <zoo_lock.h>
#include <zoo_queue.h>

#define CONTENDERS 3

static pthread_mutex_t word_lock = PTHREAD_MUTEX_INITIALIZER;
static int acquired[CONTENDERS];

static void on_lock(int released, void *number) {
    pthread_mutex_lock(&word_lock);
    acquired[(long)number] += !released;
    pthread_mutex_unlock(&word_lock);
}

/* As many of the contenders as own the lock. */
static int owners(zkr_lock_mutex_t *mutexes) {
    int count = 0;
    for (int i = 0; i < CONTENDERS; i++) count += mutexes[i].zh != NULL && zkr_lock_isowner(&mutexes[i]);
    return count;
}

void a_lock_is_handed_on_in_the_order_of_those_who_asked(zhandle_t *zh) {
    zkr_lock_mutex_t mutexes[CONTENDERS];
    zhandle_t *handles[CONTENDERS];
    char path[160];
    struct String_vector names;
    snprintf(path, sizeof path, "%s/lock", root);
    memset(acquired, 0, sizeof acquired);
    for (long i = 0; i < CONTENDERS; i++) {
        handles[i] = connected(8000);
        CODE(zkr_lock_init_cb(&mutexes[i], handles[i], path, &ZOO_OPEN_ACL_UNSAFE, on_lock, (void *)i), ZOK);
        CODE(zkr_lock_lock(&mutexes[i]), ZOK);
    }
    EXPECT(owners(mutexes) == 1 && zkr_lock_isowner(&mutexes[0]) && acquired[0] == 1, "not the first one owns it");
    synced(zh);
    CODE(zoo_get_children(zh, path, 0, &names), ZOK);
    EXPECT(names.count == CONTENDERS, "%d in the queue", names.count);
    deallocate_String_vector(&names);
    CODE(zkr_lock_unlock(&mutexes[0]), ZOK);
    UNTIL(acquired[1] == 1, "the lock to be handed on when it was given back");
    EXPECT(owners(mutexes) == 1 && acquired[2] == 0, "two own the lock");
    CODE(zookeeper_close(handles[1]), ZOK);
    mutexes[1].zh = NULL;
    UNTIL(acquired[2] == 1, "the lock to be handed on when its owner was gone");
    CODE(zkr_lock_unlock(&mutexes[2]), ZOK);
    for (int i = 0; i < CONTENDERS; i++) {
        if (i != 1) CODE(zookeeper_close(handles[i]), ZOK);
        zkr_lock_destroy(&mutexes[i]);
    }
}

static zkr_queue_t theirs;
static char taken[8];

static void *take(void *zh) {
    int length = sizeof taken - 1;
    return (void *)(long)zkr_queue_take(zh, &theirs, taken, &length);
}

void a_queue_gives_each_item_to_one_in_order(zhandle_t *zh) {
    zkr_queue_t mine;
    char path[160], item[8] = {0};
    int length = sizeof item - 1;
    zhandle_t *other = connected(8000);
    snprintf(path, sizeof path, "%s/queue", root);
    CODE(zkr_queue_init(&mine, zh, path, &ZOO_OPEN_ACL_UNSAFE), ZOK);
    CODE(zkr_queue_init(&theirs, other, path, &ZOO_OPEN_ACL_UNSAFE), ZOK);
    CODE(zkr_queue_remove(&mine, item, &length), ZOK);
    EXPECT(length == -1, "an item of a queue that is empty: %d bytes", length);
    const char *items[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) CODE(zkr_queue_offer(&mine, items[i], (int)strlen(items[i])), ZOK);
    length = sizeof item - 1;
    CODE(zkr_queue_element(&mine, item, &length), ZOK);
    EXPECT(length == 3 && memcmp(item, "one", 3) == 0, "first is %.*s", length, item);
    synced(other);
    for (int i = 0; i < 3; i++) {
        length = sizeof item - 1;
        CODE(zkr_queue_remove(i % 2 ? &mine : &theirs, item, &length), ZOK);
        EXPECT(length == (int)strlen(items[i]) && memcmp(item, items[i], length) == 0, "%d is %.*s", i, length, item);
    }
    pthread_t thread;
    void *code;
    memset(taken, 0, sizeof taken);
    pthread_create(&thread, NULL, take, other);
    nap(200);
    EXPECT(taken[0] == 0, "took %s from a queue that is empty", taken);
    CODE(zkr_queue_offer(&mine, "last", 4), ZOK);
    UNTIL(strcmp(taken, "last") == 0, "what was waited for");
    pthread_join(thread, &code);
    CODE((int)(long)code, ZOK);
    CODE(zookeeper_close(other), ZOK);
    zkr_queue_destroy(&mine);
    zkr_queue_destroy(&theirs);
}
