/*
 * What every case stands on: a connected handle, waiting with a limit, a hand on the servers, expectations that say
 * what they found. A failed expectation leaves the case by longjmp, and main prints `FAIL NAME: why`.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <zookeeper/zookeeper.h>

#define EVENTS 64

/* What a watcher was told, in order. */
struct seen {
    pthread_mutex_t lock;
    int count;
    char events[EVENTS][160];
};

extern const char *hosts;
extern char root[64];
extern jmp_buf failed;
extern char why[512];

#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            int written_ = snprintf(why, sizeof why, "%s:%d ", __FILE__, __LINE__);                                    \
            snprintf(why + written_, sizeof why - written_, __VA_ARGS__);                                              \
            longjmp(failed, 1);                                                                                        \
        }                                                                                                              \
    } while (0)

#define CODE(call, wanted)                                                                                             \
    do {                                                                                                               \
        int code_ = (call);                                                                                            \
        EXPECT(code_ == (wanted), "%s: got %s, wanted %s", #call, zerror(code_), zerror(wanted));                      \
    } while (0)

#define UNTIL(condition, what)                                                                                         \
    do {                                                                                                               \
        for (int waited_ = 0; !(condition); waited_++) {                                                               \
            EXPECT(waited_ < 2000, "not within 20 s: %s", what);                                                       \
            nap(10);                                                                                                   \
        }                                                                                                              \
    } while (0)

void nap(int milliseconds);
zhandle_t *connected(int timeout_ms);
zhandle_t *connected_at(const char *where, int timeout_ms);
const char *doors(void);
void doors_set(const char *verb);
void make(zhandle_t *zh, const char *path, const char *data, int mode);
void synced(zhandle_t *zh);
int exists_again(zhandle_t *zh, const char *path, struct Stat *stat);
void seen_reset(struct seen *seen);
void into_seen(zhandle_t *zh, int type, int state, const char *path, void *seen);
int seen_has(struct seen *seen, const char *event);
int control(const char *verb, int port);
int server_port(zhandle_t *zh);
char *path_of(const char *name);

#endif
